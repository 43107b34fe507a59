"""The resources of authentication.k8s.io/v1."""

from typing import Any

from proa.api.authentication_v1 import SelfSubjectReview, TokenReview
from proa.machinery.resource import Resource

SELF_SUBJECT_REVIEWS = Resource(
    group="authentication.k8s.io",
    version="v1",
    plural="selfsubjectreviews",
    type=SelfSubjectReview,
    singular="selfsubjectreview",
    namespaced=False,
    verbs=("create",),
)

TOKEN_REVIEWS = Resource(
    group="authentication.k8s.io",
    version="v1",
    plural="tokenreviews",
    type=TokenReview,
    singular="tokenreview",
    namespaced=False,
    verbs=("create",),
)

RESOURCES: tuple[Resource[Any], ...] = (
    SELF_SUBJECT_REVIEWS,
    TOKEN_REVIEWS,
)
