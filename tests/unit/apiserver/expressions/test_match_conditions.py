# ruff: noqa: E501 (tables of expressions)

from __future__ import annotations

from typing import Any

import pytest

from proa.api.admissionregistration_v1 import MatchCondition
from proa.api.core_v1.resources import CONFIG_MAPS
from proa.apiserver.admission import Attributes
from proa.apiserver.expressions.match_conditions import Match, MatchConditions, validate_match_conditions
from proa.apiserver.identity import UNKNOWN, AccessAttributes, Decision, SubjectRules, User, Verdict
from proa.machinery.fields import ErrorList, Path


class _Slow:
    """Answers nothing from memory, and allows `get`."""

    generation = 0

    def __init__(self) -> None:
        self.asked: list[AccessAttributes] = []

    def authorize(self, attributes: AccessAttributes) -> Decision:
        return UNKNOWN

    async def decide(self, attributes: AccessAttributes) -> Decision:
        self.asked.append(attributes)
        return Decision(Verdict.ALLOW if attributes.verb == "get" else Verdict.NO_OPINION, "said so")

    def rules_for(self, user: User, namespace: str) -> SubjectRules:
        return SubjectRules()


def _attributes() -> Attributes:
    document = {"metadata": {"name": "n", "labels": {"a": "b"}}, "data": {"k": "v"}}
    return Attributes("CREATE", CONFIG_MAPS, "", "ns", "n", document, None, User("alice", groups=("g",)))


async def _evaluate(*expressions: str, authorizer: Any = None) -> Match:
    conditions = [{"name": f"c{place}", "expression": each} for place, each in enumerate(expressions)]
    return await MatchConditions(conditions, authorizer).evaluate(_attributes())


@pytest.mark.parametrize(
    "expression",
    [
        "request.operation == 'CREATE' && request.resource.resource == 'configmaps' && request.kind.kind == 'ConfigMap'",
        "request.userInfo.username == 'alice' && 'g' in request.userInfo.groups && !has(request.userInfo.uid)",
        "request.name == 'n' && request.namespace == 'ns' && !request.dryRun && !has(request.subResource)",
        "object.data.k == 'v' && oldObject == null && object.metadata.labels['a'] == 'b'",
    ],
)
async def test_conditions_see_the_request_and_its_objects(expression: str) -> None:
    assert await _evaluate(expression) == Match(True)


async def test_one_false_condition_decides_whatever_else_fails() -> None:
    assert await _evaluate("object.nothing == 1", "false") == Match(False)


async def test_a_condition_without_a_value_is_an_error() -> None:
    match = await _evaluate("true", "object.nothing == 1")
    assert match == Match(False, "expression 'object.nothing == 1' resulted in error: no such key: nothing")


async def test_conditions_together_have_a_budget() -> None:
    check = "authorizer.group('').resource('pods').check('get').allowed()"
    match = await _evaluate(*[f"{check} && {check}"] * 5)
    assert match.error == "validation failed due to running out of cost budget, no further validation rules will be run"


async def test_an_authorizer_that_has_to_ask_is_waited_for() -> None:
    authorizer = _Slow()
    own = "authorizer.requestResource.check('get').allowed()"
    other = "!authorizer.serviceAccount('ns', 'sa').path('/healthz').check('post').allowed()"
    assert await _evaluate(f"{own} && {other}", authorizer=authorizer) == Match(True)
    assert [(each.user.name, each.verb, each.resource, each.path) for each in authorizer.asked] == [
        ("alice", "get", "configmaps", ""),
        ("system:serviceaccount:ns:sa", "post", "", "/healthz"),
    ]


def test_conditions_are_checked_when_they_are_written() -> None:
    errors = ErrorList()
    conditions = [
        MatchCondition(name="a", expression="true"),
        MatchCondition(name="a", expression="1"),
        MatchCondition(name="", expression="nobody == 1"),
        MatchCondition(name="not/a/name", expression=" "),
    ]
    validate_match_conditions(conditions, Path("webhooks").index(0).child("matchConditions"), errors)
    assert [str(each).partition(" (e.g.")[0] for each in errors] == [
        'webhooks[0].matchConditions[1].expression: Invalid value: "1": must evaluate to bool but got int',
        'webhooks[0].matchConditions[1].name: Duplicate value: "a"',
        'webhooks[0].matchConditions[2].expression: Invalid value: "nobody == 1": compilation failed: ERROR: <input>:1:1: '
        "undeclared reference to 'nobody' (in container '')\n | nobody == 1\n | ^",
        "webhooks[0].matchConditions[2].name: Required value",
        "webhooks[0].matchConditions[3].expression: Required value",
        'webhooks[0].matchConditions[3].name: Invalid value: "not/a/name": a valid label key must consist of alphanumeric '
        "characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    ]
