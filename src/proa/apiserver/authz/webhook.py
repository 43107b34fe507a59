"""Webhook authorization: another service says who may do what (authorization.k8s.io SubjectAccessReview)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from proa.aio.clock import Clock
from proa.api.authorization_v1 import SubjectAccessReview, SubjectAccessReviewStatus
from proa.apiserver.identity import NO_OPINION, UNKNOWN, AccessAttributes, Decision, SubjectRules, User, Verdict
from proa.apiserver.remembering import Expiring
from proa.apiserver.webhooks.client import WebhookFailure
from proa.apiserver.webhooks.kubeconfig import TIMEOUT, KubeconfigWebhook
from proa.base.errors import ProaError
from proa.machinery.field_selectors import parse_fields
from proa.machinery.selectors import SelectorError, parse_labels

log = logging.getLogger(__name__)

# A question larger than this is not remembered: somebody may fill memory with long names.
_LARGEST = 10_000
_LABEL_OPERATORS = {"in": "In", "=": "In", "==": "In", "notin": "NotIn", "!=": "NotIn", "exists": "Exists"}


class Conditions(Protocol):
    """Whether a webhook is to be asked at all (`match_conditions`)."""

    def hold(self, spec: Mapping[str, Any]) -> bool:
        """For a SubjectAccessReview's spec (v1). Raises ProaError where that cannot be said."""


class WebhookAuthorizer:
    """allowed, refused: seconds for which such answers are remembered. on_failure: the verdict without an answer.
    timeout: seconds to wait for one. conditions: which requests it is asked about, None for all."""

    def __init__(
        self,
        webhook: KubeconfigWebhook,
        clock: Clock,
        *,
        version: str = "v1",
        allowed: float = 300.0,
        refused: float = 30.0,
        on_failure: Verdict = Verdict.NO_OPINION,
        timeout: float = TIMEOUT,
        conditions: Conditions | None = None,
    ) -> None:
        self._webhook = webhook
        self._version = f"authorization.k8s.io/{version}"
        self._groups = "group" if version == "v1beta1" else "groups"
        self._timeout = timeout
        self._conditions = conditions
        self._seconds = {True: allowed, False: refused}
        self._on_failure = on_failure
        self._answers: Expiring[bytes, Decision] = Expiring(clock.monotonic)

    @property
    def generation(self) -> int:
        return 0

    def authorize(self, attributes: AccessAttributes) -> Decision:
        question = self._question(attributes)
        if isinstance(question, Decision):
            return question
        return self._answers.get(question) or UNKNOWN

    async def decide(self, attributes: AccessAttributes) -> Decision:
        question = self._question(attributes)
        if isinstance(question, Decision):
            return question
        return self._answers.get(question) or await self._ask(question)

    def rules_for(self, user: User, namespace: str) -> SubjectRules:
        return SubjectRules(incomplete=True, error="webhook authorizer does not support user rule resolution")

    async def _ask(self, question: bytes) -> Decision:
        body = {
            "kind": "SubjectAccessReview",
            "apiVersion": self._version,
            "metadata": {},
            "spec": msgspec.json.decode(question),
            "status": {"allowed": False},
        }
        try:
            answer = await self._webhook.ask(body, self._timeout)
            if answer.get("kind") != "SubjectAccessReview" or answer.get("apiVersion") != self._version:
                raise WebhookFailure(f"the answer is no SubjectAccessReview of {self._version}")
            status = msgspec.convert(answer, _Review).status
        except (WebhookFailure, msgspec.ValidationError) as error:
            log.error("failed to make webhook authorizer request: %s", error)
            return Decision(self._on_failure, lasting=False, error=str(error))
        if status.allowed and status.denied:
            why = "webhook subject access review returned both allow and deny response"
            return Decision(Verdict.DENY, lasting=False, error=why)
        verdict = Verdict.ALLOW if status.allowed else Verdict.DENY if status.denied else Verdict.NO_OPINION
        decision = Decision(verdict, status.reason, lasting=False, error=status.evaluationError)
        if len(question) <= _LARGEST:
            self._answers.put(question, decision, self._seconds[status.allowed])
        return decision

    def _question(self, attributes: AccessAttributes) -> bytes | Decision:
        """The spec of the review (the same question has the same bytes), or the decision not to ask."""
        spec = _spec(attributes)
        if self._conditions is not None:
            try:
                if not self._conditions.hold(spec):
                    return NO_OPINION
            except ProaError as error:
                return Decision(self._on_failure, error=str(error))
        if "groups" in spec:
            spec[self._groups] = spec.pop("groups")
        return msgspec.json.encode(spec, order="deterministic")


def _spec(attributes: AccessAttributes) -> dict[str, Any]:
    """What is asked, as SubjectAccessReviewSpec (v1)."""
    user = attributes.user
    spec: dict[str, Any] = {}
    if attributes.is_resource:
        said = {
            "namespace": attributes.namespace,
            "verb": attributes.verb,
            "group": attributes.group,
            "version": attributes.version,
            "resource": attributes.resource,
            "subresource": attributes.subresource,
            "name": attributes.name,
            "fieldSelector": _fields(attributes.field_selector),
            "labelSelector": _labels(attributes.label_selector),
        }
        spec["resourceAttributes"] = {key: value for key, value in said.items() if value}
    else:
        spec["nonResourceAttributes"] = {"path": attributes.path, "verb": attributes.verb}
    about: dict[str, Any] = {
        "user": user.name,
        "groups": list(user.groups),
        "extra": {key: list(values) for key, values in user.extra.items()},
        "uid": user.uid,
    }
    return spec | {key: value for key, value in about.items() if value}


class _Review(msgspec.Struct):
    """What of an answer counts."""

    status: SubjectAccessReviewStatus = SubjectAccessReview().status


def _fields(text: str) -> dict[str, Any] | None:
    """A selector as a review says it; None for none, and for one that cannot be read, which only asks for more."""
    try:
        requirements = parse_fields(text).requirements if text else ()
    except SelectorError:
        return None
    found = [
        {"key": field, "operator": "In" if sign == "=" else "NotIn", "values": [value]}
        for field, sign, value in requirements
    ]
    return {"requirements": found} if found else None


def _labels(text: str) -> dict[str, Any] | None:
    try:
        requirements = parse_labels(text).requirements if text else ()
    except SelectorError:
        return None
    found = []
    for each in requirements:
        if each.operator in ("gt", "lt"):
            continue  # a review has no word for these
        said: dict[str, Any] = {"key": each.key, "operator": _LABEL_OPERATORS.get(each.operator, "DoesNotExist")}
        found.append(said | ({"values": list(each.values)} if each.values else {}))
    return {"requirements": found} if found else None
