"""apiextensions/v1 declarations: how versions of a custom resource are converted."""

from typing import Annotated

from proa.machinery.declare import Field, Object, always, no_items
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


class WebhookConversion(Object):
    clientConfig: Annotated[WebhookClientConfig | None, Field(2)] = None
    conversionReviewVersions: Annotated[tuple[str, ...], Field(3, required=True, list="atomic")] = always(no_items)


class CustomResourceConversion(Object):
    strategy: Annotated[str, Field(1, required=True, enum=("None", "Webhook"))] = always(str)
    webhook: Annotated[WebhookConversion | None, Field(2)] = None
