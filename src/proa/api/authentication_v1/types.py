"""authentication/v1 declarations."""

from collections.abc import Mapping
from typing import Annotated

from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ObjectMeta
from proa.machinery.scalars import Int64, Time


class BoundObjectReference(Object):
    kind: Annotated[str, Field(1)] = ""
    apiVersion: Annotated[str, Field(2)] = ""
    name: Annotated[str, Field(3)] = ""
    uid: str = ""


class UserInfo(Object):
    username: Annotated[str, Field(1)] = ""
    uid: Annotated[str, Field(2)] = ""
    groups: Annotated[tuple[str, ...], Field(3, list="atomic")] = ()
    extra: Annotated[Mapping[str, tuple[str, ...]], Field(4)] = {}


class SelfSubjectReviewStatus(Object):
    userInfo: Annotated[UserInfo, Field(1)] = always(UserInfo)


class SelfSubjectReview(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("authentication.k8s.io/v1")
    kind: str = fixed("SelfSubjectReview")
    status: Annotated[SelfSubjectReviewStatus, Field(2)] = always(SelfSubjectReviewStatus)


class TokenRequestSpec(Object):
    audiences: Annotated[tuple[str, ...], Field(1, list="atomic")] = always(no_items)
    expirationSeconds: Annotated[Int64 | None, Field(4, default=3600)] = None
    boundObjectRef: Annotated[BoundObjectReference | None, Field(3)] = None


class TokenRequestStatus(Object):
    token: Annotated[str, Field(1)] = always(str)
    expirationTimestamp: Annotated[Time | None, Field(2)] = None


class TokenRequest(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("authentication.k8s.io/v1")
    kind: str = fixed("TokenRequest")
    spec: Annotated[TokenRequestSpec, Field(2)] = always(TokenRequestSpec)
    status: Annotated[TokenRequestStatus, Field(3)] = always(TokenRequestStatus)


class TokenReviewSpec(Object):
    token: Annotated[str, Field(1, required=True)] = ""
    audiences: Annotated[tuple[str, ...], Field(2, list="atomic")] = ()


class TokenReviewStatus(Object):
    authenticated: Annotated[bool, Field(1)] = False
    user: Annotated[UserInfo, Field(2)] = always(UserInfo)
    audiences: Annotated[tuple[str, ...], Field(4, list="atomic")] = ()
    error: Annotated[str, Field(3)] = ""


class TokenReview(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("authentication.k8s.io/v1")
    kind: str = fixed("TokenReview")
    spec: Annotated[TokenReviewSpec, Field(2, required=True)] = always(TokenReviewSpec)
    status: Annotated[TokenReviewStatus, Field(3)] = always(TokenReviewStatus)
