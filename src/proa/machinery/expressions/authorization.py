"""`authorizer.group('apps').resource('deployments').check('create').allowed()`: questions to whoever authorizes.

A question is a value; who embeds an expression says how it is answered (`Authorizer.decide`), also for other users than
the one who asks. Not here: the answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from proa.lang.cel.cost import LIST as LIST_COST
from proa.lang.cel.cost import STRUCT, TRAVERSAL, Estimate, Fixed, Operand, Range, exactly
from proa.lang.cel.errors import EvaluationError
from proa.lang.cel.functions import Function, Library, function, member
from proa.lang.cel.types import BOOL, STRING, Type, opaque
from proa.lang.cel.values import charged_size
from proa.machinery import names

AUTHORIZER_TYPE = opaque("kubernetes.authorization.Authorizer")
PATH_TYPE = opaque("kubernetes.authorization.PathCheck")
GROUP_TYPE = opaque("kubernetes.authorization.GroupCheck")
RESOURCE_TYPE = opaque("kubernetes.authorization.ResourceCheck")
DECISION_TYPE = opaque("kubernetes.authorization.Decision")

_CHECK_COST = 350_000
"""So much that one expression can afford two."""


@dataclass(frozen=True, slots=True)
class Question:
    """May they? service_account: namespace and name of whom it is about, else the user of the request. path: instead
    of a resource."""

    verb: str
    service_account: tuple[str, str] | None = None
    path: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    field_selector: str = ""
    label_selector: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """error: why there was no answer."""

    allowed: bool
    reason: str = ""
    error: str = ""
    cel_type: ClassVar[Type] = DECISION_TYPE


Decide = Callable[[Question], Decision]


@dataclass(frozen=True, slots=True)
class Authorizer:
    """The variable `authorizer`."""

    decide: Decide
    service_account: tuple[str, str] | None = None
    cel_type: ClassVar[Type] = AUTHORIZER_TYPE


@dataclass(frozen=True, slots=True)
class PathCheck:
    authorizer: Authorizer
    path: str
    cel_type: ClassVar[Type] = PATH_TYPE


@dataclass(frozen=True, slots=True)
class GroupCheck:
    authorizer: Authorizer
    group: str
    cel_type: ClassVar[Type] = GROUP_TYPE


@dataclass(frozen=True, slots=True)
class ResourceCheck:
    """The variable `authorizer.requestResource`, and what `resource(...)` makes. The question has no verb yet."""

    authorizer: Authorizer
    question: Question
    cel_type: ClassVar[Type] = RESOURCE_TYPE


def _path(authorizer: Authorizer, path: str) -> PathCheck:
    if not path.strip():
        raise EvaluationError("path must not be empty")
    return PathCheck(authorizer, path)


def _service_account(authorizer: Authorizer, namespace: str, name: str) -> Authorizer:
    if names.dns1123_subdomain(name):
        raise EvaluationError("Invalid service account name")
    if names.dns1123_label(namespace):
        raise EvaluationError("Invalid service account namespace")
    return replace(authorizer, service_account=(namespace, name))


def _resource(check: GroupCheck, resource: str) -> ResourceCheck:
    if not resource.strip():
        raise EvaluationError("resource must not be empty")
    question = Question("", check.authorizer.service_account, group=check.group, resource=resource)
    return ResourceCheck(check.authorizer, question)


def _check_path(check: PathCheck, verb: str) -> Decision:
    return check.authorizer.decide(Question(verb, check.authorizer.service_account, path=check.path))


def _check_resource(check: ResourceCheck, verb: str) -> Decision:
    return check.authorizer.decide(replace(check.question, verb=verb))


@dataclass(frozen=True, slots=True)
class _Selector:
    """A selector is read into a list of requirements."""

    def actual(self, operands: Sequence[Any], result: Any) -> int:
        return self._of(exactly(charged_size(operands[1]))).high

    def estimate(self, operands: Sequence[Operand]) -> Estimate:
        return Estimate(self._of(operands[1].size))

    def _of(self, length: Range) -> Range:
        return exactly(LIST_COST).plus(length.by(TRAVERSAL)).plus(length.by(0.5).by(LIST_COST + STRUCT))


_NOMINAL = Fixed()
_SELECTOR = _Selector()


def _narrowed(name: str, cost: Fixed | _Selector = _NOMINAL) -> Function:
    field = {"fieldSelector": "field_selector", "labelSelector": "label_selector"}.get(name, name)

    def narrow(check: ResourceCheck, value: str) -> ResourceCheck:
        changed: dict[str, Any] = {field: value}
        return replace(check, question=replace(check.question, **changed))

    return function(name, member(f"resourcecheck_{name}", (RESOURCE_TYPE, STRING), RESOURCE_TYPE, narrow), cost=cost)


def _told(name: str, result: Type, of: Callable[[Decision], Any]) -> Function:
    return function(name, member(f"decision_{name}", (DECISION_TYPE,), result, of), cost=_NOMINAL)


AUTHORIZATION = Library(
    (
        function("path", member("authorizer_path", (AUTHORIZER_TYPE, STRING), PATH_TYPE, _path), cost=_NOMINAL),
        function("group", member("authorizer_group", (AUTHORIZER_TYPE, STRING), GROUP_TYPE, GroupCheck), cost=_NOMINAL),
        function(
            "serviceAccount",
            member("authorizer_serviceaccount", (AUTHORIZER_TYPE, STRING, STRING), AUTHORIZER_TYPE, _service_account),
            cost=_NOMINAL,
        ),
        function(
            "resource", member("groupcheck_resource", (GROUP_TYPE, STRING), RESOURCE_TYPE, _resource), cost=_NOMINAL
        ),
        _narrowed("subresource"),
        _narrowed("namespace"),
        _narrowed("name"),
        _narrowed("fieldSelector", _SELECTOR),
        _narrowed("labelSelector", _SELECTOR),
        function(
            "check",
            member("pathcheck_check", (PATH_TYPE, STRING), DECISION_TYPE, _check_path),
            member("resourcecheck_check", (RESOURCE_TYPE, STRING), DECISION_TYPE, _check_resource),
            cost=Fixed(_CHECK_COST),
        ),
        _told("allowed", BOOL, lambda each: each.allowed),
        _told("reason", STRING, lambda each: each.reason),
        _told("errored", BOOL, lambda each: bool(each.error)),
        _told("error", STRING, lambda each: each.error),
    ),
    {each.name: each for each in (AUTHORIZER_TYPE, PATH_TYPE, GROUP_TYPE, RESOURCE_TYPE, DECISION_TYPE)},
)
