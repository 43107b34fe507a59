"""authorization/v1 declarations."""

from collections.abc import Mapping
from typing import Annotated

from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import FieldSelectorRequirement, LabelSelectorRequirement, ObjectMeta


class FieldSelectorAttributes(Object):
    rawSelector: Annotated[str, Field(1)] = ""
    requirements: Annotated[tuple[FieldSelectorRequirement, ...], Field(2, list="atomic")] = ()


class LabelSelectorAttributes(Object):
    rawSelector: Annotated[str, Field(1)] = ""
    requirements: Annotated[tuple[LabelSelectorRequirement, ...], Field(2, list="atomic")] = ()


class NonResourceAttributes(Object):
    path: Annotated[str, Field(1)] = ""
    verb: Annotated[str, Field(2)] = ""


class ResourceAttributes(Object):
    namespace: Annotated[str, Field(1)] = ""
    verb: Annotated[str, Field(2)] = ""
    group: Annotated[str, Field(3)] = ""
    version: Annotated[str, Field(4)] = ""
    resource: Annotated[str, Field(5)] = ""
    subresource: Annotated[str, Field(6)] = ""
    name: Annotated[str, Field(7)] = ""
    fieldSelector: Annotated[FieldSelectorAttributes | None, Field(8)] = None
    labelSelector: Annotated[LabelSelectorAttributes | None, Field(9)] = None


class SubjectAccessReviewSpec(Object):
    resourceAttributes: Annotated[ResourceAttributes | None, Field(1)] = None
    nonResourceAttributes: Annotated[NonResourceAttributes | None, Field(2)] = None
    user: Annotated[str, Field(3)] = ""
    groups: Annotated[tuple[str, ...], Field(4, list="atomic")] = ()
    extra: Annotated[Mapping[str, tuple[str, ...]], Field(5)] = {}
    uid: Annotated[str, Field(6)] = ""


class SubjectAccessReviewStatus(Object):
    allowed: Annotated[bool, Field(1, required=True)] = always(bool)
    denied: Annotated[bool, Field(4)] = False
    reason: Annotated[str, Field(2)] = ""
    evaluationError: Annotated[str, Field(3)] = ""


class LocalSubjectAccessReview(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("authorization.k8s.io/v1")
    kind: str = fixed("LocalSubjectAccessReview")
    spec: Annotated[SubjectAccessReviewSpec, Field(2, required=True)] = always(SubjectAccessReviewSpec)
    status: Annotated[SubjectAccessReviewStatus, Field(3)] = always(SubjectAccessReviewStatus)


class NonResourceRule(Object):
    verbs: Annotated[tuple[str, ...], Field(1, required=True, list="atomic")] = always(no_items)
    nonResourceURLs: Annotated[tuple[str, ...], Field(2, list="atomic")] = ()


class ResourceRule(Object):
    verbs: Annotated[tuple[str, ...], Field(1, required=True, list="atomic")] = always(no_items)
    apiGroups: Annotated[tuple[str, ...], Field(2, list="atomic")] = ()
    resources: Annotated[tuple[str, ...], Field(3, list="atomic")] = ()
    resourceNames: Annotated[tuple[str, ...], Field(4, list="atomic")] = ()


class SelfSubjectAccessReviewSpec(Object):
    resourceAttributes: Annotated[ResourceAttributes | None, Field(1)] = None
    nonResourceAttributes: Annotated[NonResourceAttributes | None, Field(2)] = None


class SelfSubjectAccessReview(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("authorization.k8s.io/v1")
    kind: str = fixed("SelfSubjectAccessReview")
    spec: Annotated[SelfSubjectAccessReviewSpec, Field(2, required=True)] = always(SelfSubjectAccessReviewSpec)
    status: Annotated[SubjectAccessReviewStatus, Field(3)] = always(SubjectAccessReviewStatus)


class SelfSubjectRulesReviewSpec(Object):
    namespace: Annotated[str, Field(1)] = ""


class SubjectRulesReviewStatus(Object):
    resourceRules: Annotated[tuple[ResourceRule, ...], Field(1, required=True, list="atomic")] = always(no_items)
    nonResourceRules: Annotated[tuple[NonResourceRule, ...], Field(2, required=True, list="atomic")] = always(no_items)
    incomplete: Annotated[bool, Field(3, required=True)] = always(bool)
    evaluationError: Annotated[str, Field(4)] = ""


class SelfSubjectRulesReview(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("authorization.k8s.io/v1")
    kind: str = fixed("SelfSubjectRulesReview")
    spec: Annotated[SelfSubjectRulesReviewSpec, Field(2, required=True)] = always(SelfSubjectRulesReviewSpec)
    status: Annotated[SubjectRulesReviewStatus, Field(3)] = always(SubjectRulesReviewStatus)


class SubjectAccessReview(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("authorization.k8s.io/v1")
    kind: str = fixed("SubjectAccessReview")
    spec: Annotated[SubjectAccessReviewSpec, Field(2, required=True)] = always(SubjectAccessReviewSpec)
    status: Annotated[SubjectAccessReviewStatus, Field(3)] = always(SubjectAccessReviewStatus)
