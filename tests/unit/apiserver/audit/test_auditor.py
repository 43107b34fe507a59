"""Requests as the audit log has them, over a listening server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import pytest
from tests.unit.apiserver.conftest import Tokens

from proa.api.core_v1.resources import CONFIG_MAPS
from proa.apiserver.admission import Attributes
from proa.apiserver.audit.auditor import BATCH, BLOCKING, STRICT, Auditor
from proa.apiserver.audit.bodies import Bodies
from proa.apiserver.audit.events import Document, Written
from proa.apiserver.audit.policy import Policy, Rule
from proa.apiserver.compose import ApiServer
from proa.apiserver.identity import AccessAttributes, DecidesFromMemory, Decision, SubjectRules, User, Verdict
from proa.machinery import protobuf

MAPS = "/api/v1/namespaces/default/configmaps"


class Kept:
    """A backend that keeps."""

    mode = BATCH

    def __init__(self) -> None:
        self.events: list[Document] = []

    def write(self, event: Document) -> Written | None:
        self.events.append(event)
        return None

    async def close(self) -> None:
        """Nothing to do."""


class Held(Kept):
    """A backend that writes down when it is told to, and as it is told."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode = mode
        self._held: asyncio.Queue[tuple[str, Written]] = asyncio.Queue()

    def write(self, event: Document) -> Written:
        super().write(event)
        written: Written = asyncio.get_running_loop().create_future()
        self._held.put_nowait((event["stage"], written))
        return written

    async def release(self, task: asyncio.Task[Any], *, stored: bool = True) -> str:
        """Let the next event be written down; its stage. Until then `task` waits."""
        stage, written = await self._held.get()
        for _ in range(20):
            await asyncio.sleep(0)
        assert not task.done()
        written.set_result(stored)
        return stage


class OnlyMaps(DecidesFromMemory):
    generation = 0

    def authorize(self, attributes: AccessAttributes) -> Decision:
        if attributes.resource in ("configmaps", "users"):
            return Decision(Verdict.ALLOW, "maps are free")
        return Decision(Verdict.NO_OPINION, "only maps")

    def rules_for(self, user: User, namespace: str) -> SubjectRules:
        return SubjectRules()


class Annotates:
    name = "Annotates"

    def handles(self, resource: Any, subresource: str, operation: str) -> bool:
        return True

    async def validate(self, attributes: Attributes) -> None:
        attributes.annotations["acme.com/seen"] = "yes"
        attributes.annotations["patch.webhook.admission.k8s.io/round_0_index_0"] = "what was changed"


class Wire:
    def __init__(self, server: ApiServer, kept: Kept, session: aiohttp.ClientSession) -> None:
        self.server, self.kept, self.session = server, kept, session

    async def send(self, method: str, path: str, token: str = "nobody", **more: Any) -> int:
        headers = {"Authorization": f"Bearer {token}", "User-Agent": "test/1", **more.pop("headers", {})}
        url = f"http://127.0.0.1:{self.server.port}{path}"
        async with self.session.request(method, url, headers=headers, **more) as response:
            await response.read()
            return response.status

    def stages(self) -> list[str]:
        return [each["stage"] for each in self.kept.events]


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
async def audited(server: ApiServer, request: pytest.FixtureRequest, kept: Kept) -> AsyncIterator[Wire]:
    rule = Rule(**getattr(request, "param", {"level": "Metadata"}))
    auditor = Auditor(Policy(rules=(rule,)), [kept], Bodies(server.resources), server.config.clock, server.families)
    server.install(authenticators=[Tokens()], authorizers=[OnlyMaps()], admission=[Annotates()])
    server.audit(auditor)
    await server.listen()
    async with aiohttp.ClientSession() as session:
        yield Wire(server, kept, session)


def level(name: str, **more: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("audited", [{"level": name, **more}], indirect=True)


async def test_a_request_is_written_down_when_it_comes_and_when_it_is_answered(audited: Wire) -> None:
    body = {"metadata": {"name": "m"}, "data": {"secret": "x"}}
    await audited.send("POST", f"{MAPS}?fieldManager=t", json=body, headers={"X-Forwarded-For": "10.1.1.1, bad"})
    first, last = audited.kept.events
    assert audited.stages() == ["RequestReceived", "ResponseComplete"]
    assert first["auditID"] == last["auditID"]
    assert "annotations" not in first
    assert {**last, "auditID": "", "stageTimestamp": "", "requestReceivedTimestamp": ""} == {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": "",
        "stage": "ResponseComplete",
        "requestURI": f"{MAPS}?fieldManager=t",
        "verb": "create",
        "user": {"username": "nobody", "groups": ["system:authenticated"]},
        "sourceIPs": ["10.1.1.1", "127.0.0.1"],
        "userAgent": "test/1",
        "objectRef": {"resource": "configmaps", "namespace": "default", "name": "m", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 201},
        "requestReceivedTimestamp": "",
        "stageTimestamp": "",
        "annotations": {
            "authorization.k8s.io/decision": "allow",
            "authorization.k8s.io/reason": "maps are free",
            "acme.com/seen": "yes",
        },
    }


async def test_a_remembered_decision_is_annotated_too(audited: Wire) -> None:
    for _ in range(2):
        await audited.send("GET", f"{MAPS}/none")
    notes = [each["annotations"] for each in audited.kept.events if each["stage"] == "ResponseComplete"]
    assert notes == [{"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": "maps are free"}] * 2


async def test_a_refusal_is_told_with_its_reason(audited: Wire) -> None:
    assert await audited.send("GET", "/api/v1/nodes") == 403
    event = audited.kept.events[-1]
    assert event["annotations"] == {
        "authorization.k8s.io/decision": "forbid",
        "authorization.k8s.io/reason": "only maps",
    }
    assert event["responseStatus"]["reason"] == "Forbidden"
    assert event["responseStatus"]["code"] == 403


async def test_who_is_not_known_is_written_down_once(audited: Wire) -> None:
    assert await audited.send("GET", MAPS, token="wrong") == 401
    (event,) = audited.kept.events
    assert (event["stage"], event["responseStatus"]["message"]) == ("ResponseStarted", "Authentication failed")
    assert event["user"] == {}


async def test_as_whom_somebody_acts_is_written_down(audited: Wire) -> None:
    await audited.send("GET", MAPS, headers={"Impersonate-User": "bob"})
    event = audited.kept.events[-1]
    assert event["user"]["username"] == "nobody"
    assert event["impersonatedUser"] == {"username": "bob", "groups": ["system:authenticated"]}


async def test_a_watch_is_written_down_when_it_begins_and_when_it_ends(audited: Wire) -> None:
    url = f"http://127.0.0.1:{audited.server.port}{MAPS}?watch=1"
    async with audited.session.get(url, headers={"Authorization": "Bearer nobody"}) as response:
        assert response.status == 200
        assert audited.stages() == ["RequestReceived", "ResponseStarted"]
        assert audited.kept.events[-1]["verb"] == "watch"
    async with asyncio.timeout(5):
        while len(audited.kept.events) < 3:  # noqa: ASYNC110  # the server notices when it reads
            await asyncio.sleep(0)
    assert audited.stages()[-1] == "ResponseComplete"


@level("Request")
async def test_at_level_request_the_body_is_there_and_the_answer_is_not(audited: Wire) -> None:
    await audited.send("POST", MAPS, json={"metadata": {"name": "m"}, "data": {"a": "b"}})
    event = audited.kept.events[-1]
    assert event["requestObject"] == {"metadata": {"name": "m"}, "data": {"a": "b"}}
    assert "responseObject" not in event
    assert event["annotations"]["patch.webhook.admission.k8s.io/round_0_index_0"] == "what was changed"
    patch = [{"op": "add", "path": "/data/c", "value": "d"}]
    await audited.send(
        "PATCH",
        f"{MAPS}/m",
        data=msgspec.json.encode(patch),
        headers={"Content-Type": "application/json-patch+json"},
    )
    assert audited.kept.events[-1]["requestObject"] == patch


@level("RequestResponse", omitManagedFields=True)
async def test_at_level_request_response_the_answer_is_there_too(audited: Wire) -> None:
    await audited.send("POST", MAPS, json={"metadata": {"name": "m"}, "data": {"a": "b"}})
    answer = audited.kept.events[-1]["responseObject"]
    assert answer["data"] == {"a": "b"}
    assert answer["metadata"]["uid"]
    assert "managedFields" not in answer["metadata"]
    await audited.send("GET", MAPS)
    (item,) = audited.kept.events[-1]["responseObject"]["items"]
    assert "managedFields" not in item["metadata"]


@level("RequestResponse")
async def test_protobuf_is_written_down_as_json(audited: Wire) -> None:
    kind = "application/vnd.kubernetes.protobuf"
    from proa.api.core_v1 import ConfigMap
    from proa.machinery.meta import ObjectMeta

    body = protobuf.encode(ConfigMap(metadata=ObjectMeta(name="m"), data={"a": "b"}))
    headers = {"Content-Type": kind, "Accept": kind}
    assert await audited.send("POST", MAPS, data=body, headers=headers) == 201
    event = audited.kept.events[-1]
    assert event["requestObject"]["data"] == event["responseObject"]["data"] == {"a": "b"}
    assert event["objectRef"]["name"] == "m"


@level("Metadata", omitStages=("RequestReceived",))
async def test_stages_can_be_left_out(audited: Wire) -> None:
    await audited.send("GET", MAPS)
    assert audited.stages() == ["ResponseComplete"]


@level("Metadata", verbs=("delete",))
async def test_what_no_rule_fits_is_not_written_down(audited: Wire) -> None:
    await audited.send("GET", MAPS)
    assert audited.kept.events == []


async def test_a_bug_is_written_down_as_a_panic(audited: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    async def breaks(*arguments: Any, **more: Any) -> Any:
        raise RuntimeError("oops")

    from proa.api.core_v1.resources import CONFIG_MAPS

    monkeypatch.setattr(audited.server.registry(CONFIG_MAPS), "get", breaks)
    assert await audited.send("GET", f"{MAPS}/m") == 500
    assert audited.stages() == ["RequestReceived", "Panic"]
    assert "oops" in audited.kept.events[-1]["responseStatus"]["message"]


async def test_requests_are_counted_by_level_and_decision(audited: Wire) -> None:
    await audited.send("GET", MAPS)
    await audited.send("GET", "/api/v1/nodes")
    await audited.send("GET", MAPS, token="wrong")
    text = audited.server.families.exposition().decode()
    for line in (
        'apiserver_audit_level_total{level="Metadata"} 3.0',
        "apiserver_audit_event_total 5.0",
        'authentication_attempts{result="success"} 2.0',
        'authentication_attempts{result="failure"} 1.0',
        'authorization_attempts_total{result="allowed"} 1.0',
        'authorization_attempts_total{result="no-opinion"} 1.0',
    ):
        assert line in text


def holding(mode: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("kept", [Held(mode)])


BODY = {"metadata": {"name": "m"}}


@holding(BLOCKING)
async def test_an_answer_waits_until_its_events_are_written_down(audited: Wire, kept: Held) -> None:
    task = asyncio.create_task(audited.send("POST", MAPS, json=BODY))
    assert await kept.release(task, stored=True) == "RequestReceived"
    assert await kept.release(task, stored=True) == "ResponseComplete"
    assert await task == 201


@holding(BLOCKING)
async def test_a_refusal_waits_too(audited: Wire, kept: Held) -> None:
    task = asyncio.create_task(audited.send("GET", MAPS, token="wrong"))
    assert await kept.release(task) == "ResponseStarted"
    assert await task == 401


@holding(STRICT)
async def test_nothing_is_done_before_the_request_is_written_down(audited: Wire, kept: Held) -> None:
    task = asyncio.create_task(audited.send("POST", MAPS, json=BODY))
    assert await kept.release(task) == "RequestReceived"
    assert audited.stages() == ["RequestReceived"]
    assert await kept.release(task, stored=False) == "ResponseComplete"
    assert await task == 201  # what has been done is told, whatever becomes of the log


@holding(STRICT)
async def test_a_request_that_cannot_be_written_down_is_refused(audited: Wire, kept: Held) -> None:
    task = asyncio.create_task(audited.send("POST", MAPS, json=BODY))
    await kept.release(task, stored=False)
    await kept.release(task)
    assert await task == 500
    maps = audited.server.registry(CONFIG_MAPS)
    assert maps.cache.size == 0
    assert kept.events[-1]["responseStatus"]["message"] == "Internal error occurred: failed to store audit event"
    assert "apiserver_audit_requests_rejected_total 1.0\n" in audited.server.families.exposition().decode()


@holding(BLOCKING)
async def test_a_watch_begins_when_that_is_written_down(audited: Wire, kept: Held) -> None:
    url = f"http://127.0.0.1:{audited.server.port}{MAPS}?watch=1"
    task = asyncio.ensure_future(audited.session.get(url, headers={"Authorization": "Bearer nobody"}))
    assert await kept.release(task) == "RequestReceived"
    assert await kept.release(task) == "ResponseStarted"
    async with await task as response:
        assert response.status == 200
