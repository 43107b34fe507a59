"""Questions about who somebody is and what they may do: the reviews of authentication and authorization.

Each is an action (see `actions`): the request's spec comes back with its status. Not here: the answers themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proa.api.authentication_v1 import SelfSubjectReview, TokenReview
from proa.api.authorization_v1 import (
    LocalSubjectAccessReview,
    SelfSubjectAccessReview,
    SelfSubjectRulesReview,
    SubjectAccessReview,
)
from proa.apiserver.access import Access
from proa.apiserver.actions import Action, checked_body
from proa.apiserver.identity import AccessAttributes, Credentials, User, Verdict
from proa.apiserver.metadata import Document
from proa.apiserver.options import WriteOptions
from proa.machinery import status as failures

AUTHENTICATION = "authentication.k8s.io"
AUTHORIZATION = "authorization.k8s.io"


class Reviews:
    """The reviews, answered by what guards this server."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def actions(self) -> Mapping[tuple[str, str], Action]:
        """By (group, plural)."""
        return {
            (AUTHENTICATION, "selfsubjectreviews"): self._who_am_i,
            (AUTHENTICATION, "tokenreviews"): self._token,
            (AUTHORIZATION, "selfsubjectaccessreviews"): self._self_access,
            (AUTHORIZATION, "subjectaccessreviews"): self._access_of,
            (AUTHORIZATION, "localsubjectaccessreviews"): self._local_access,
            (AUTHORIZATION, "selfsubjectrulesreviews"): self._rules,
        }

    async def _who_am_i(self, namespace: str, name: str, body: Document, options: WriteOptions) -> Document:
        body = checked_body(body, SelfSubjectReview, options, f"{AUTHENTICATION}/v1")
        return {**body, "status": {"userInfo": user_info(options.user)}}

    async def _token(self, namespace: str, name: str, body: Document, options: WriteOptions) -> Document:
        body = checked_body(body, TokenReview, options, f"{AUTHENTICATION}/v1")
        spec = body.get("spec") or {}
        if not spec.get("token"):
            raise failures.bad_request("token is required for TokenReview in authentication")
        if spec.get("audiences"):
            raise failures.not_implemented("TokenReview for other audiences than this server's is not served yet")
        try:
            user = await self._access.authenticator.authenticate(Credentials(spec["token"]))
        except failures.StatusError as error:
            if error.code != 401:
                raise
            return {**body, "status": {"user": {}, "error": error.message}}
        if user is None:
            return {**body, "status": {"user": {}}}
        return {**body, "status": {"authenticated": True, "user": user_info(user)}}

    async def _self_access(self, namespace: str, name: str, body: Document, options: WriteOptions) -> Document:
        body = checked_body(body, SelfSubjectAccessReview, options, f"{AUTHORIZATION}/v1")
        return {**body, "status": self._decide(options.user, body.get("spec") or {})}

    async def _access_of(self, namespace: str, name: str, body: Document, options: WriteOptions) -> Document:
        body = checked_body(body, SubjectAccessReview, options, f"{AUTHORIZATION}/v1")
        return {**body, "status": self._decide(_subject(body), body["spec"])}

    async def _local_access(self, namespace: str, name: str, body: Document, options: WriteOptions) -> Document:
        body = checked_body(body, LocalSubjectAccessReview, options, f"{AUTHORIZATION}/v1")
        attributes = (body.get("spec") or {}).get("resourceAttributes") or {}
        if attributes.get("namespace") != namespace:
            raise failures.bad_request("spec.resourceAttributes.namespace must match the namespace of the request")
        return {**body, "status": self._decide(_subject(body), body["spec"])}

    async def _rules(self, namespace: str, name: str, body: Document, options: WriteOptions) -> Document:
        body = checked_body(body, SelfSubjectRulesReview, options, f"{AUTHORIZATION}/v1")
        wanted = (body.get("spec") or {}).get("namespace", "")
        if not wanted:
            raise failures.bad_request("no namespace on request: spec.namespace is required")
        rules = self._access.authorizer.rules_for(options.user, wanted)
        status: Document = {
            "resourceRules": [dict(each) for each in rules.resource],
            "nonResourceRules": [dict(each) for each in rules.non_resource],
            "incomplete": rules.incomplete,
        }
        if rules.error:
            status["evaluationError"] = rules.error
        return {**body, "status": status}

    def _decide(self, user: User, spec: Mapping[str, Any]) -> Document:
        on, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
        if (on is None) == (path is None):
            raise failures.bad_request("spec must have exactly one of resourceAttributes and nonResourceAttributes")
        if on is not None:
            attributes = AccessAttributes(
                user,
                on.get("verb", ""),
                on.get("group", ""),
                on.get("version", ""),
                on.get("resource", ""),
                on.get("subresource", ""),
                on.get("namespace", ""),
                on.get("name", ""),
            )
        else:
            assert path is not None
            attributes = AccessAttributes(user, path.get("verb", ""), path=path.get("path", ""), is_resource=False)
        decision = self._access.authorizer.authorize(attributes)
        status: Document = {"allowed": decision.allowed}
        if decision.verdict is Verdict.DENY:
            status["denied"] = True
        if decision.reason:
            status["reason"] = decision.reason
        return status


def user_info(user: User) -> Document:
    """authentication/v1 UserInfo."""
    info: Document = {"username": user.name}
    if user.uid:
        info["uid"] = user.uid
    if user.groups:
        info["groups"] = list(user.groups)
    if user.extra:
        info["extra"] = {key: list(values) for key, values in user.extra.items()}
    return info


def _subject(body: Mapping[str, Any]) -> User:
    spec = body.get("spec") or {}
    if not spec.get("user") and not spec.get("groups"):
        raise failures.bad_request("at least one of spec.user and spec.groups must be given")
    extra = {key: tuple(values) for key, values in (spec.get("extra") or {}).items()}
    return User(spec.get("user", ""), spec.get("uid", ""), tuple(spec.get("groups") or ()), extra)
