"""The reviews: who is somebody, what may they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.apiserver.conftest import options

from proa.api.authentication_v1.resources import SELF_SUBJECT_REVIEWS, TOKEN_REVIEWS
from proa.api.authorization_v1.resources import (
    LOCAL_SUBJECT_ACCESS_REVIEWS,
    SELF_SUBJECT_ACCESS_REVIEWS,
    SELF_SUBJECT_RULES_REVIEWS,
    SUBJECT_ACCESS_REVIEWS,
)
from proa.apiserver.admission import Attributes
from proa.apiserver.compose import ApiServer
from proa.apiserver.identity import (
    AUTHENTICATED,
    AccessAttributes,
    Credentials,
    DecidesFromMemory,
    Decision,
    SubjectRules,
    User,
    Verdict,
)
from proa.machinery.status import StatusError

OWN = "https://own"


class Recorded(DecidesFromMemory):
    """Answers `decision`, remembers what it was asked."""

    generation = 0

    def __init__(self, decision: Decision) -> None:
        self.decision = decision
        self.asked: list[AccessAttributes] = []

    def authorize(self, attributes: AccessAttributes) -> Decision:
        self.asked.append(attributes)
        return self.decision

    def rules_for(self, user: User, namespace: str) -> SubjectRules:
        return SubjectRules(({"verbs": ["get"]},), (), incomplete=True, error="not all")


class ForAudiences:
    """`aware` is a token for the audiences x and y; `unaware` is from one who knows of no audiences."""

    async def authenticate(self, credentials: Credentials) -> User | None:
        if credentials.token == "aware":
            wanted = credentials.audiences or (OWN,)
            credentials.remarks.audiences = tuple(each for each in wanted if each in ("x", "y", OWN))
        return User("u", groups=(AUTHENTICATED,)) if credentials.token in ("aware", "unaware") else None


async def review(server: ApiServer, resource: Any, spec: dict[str, Any], namespace: str = "", **meta: Any) -> Any:
    body = {"metadata": meta, "spec": spec}
    return (await server.post(resource, namespace, "", "", body, options()))["status"]


@pytest.fixture
def recorded(server: ApiServer) -> Recorded:
    authorizer = Recorded(Decision(Verdict.DENY, "no", error="broken"))
    server.install(authenticators=[ForAudiences()], authorizers=[authorizer], audiences=(OWN,))
    return authorizer


PODS: dict[str, Any] = {"verb": "list", "resource": "pods", "namespace": "ns"}


async def test_an_access_review_tells_decision_reason_and_error(server: ApiServer, recorded: Recorded) -> None:
    status = await review(server, SUBJECT_ACCESS_REVIEWS, {"user": "u", "resourceAttributes": PODS})
    assert status == {"allowed": False, "denied": True, "reason": "no", "evaluationError": "broken"}
    assert recorded.asked == [AccessAttributes(User("u"), "list", version="*", resource="pods", namespace="ns")]


@pytest.mark.parametrize(
    ("attributes", "fields", "labels"),
    [
        ({"fieldSelector": {"rawSelector": "spec.nodeName=n"}}, "spec.nodeName=n", ""),
        (
            {"fieldSelector": {"requirements": [{"key": "a", "operator": "NotIn", "values": ["b"]}]}},
            "a!=b",
            "",
        ),
        (
            {"labelSelector": {"requirements": [{"key": "a", "operator": "In", "values": ["c", "b"]}]}},
            "",
            "a in (b,c)",
        ),
    ],
)
async def test_selectors_reach_the_authorizer(
    server: ApiServer, recorded: Recorded, attributes: dict[str, Any], fields: str, labels: str
) -> None:
    await review(server, SUBJECT_ACCESS_REVIEWS, {"user": "u", "resourceAttributes": PODS | attributes})
    assert (recorded.asked[0].field_selector, recorded.asked[0].label_selector) == (fields, labels)


async def test_a_selector_that_cannot_be_understood_is_left_out_and_told(server: ApiServer, recorded: Recorded) -> None:
    requirements = [{"key": "a", "operator": "Resembles"}, {"key": "b", "operator": "Exists"}]
    attributes = PODS | {"labelSelector": {"requirements": requirements}, "fieldSelector": {"rawSelector": "!!"}}
    status = await review(server, SUBJECT_ACCESS_REVIEWS, {"user": "u", "resourceAttributes": attributes})
    assert recorded.asked[0].label_selector == "b"
    assert status["evaluationError"] == (
        "broken; spec.resourceAttributes.fieldSelector ignored due to parse error; "
        "spec.resourceAttributes.labelSelector partially ignored due to parse error"
    )


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"user": "u"}, "exactly one of nonResourceAttributes or resourceAttributes must be specified"),
        (
            {"user": "u", "resourceAttributes": PODS, "nonResourceAttributes": {"path": "/"}},
            "cannot be specified in combination with resourceAttributes",
        ),
        ({"resourceAttributes": PODS}, "at least one of user or group must be specified"),
        ({"user": "u", "resourceAttributes": PODS | {"labelSelector": {}}}, "requirements or rawSelector is required"),
    ],
)
async def test_a_review_that_asks_nothing_definite_is_invalid(
    server: ApiServer, recorded: Recorded, spec: dict[str, Any], why: str
) -> None:
    with pytest.raises(StatusError, match=why) as refused:
        await review(server, SUBJECT_ACCESS_REVIEWS, spec)
    assert refused.value.code == 422


async def test_an_access_review_has_no_metadata(server: ApiServer, recorded: Recorded) -> None:
    with pytest.raises(StatusError, match=r"metadata: Invalid value.*must be empty"):
        await review(server, SUBJECT_ACCESS_REVIEWS, {"user": "u", "resourceAttributes": PODS}, name="x")


async def test_a_local_review_stays_in_its_namespace(server: ApiServer, recorded: Recorded) -> None:
    spec = {"user": "u", "resourceAttributes": PODS}
    await review(server, LOCAL_SUBJECT_ACCESS_REVIEWS, spec, "ns")
    with pytest.raises(StatusError, match=r"must match metadata.namespace"):
        await review(server, LOCAL_SUBJECT_ACCESS_REVIEWS, spec, "other")
    path = {"user": "u", "nonResourceAttributes": {"path": "/", "verb": "get"}}
    with pytest.raises(StatusError, match="disallowed on this kind of request"):
        await review(server, LOCAL_SUBJECT_ACCESS_REVIEWS, path, "ns")


async def test_a_rules_review_says_that_it_is_not_all(server: ApiServer, recorded: Recorded) -> None:
    body = {"spec": {"namespace": "ns"}}
    asking = options()
    asking.user = User("u")
    status = (await server.post(SELF_SUBJECT_RULES_REVIEWS, "", "", "", body, asking))["status"]
    assert status == {
        "resourceRules": [{"verbs": ["get"]}],
        "nonResourceRules": [],
        "incomplete": True,
        "evaluationError": "not all",
    }


@pytest.mark.parametrize(
    ("token", "wanted", "granted"),
    [
        ("aware", ["x", "z"], ["x"]),
        ("aware", [], [OWN]),
        ("aware", ["z"], None),
        ("unaware", [], [OWN]),
        ("unaware", [OWN, "x"], [OWN]),
        ("unaware", ["x"], None),
    ],
)
async def test_a_token_review_is_for_the_audiences_it_names(
    server: ApiServer, recorded: Recorded, token: str, wanted: list[str], granted: list[str] | None
) -> None:
    status = await review(server, TOKEN_REVIEWS, {"token": token, "audiences": wanted})
    assert status.get("authenticated", False) is (granted is not None)
    assert status.get("audiences") == granted


async def test_a_local_review_that_names_another_namespace_is_refused(server: ApiServer, recorded: Recorded) -> None:
    body = {"metadata": {"namespace": "other"}, "spec": {"user": "u", "resourceAttributes": PODS}}
    with pytest.raises(StatusError, match="does not match the namespace sent on the request") as refused:
        await server.post(LOCAL_SUBJECT_ACCESS_REVIEWS, "ns", "", "", body, options())
    assert refused.value.code == 400


class Watching:
    """An admission plugin that sees every write, changes it as `change` says, and refuses it if `refuses`."""

    name = "Watching"

    def __init__(self, change: Callable[[dict[str, Any]], None] = lambda _: None, refuses: str = "") -> None:
        self.change = change
        self.refuses = refuses
        self.seen: list[tuple[str, str, str, str]] = []

    def handles(self, resource: Any, subresource: str, operation: str) -> bool:
        return True

    async def mutate(self, attributes: Attributes) -> None:
        assert attributes.document is not None
        self.change(attributes.document)

    async def validate(self, attributes: Attributes) -> None:
        self.seen.append((attributes.operation, attributes.resource.qualified, attributes.namespace, attributes.name))
        if self.refuses:
            raise attributes.forbidden(self.refuses)


ASKED: list[tuple[Any, str, dict[str, Any]]] = [
    (TOKEN_REVIEWS, "", {"token": "aware"}),
    (SELF_SUBJECT_REVIEWS, "", {}),
    (SUBJECT_ACCESS_REVIEWS, "", {"user": "u", "resourceAttributes": PODS}),
    (SELF_SUBJECT_ACCESS_REVIEWS, "", {"resourceAttributes": PODS}),
    (LOCAL_SUBJECT_ACCESS_REVIEWS, "ns", {"user": "u", "resourceAttributes": PODS}),
    (SELF_SUBJECT_RULES_REVIEWS, "", {"namespace": "ns"}),
]


@pytest.mark.parametrize(("resource", "namespace", "spec"), ASKED, ids=[each[0].plural for each in ASKED])
async def test_a_review_is_answered_only_if_admission_lets_it_pass(
    server: ApiServer, recorded: Recorded, resource: Any, namespace: str, spec: dict[str, Any]
) -> None:
    body = {"spec": spec} if spec else {}
    plugin = Watching(refuses="not you")
    server.install(authorizers=[recorded], admission=[plugin])
    with pytest.raises(StatusError, match="not you") as refused:
        await server.post(resource, namespace, "", "", body, options())
    assert (refused.value.code, recorded.asked) == (403, [])
    assert plugin.seen == [("CREATE", resource.qualified, namespace, "")]


async def test_a_review_is_about_what_admission_made_of_it(server: ApiServer, recorded: Recorded) -> None:
    plugin = Watching(lambda document: document["spec"].update(user="changed"))
    server.install(authorizers=[recorded], admission=[plugin])
    await review(server, SUBJECT_ACCESS_REVIEWS, {"resourceAttributes": PODS})
    assert recorded.asked[0].user == User("changed")


async def test_admission_may_not_leave_a_review_that_asks_nothing(server: ApiServer, recorded: Recorded) -> None:
    plugin = Watching(lambda document: document["spec"].pop("resourceAttributes"))
    server.install(authorizers=[recorded], admission=[plugin])
    with pytest.raises(StatusError, match="exactly one of nonResourceAttributes or resourceAttributes") as refused:
        await review(server, SUBJECT_ACCESS_REVIEWS, {"user": "u", "resourceAttributes": PODS})
    assert (refused.value.code, plugin.seen) == (422, [])
