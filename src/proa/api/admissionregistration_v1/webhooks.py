"""admissionregistration/v1 declarations: admission webhooks."""

from typing import Annotated

from proa.api.admissionregistration_v1.matching import MatchCondition, RuleWithOperations
from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import LabelSelector, ListMeta, ObjectMeta
from proa.machinery.scalars import Bytes, Int32


class ServiceReference(Object):
    namespace: Annotated[str, Field(1, required=True)] = always(str)
    name: Annotated[str, Field(2, required=True)] = always(str)
    path: Annotated[str | None, Field(3)] = None
    port: Annotated[Int32 | None, Field(4, default=443)] = None


class WebhookClientConfig(Object):
    url: Annotated[str | None, Field(3)] = None
    service: Annotated[ServiceReference | None, Field(1)] = None
    caBundle: Annotated[Bytes, Field(2)] = b""


class ValidatingWebhook(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    clientConfig: Annotated[WebhookClientConfig, Field(2, required=True)] = always(WebhookClientConfig)
    rules: Annotated[tuple[RuleWithOperations, ...], Field(3, list="atomic")] = ()
    failurePolicy: Annotated[str | None, Field(4, default="Fail", enum=("Ignore", "Fail"))] = None
    matchPolicy: Annotated[str | None, Field(9, default="Equivalent", enum=("Exact", "Equivalent"))] = None
    namespaceSelector: Annotated[LabelSelector | None, Field(5, default={})] = None
    objectSelector: Annotated[LabelSelector | None, Field(10, default={})] = None
    sideEffects: Annotated[str | None, Field(6, required=True, enum=("None", "NoneOnDryRun"))] = None
    timeoutSeconds: Annotated[Int32 | None, Field(7, default=10)] = None
    admissionReviewVersions: Annotated[tuple[str, ...], Field(8, required=True, list="atomic")] = always(no_items)
    matchConditions: Annotated[
        tuple[MatchCondition, ...], Field(11, list="map", keys=("name",), merge="merge", key="name")
    ] = ()


class ValidatingWebhookConfiguration(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("admissionregistration.k8s.io/v1")
    kind: str = fixed("ValidatingWebhookConfiguration")
    webhooks: Annotated[
        tuple[ValidatingWebhook, ...], Field(2, list="map", keys=("name",), merge="merge", key="name")
    ] = ()


class ValidatingWebhookConfigurationList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("admissionregistration.k8s.io/v1")
    kind: str = fixed("ValidatingWebhookConfigurationList")
    items: Annotated[tuple[ValidatingWebhookConfiguration, ...], Field(2, required=True)] = always(no_items)


class MutatingWebhook(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    clientConfig: Annotated[WebhookClientConfig, Field(2, required=True)] = always(WebhookClientConfig)
    rules: Annotated[tuple[RuleWithOperations, ...], Field(3, list="atomic")] = ()
    failurePolicy: Annotated[str | None, Field(4, default="Fail", enum=("Ignore", "Fail"))] = None
    matchPolicy: Annotated[str | None, Field(9, default="Equivalent", enum=("Exact", "Equivalent"))] = None
    namespaceSelector: Annotated[LabelSelector | None, Field(5, default={})] = None
    objectSelector: Annotated[LabelSelector | None, Field(11, default={})] = None
    sideEffects: Annotated[str | None, Field(6, required=True, enum=("None", "NoneOnDryRun"))] = None
    timeoutSeconds: Annotated[Int32 | None, Field(7, default=10)] = None
    admissionReviewVersions: Annotated[tuple[str, ...], Field(8, required=True, list="atomic")] = always(no_items)
    reinvocationPolicy: Annotated[str | None, Field(10, default="Never", enum=("Never", "IfNeeded"))] = None
    matchConditions: Annotated[
        tuple[MatchCondition, ...], Field(12, list="map", keys=("name",), merge="merge", key="name")
    ] = ()


class MutatingWebhookConfiguration(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("admissionregistration.k8s.io/v1")
    kind: str = fixed("MutatingWebhookConfiguration")
    webhooks: Annotated[
        tuple[MutatingWebhook, ...], Field(2, list="map", keys=("name",), merge="merge", key="name")
    ] = ()


class MutatingWebhookConfigurationList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("admissionregistration.k8s.io/v1")
    kind: str = fixed("MutatingWebhookConfigurationList")
    items: Annotated[tuple[MutatingWebhookConfiguration, ...], Field(2, required=True)] = always(no_items)
