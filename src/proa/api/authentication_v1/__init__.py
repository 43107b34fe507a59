"""authentication.k8s.io/v1: token and self reviews."""

from proa.api.authentication_v1.types import (
    BoundObjectReference,
    SelfSubjectReview,
    SelfSubjectReviewStatus,
    TokenRequest,
    TokenRequestSpec,
    TokenRequestStatus,
    TokenReview,
    TokenReviewSpec,
    TokenReviewStatus,
    UserInfo,
)

__all__ = [
    "BoundObjectReference",
    "SelfSubjectReview",
    "SelfSubjectReviewStatus",
    "TokenRequest",
    "TokenRequestSpec",
    "TokenRequestStatus",
    "TokenReview",
    "TokenReviewSpec",
    "TokenReviewStatus",
    "UserInfo",
]
