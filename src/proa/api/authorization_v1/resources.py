"""The resources of authorization.k8s.io/v1."""

from typing import Any

from proa.api.authorization_v1 import (
    LocalSubjectAccessReview,
    SelfSubjectAccessReview,
    SelfSubjectRulesReview,
    SubjectAccessReview,
)
from proa.machinery.resource import Resource

LOCAL_SUBJECT_ACCESS_REVIEWS = Resource(
    group="authorization.k8s.io",
    version="v1",
    plural="localsubjectaccessreviews",
    type=LocalSubjectAccessReview,
    singular="localsubjectaccessreview",
    verbs=("create",),
)

SELF_SUBJECT_ACCESS_REVIEWS = Resource(
    group="authorization.k8s.io",
    version="v1",
    plural="selfsubjectaccessreviews",
    type=SelfSubjectAccessReview,
    singular="selfsubjectaccessreview",
    namespaced=False,
    verbs=("create",),
)

SELF_SUBJECT_RULES_REVIEWS = Resource(
    group="authorization.k8s.io",
    version="v1",
    plural="selfsubjectrulesreviews",
    type=SelfSubjectRulesReview,
    singular="selfsubjectrulesreview",
    namespaced=False,
    verbs=("create",),
)

SUBJECT_ACCESS_REVIEWS = Resource(
    group="authorization.k8s.io",
    version="v1",
    plural="subjectaccessreviews",
    type=SubjectAccessReview,
    singular="subjectaccessreview",
    namespaced=False,
    verbs=("create",),
)

RESOURCES: tuple[Resource[Any], ...] = (
    LOCAL_SUBJECT_ACCESS_REVIEWS,
    SELF_SUBJECT_ACCESS_REVIEWS,
    SELF_SUBJECT_RULES_REVIEWS,
    SUBJECT_ACCESS_REVIEWS,
)
