"""Questions about who somebody is and what they may do: the reviews of authentication and authorization.

Each is an action (see `actions`): the request's spec comes back with its status. Not here: the answers themselves, and
what an access review's spec must say (`access_specs`).
"""

from __future__ import annotations

from collections.abc import Mapping

from proa.api.authentication_v1 import SelfSubjectReview, TokenReview
from proa.api.authorization_v1 import (
    LocalSubjectAccessReview,
    SelfSubjectAccessReview,
    SelfSubjectRulesReview,
    SubjectAccessReview,
)
from proa.apiserver import access_specs
from proa.apiserver.access import Access
from proa.apiserver.actions import Action, checked_body
from proa.apiserver.identity import Credentials, User, Verdict
from proa.apiserver.metadata import Document
from proa.apiserver.options import WriteOptions
from proa.machinery import status as failures
from proa.machinery.declare import Object
from proa.machinery.fields import ErrorList, Path

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
        wanted = tuple(spec.get("audiences") or ())
        credentials = Credentials(spec["token"], audiences=wanted)
        try:
            user = await self._access.authenticator.authenticate(credentials)
        except failures.StatusError as error:
            if not failures.is_unauthorized(error):
                raise
            return {**body, "status": {"user": {}, "error": error.message}}
        own = self._access.audiences
        granted = credentials.remarks.audiences
        if granted is None:  # who knows of no audiences speaks for this server's
            granted = tuple(each for each in wanted or own if each in own)
        if user is None or (wanted and not granted):
            return {**body, "status": {"user": {}}}
        status: Document = {"authenticated": True, "user": user_info(user)}
        if granted:
            status["audiences"] = list(granted)
        return {**body, "status": status}

    async def _self_access(self, namespace: str, name: str, body: Document, options: WriteOptions) -> Document:
        body = _checked(body, SelfSubjectAccessReview, options)
        return {**body, "status": await self._decide(options.user, body["spec"])}

    async def _access_of(self, namespace: str, name: str, body: Document, options: WriteOptions) -> Document:
        body = _checked(body, SubjectAccessReview, options)
        return {**body, "status": await self._decide(access_specs.subject(body["spec"]), body["spec"])}

    async def _local_access(self, namespace: str, name: str, body: Document, options: WriteOptions) -> Document:
        said = body.setdefault("metadata", {}).setdefault("namespace", namespace)
        if said != namespace:
            raise failures.bad_request(f"spec.resourceAttributes.namespace must match namespace: {namespace}")
        body = _checked(body, LocalSubjectAccessReview, options)
        return {**body, "status": await self._decide(access_specs.subject(body["spec"]), body["spec"])}

    async def _rules(self, namespace: str, name: str, body: Document, options: WriteOptions) -> Document:
        body = checked_body(body, SelfSubjectRulesReview, options, f"{AUTHORIZATION}/v1")
        wanted = (body.get("spec") or {}).get("namespace", "")
        if not wanted:
            raise failures.bad_request("no namespace on request")
        rules = self._access.authorizer.rules_for(options.user, wanted)
        status: Document = {
            "resourceRules": [dict(each) for each in rules.resource],
            "nonResourceRules": [dict(each) for each in rules.non_resource],
            "incomplete": rules.incomplete,
        }
        if rules.error:
            status["evaluationError"] = rules.error
        return {**body, "status": status}

    async def _decide(self, user: User, spec: Document) -> Document:
        attributes, fault = access_specs.attributes_of(user, spec)
        decision = await self._access.authorizer.decide(attributes)
        status: Document = {"allowed": decision.allowed}
        if decision.verdict is Verdict.DENY:
            status["denied"] = True
        if decision.reason:
            status["reason"] = decision.reason
        faults = [each for each in (decision.error, fault) if each]
        if faults:
            status["evaluationError"] = "; ".join(faults)
        return status


def _checked(body: Document, kind: type[Object], options: WriteOptions) -> Document:
    """The valid body of an access review, with a spec. Raises StatusError 400, 422."""
    body = checked_body(body, kind, options, f"{AUTHORIZATION}/v1")
    local, own = kind is LocalSubjectAccessReview, kind is SelfSubjectAccessReview
    spec, errors = body.setdefault("spec", {}), ErrorList()
    access_specs.validate(spec, errors, names_subject=not own)
    meta = body.get("metadata") or {}
    if any(value for name, value in meta.items() if name != "managedFields" and not (local and name == "namespace")):
        errors.invalid(Path("metadata"), meta, "must be empty except for namespace" if local else "must be empty")
    if local:
        on, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
        if on is not None and on.get("namespace", "") != meta.get("namespace"):
            where = Path("spec", "resourceAttributes", "namespace")
            errors.invalid(where, on.get("namespace", ""), "must match metadata.namespace")
        if path is not None:
            errors.invalid(Path("spec", "nonResourceAttributes"), path, "disallowed on this kind of request")
    if errors:
        raise failures.invalid(AUTHORIZATION, kind.__name__, "", errors)
    return body


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
