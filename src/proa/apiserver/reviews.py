"""Questions about who somebody is and what they may do: the reviews of authentication and authorization.

Each is an action (see `actions`): the request's spec comes back with its status. They pass admission like any other
create, but for policies in CEL, which leave these groups alone. Not here: the answers themselves, and what an access
review's spec must say (`access_specs`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from proa.api.authentication_v1.resources import SELF_SUBJECT_REVIEWS, TOKEN_REVIEWS
from proa.api.authorization_v1.resources import (
    LOCAL_SUBJECT_ACCESS_REVIEWS,
    SELF_SUBJECT_ACCESS_REVIEWS,
    SELF_SUBJECT_RULES_REVIEWS,
    SUBJECT_ACCESS_REVIEWS,
)
from proa.apiserver import access_specs, metadata
from proa.apiserver.access import Access
from proa.apiserver.actions import Action, check_facts, shaped_body
from proa.apiserver.admission import Chain
from proa.apiserver.identity import Credentials, User, Verdict
from proa.apiserver.metadata import Document
from proa.apiserver.options import WriteOptions
from proa.apiserver.registry.admitting import Admitting
from proa.machinery import status as failures
from proa.machinery.fields import ErrorList, Path
from proa.machinery.resource import Resource

Check = Callable[[Document], None]
"""Refuses a review that asks nothing definite. Raises StatusError."""

Answer = Callable[[Document, User], Awaitable[Document]]
"""(review, who asks) -> its status."""


class Reviews:
    """The reviews, answered by what guards this server, after `chain` has let them pass."""

    def __init__(self, access: Access, chain: Chain) -> None:
        self._access = access
        self._chain = chain

    def actions(self) -> Mapping[Resource[Any], Action]:
        """By resource."""
        reviews: tuple[tuple[Resource[Any], Check, Answer], ...] = (
            (SELF_SUBJECT_REVIEWS, _anything, self._who_am_i),
            (TOKEN_REVIEWS, _check_token, self._token),
            (SELF_SUBJECT_ACCESS_REVIEWS, _check_self_access, self._self_access),
            (SUBJECT_ACCESS_REVIEWS, _check_access, self._access_of),
            (LOCAL_SUBJECT_ACCESS_REVIEWS, _check_local_access, self._access_of),
            (SELF_SUBJECT_RULES_REVIEWS, _check_rules, self._rules),
        )
        return {resource: self._action(resource, check, answer) for resource, check, answer in reviews}

    def _action(self, resource: Resource[Any], check: Check, answer: Answer) -> Action:
        """The steps of every review, in the order of a create: shape, mutating admission, checks, validating one."""
        admission = Admitting(resource, self._chain.of(resource))

        async def review(namespace: str, name: str, body: Document, options: WriteOptions) -> Document:
            body = shaped_body(body, resource.type, options, resource.api_version)
            meta = metadata.of(body)
            metadata.match_namespace(resource, meta, namespace)
            attributes = admission.attributes("CREATE", "", namespace, meta.get("name", ""), body, options)
            await admission.mutate(attributes)
            check_facts(body, resource.type)
            check(body)
            await admission.validate(attributes)
            return {**body, "status": await answer(body, options.user)}

        return review

    async def _who_am_i(self, review: Document, user: User) -> Document:
        return {"userInfo": user_info(user)}

    async def _token(self, review: Document, user: User) -> Document:
        spec = review["spec"]
        wanted = tuple(spec.get("audiences") or ())
        credentials = Credentials(spec["token"], audiences=wanted)
        try:
            found = await self._access.authenticator.authenticate(credentials)
        except failures.StatusError as error:
            if not failures.is_unauthorized(error):
                raise
            return {"user": {}, "error": error.message}
        own = self._access.audiences
        granted = credentials.remarks.audiences
        if granted is None:  # who knows of no audiences speaks for this server's
            granted = tuple(each for each in wanted or own if each in own)
        if found is None or (wanted and not granted):
            return {"user": {}}
        status: Document = {"authenticated": True, "user": user_info(found)}
        if granted:
            status["audiences"] = list(granted)
        return status

    async def _self_access(self, review: Document, user: User) -> Document:
        return await self._decide(user, review["spec"])

    async def _access_of(self, review: Document, user: User) -> Document:
        return await self._decide(access_specs.subject(review["spec"]), review["spec"])

    async def _rules(self, review: Document, user: User) -> Document:
        rules = self._access.authorizer.rules_for(user, review["spec"]["namespace"])
        status: Document = {
            "resourceRules": [dict(each) for each in rules.resource],
            "nonResourceRules": [dict(each) for each in rules.non_resource],
            "incomplete": rules.incomplete,
        }
        if rules.error:
            status["evaluationError"] = rules.error
        return status

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


def _anything(review: Document) -> None:
    """There is nothing to ask for."""


def _check_token(review: Document) -> None:
    if not (review.get("spec") or {}).get("token"):
        raise failures.bad_request("token is required for TokenReview in authentication")


def _check_rules(review: Document) -> None:
    if not (review.get("spec") or {}).get("namespace"):
        raise failures.bad_request("no namespace on request")


def _check_self_access(review: Document) -> None:
    errors = _access_errors(review, names_subject=False)
    _raise(review, errors)


def _check_access(review: Document) -> None:
    errors = _access_errors(review, names_subject=True)
    _raise(review, errors)


def _check_local_access(review: Document) -> None:
    errors = _access_errors(review, names_subject=True, local=True)
    spec, namespace = review["spec"], review["metadata"].get("namespace")
    on, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if on is not None and on.get("namespace", "") != namespace:
        where = Path("spec", "resourceAttributes", "namespace")
        errors.invalid(where, on.get("namespace", ""), "must match metadata.namespace")
    if path is not None:
        errors.invalid(Path("spec", "nonResourceAttributes"), path, "disallowed on this kind of request")
    _raise(review, errors)


def _access_errors(review: Document, *, names_subject: bool, local: bool = False) -> ErrorList:
    """What is wrong with an access review of any kind."""
    errors, meta = ErrorList(), review["metadata"]
    access_specs.validate(review.setdefault("spec", {}), errors, names_subject=names_subject)
    if any(value for name, value in meta.items() if name != "managedFields" and not (local and name == "namespace")):
        errors.invalid(Path("metadata"), meta, "must be empty except for namespace" if local else "must be empty")
    return errors


def _raise(review: Document, errors: ErrorList) -> None:
    if errors:
        raise failures.invalid(LOCAL_SUBJECT_ACCESS_REVIEWS.group, review["kind"], "", errors)


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
