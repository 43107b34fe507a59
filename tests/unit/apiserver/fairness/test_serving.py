"""Priority and fairness, deadlines and their metrics over HTTP."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.unit.apiserver.conftest import Tokens

from proa.aio.clock import SystemClock
from proa.api.flowcontrol_v1.resources import FLOW_SCHEMAS, PRIORITY_LEVEL_CONFIGURATIONS
from proa.apiserver.compose import ApiServer, Config
from proa.apiserver.identity import ALLOW, LOOPBACK, AccessAttributes, Decision
from proa.apiserver.limiting import RequestLimits
from proa.apiserver.reply import text_reply
from proa.apiserver.request import Request, Response
from proa.client.events import Events
from proa.client.informer import Informers
from proa.control.controller import Context
from proa.store.memory import MemoryStore

SCHEMAS = "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas"
LEVELS = "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations"
NOBODY = {"Authorization": "Bearer nobody"}
MERGE = {"Content-Type": "application/merge-patch+json"}


class Everything:
    """An authorizer that lets everybody do everything."""

    generation = 1

    def authorize(self, attributes: AccessAttributes) -> Decision:
        return ALLOW

    async def decide(self, attributes: AccessAttributes) -> Decision:
        return ALLOW

    def rules_for(self, user: Any, namespace: str) -> Any:
        raise NotImplementedError


class Served:
    """A server whose `/slow` answers when `gate` is open."""

    def __init__(self, server: ApiServer, http: aiohttp.ClientSession, informers: Informers) -> None:
        self.server = server
        self.http = http
        self.informers = informers
        self.gate = asyncio.Event()
        self.entered = 0
        self.left = 0
        server._dispatcher.serve_path("/slow", self.slow)

    async def slow(self, request: Request) -> Response:
        self.entered += 1
        try:
            await self.gate.wait()
            return text_reply("done")
        finally:
            self.left += 1

    async def get(self, path: str, headers: dict[str, str] | None = None, **query: str) -> tuple[int, str, Any]:
        async with self.http.get(path, headers=headers, params=query) as answer:
            return answer.status, await answer.text(), answer.headers

    async def metric(self, name: str, **labels: str) -> float:
        _, text, _ = await self.get("/metrics")
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


async def eventually(look: Callable[[], Awaitable[Any]]) -> Any:
    for _ in range(500):
        found = await look()
        if found:
            return found
        await asyncio.sleep(0.01)
    raise AssertionError("never")


async def test_what_is_done_elsewhere_is_no_time_of_the_servers(served: Served) -> None:
    async def ask_somebody(request: Request) -> Response:
        with served.server.elsewhere():
            await served.gate.wait()
        return text_reply("done")

    served.server._dispatcher.serve_path("/asks", ask_somebody)
    asking = asyncio.create_task(served.get("/asks"))
    await served.get("/healthz")
    served.gate.set()
    assert (await asking)[0] == 200
    _, text, _ = await served.get("/metrics")
    whole, own = (
        float(re.search(rf'^apiserver_request_{which}_seconds_sum{{.*verb="GET".*}} (.+)$', text, re.MULTILINE)[1])  # type: ignore[index]
        for which in ("duration", "sli_duration")
    )
    assert 0 < own < whole


@asynccontextmanager
async def serving(store: MemoryStore, limits: RequestLimits) -> AsyncIterator[Served]:
    server = ApiServer(Config(store, port=0, limits=limits))
    await server.load()
    server.install(authenticators=[Tokens()], authorizers=[Everything()])
    client = server.client_for(LOOPBACK)
    async with Informers(client) as informers:
        clock = SystemClock()
        await server.attend(Context(client, informers, Events(client, clock), clock), "", None)
        await server.listen()
        headers = {"Authorization": "Bearer admin"}
        connector = aiohttp.TCPConnector(limit=0)
        base = f"http://127.0.0.1:{server.port}"
        async with aiohttp.ClientSession(base, headers=headers, connector=connector) as http:
            served = Served(server, http, informers)
            yield served
            served.gate.set()
        await server.stop()


@pytest.fixture
async def served(store: MemoryStore) -> AsyncIterator[Served]:
    async with serving(store, RequestLimits()) as served:
        yield served


async def everything_there(served: Served) -> bool:
    levels = served.informers.informer(PRIORITY_LEVEL_CONFIGURATIONS)
    return len(served.informers.informer(FLOW_SCHEMAS)) >= 11 and len(levels) >= 8


async def make(served: Served, path: str, document: dict[str, Any]) -> Any:
    async with served.http.post(path, json=document) as answer:
        assert answer.status == 201, await answer.text()
        return await answer.json()


async def own_level(served: Served, name: str, shares: int, response: dict[str, Any]) -> tuple[Any, Any]:
    """A level for the user `nobody`, and the schema that leads there."""
    limited = {"nominalConcurrencyShares": shares, "limitResponse": response, "borrowingLimitPercent": 0}
    level = await make(served, LEVELS, {"metadata": {"name": name}, "spec": {"type": "Limited", "limited": limited}})
    rule = {
        "subjects": [{"kind": "User", "user": {"name": "nobody"}}],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    }
    spec = {"priorityLevelConfiguration": {"name": name}, "matchingPrecedence": 10, "rules": [rule],
            "distinguisherMethod": {"type": "ByUser"}}  # fmt: skip
    return level, await make(served, SCHEMAS, {"metadata": {"name": name}, "spec": spec})


async def test_the_usual_objects_are_there_and_do_not_dangle(served: Served) -> None:
    await eventually(lambda: everything_there(served))

    async def settled() -> Any:
        items = served.informers.informer(FLOW_SCHEMAS).list()
        return all(each.status.conditions and each.status.conditions[0].status == "False" for each in items)

    await eventually(settled)
    schema = served.informers.informer(FLOW_SCHEMAS).get("catch-all")
    assert schema is not None
    assert schema.metadata.annotations == {"apf.kubernetes.io/autoupdate-spec": "true"}
    assert schema.status.conditions[0].message == (
        'This FlowSchema references the PriorityLevelConfiguration object named "catch-all" and it exists'
    )


async def test_they_come_back_unless_their_owner_says_otherwise(served: Served) -> None:
    await eventually(lambda: everything_there(served))
    async with served.http.delete(f"{LEVELS}/workload-low") as answer:
        assert answer.status == 200

    async def back() -> Any:
        return (await served.get(f"{LEVELS}/workload-low"))[0] == 200

    await eventually(back)
    shares = {"spec": {"limited": {"nominalConcurrencyShares": 77}}}
    async with served.http.patch(f"{LEVELS}/system", json=shares, headers=MERGE) as answer:
        assert answer.status == 200

    async def shares_are(wanted: int) -> bool:
        level = served.informers.informer(PRIORITY_LEVEL_CONFIGURATIONS).get("system")
        assert level is not None
        assert level.spec.limited is not None
        return level.spec.limited.nominalConcurrencyShares == wanted

    await eventually(lambda: shares_are(30))
    mine = {**shares, "metadata": {"annotations": {"apf.kubernetes.io/autoupdate-spec": "false"}}}
    async with served.http.patch(f"{LEVELS}/system", json=mine, headers=MERGE) as answer:
        assert answer.status == 200
    await eventually(lambda: shares_are(77))

    async def counted() -> bool:
        return await served.metric("apiserver_flowcontrol_nominal_limit_seats", priority_level="system") > 150

    await eventually(counted)
    assert await shares_are(77)


async def test_a_schema_whose_level_is_missing_dangles_and_is_passed_over(served: Served) -> None:
    rule = {
        "subjects": [{"kind": "Group", "group": {"name": "*"}}],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    }
    spec = {"priorityLevelConfiguration": {"name": "missing"}, "matchingPrecedence": 2, "rules": [rule]}
    made = await make(served, SCHEMAS, {"metadata": {"name": "lost"}, "spec": spec})

    async def dangling() -> Any:
        schema = served.informers.informer(FLOW_SCHEMAS).get("lost")
        return schema is not None and schema.status.conditions and schema.status.conditions[0]

    condition = await eventually(dangling)
    assert (condition.type, condition.status, condition.reason) == ("Dangling", "True", "NotFound")
    _, _, headers = await served.get("/version", NOBODY)
    assert headers["X-Kubernetes-PF-FlowSchema-UID"] != made["metadata"]["uid"]


async def test_responses_say_where_their_request_belonged(served: Served) -> None:
    level, schema = await own_level(served, "mine", 5, {"type": "Reject"})

    async def classified() -> bool:
        _, _, headers = await served.get("/version", NOBODY)
        return bool(headers.get("X-Kubernetes-PF-FlowSchema-UID") == schema["metadata"]["uid"])

    await eventually(classified)
    _, _, headers = await served.get("/version", NOBODY)
    assert headers["X-Kubernetes-PF-PriorityLevel-UID"] == level["metadata"]["uid"]
    _, _, headers = await served.get("/version")
    assert headers["X-Kubernetes-PF-FlowSchema-UID"] not in ("", schema["metadata"]["uid"])
    status, _, headers = await served.get("/nowhere", NOBODY)
    assert status == 404


async def test_what_does_not_fit_is_turned_away_and_others_are_not(served: Served) -> None:
    await own_level(served, "narrow", 1, {"type": "Reject"})

    async def seats() -> float:
        return await served.metric("apiserver_flowcontrol_nominal_limit_seats", priority_level="narrow")

    limit = int(await eventually(seats))
    running = [asyncio.create_task(served.get("/slow", NOBODY)) for _ in range(limit)]

    async def full() -> bool:
        return served.entered == limit

    await eventually(full)
    status, text, headers = await served.get("/slow", NOBODY)
    assert (status, text, headers["Retry-After"]) == (429, "Too many requests, please try again later.\n", "1")
    assert (await served.get("/version"))[0] == 200
    executing = "apiserver_flowcontrol_current_executing_requests"
    assert await served.metric(executing, priority_level="narrow") == limit
    assert await served.metric("apiserver_flowcontrol_current_executing_seats", priority_level="narrow") == limit
    served.gate.set()
    assert {status for status, _, _ in await asyncio.gather(*running)} == {200}
    assert (await served.get("/slow", NOBODY))[0] == 200
    rejected = "apiserver_flowcontrol_rejected_requests_total"
    assert await served.metric(rejected, priority_level="narrow", reason="concurrency-limit") == 1
    dispatched = "apiserver_flowcontrol_dispatched_requests_total"
    assert await served.metric(dispatched, priority_level="narrow", flow_schema="narrow") == limit + 1
    assert await served.metric(executing, priority_level="narrow") == 0


async def test_what_waits_runs_when_others_have_ended(served: Served) -> None:
    queuing = {"queues": 1, "handSize": 1, "queueLengthLimit": 2}
    await own_level(served, "queued", 1, {"type": "Queue", "queuing": queuing})

    async def seats() -> float:
        return await served.metric("apiserver_flowcontrol_nominal_limit_seats", priority_level="queued")

    limit = int(await eventually(seats))
    running = [asyncio.create_task(served.get("/slow", NOBODY)) for _ in range(limit + 2)]
    waiting = "apiserver_flowcontrol_current_inqueue_requests"

    async def two_wait() -> bool:
        return await served.metric(waiting, priority_level="queued") == 2

    await eventually(two_wait)
    _, dump, _ = await served.get("/debug/api_priority_and_fairness/dump_requests")
    assert [line.split(",")[0:2] for line in dump.splitlines()[1:]] == [["queued", " queued"]] * 2 or "queued" in dump
    _, dump, _ = await served.get("/debug/api_priority_and_fairness/dump_priority_levels")
    assert any(line.startswith("queued,") for line in dump.splitlines())
    assert (await served.get("/slow", NOBODY))[0] == 429
    served.gate.set()
    assert [status for status, _, _ in await asyncio.gather(*running)] == [200] * (limit + 2)
    assert await served.metric(waiting, priority_level="queued") == 0


async def test_who_is_given_up_while_waiting_leaves_its_place(served: Served) -> None:
    await own_level(served, "queued", 1, {"type": "Queue", "queuing": {"queues": 1, "handSize": 1}})

    async def seats() -> float:
        return await served.metric("apiserver_flowcontrol_nominal_limit_seats", priority_level="queued")

    limit = int(await eventually(seats))
    running = [asyncio.create_task(served.get("/slow", NOBODY)) for _ in range(limit)]

    async def full() -> bool:
        return served.entered == limit

    await eventually(full)
    assert (await served.get("/slow", NOBODY, timeout="50ms"))[0] == 504
    assert await served.metric("apiserver_flowcontrol_current_inqueue_requests", priority_level="queued") == 0
    assert await served.metric("apiserver_flowcontrol_rejected_requests_total", reason="cancelled") == 1
    served.gate.set()
    assert {status for status, _, _ in await asyncio.gather(*running)} == {200}
    assert (served.entered, (await served.get("/slow", NOBODY))[0]) == (limit, 200)


async def test_who_waits_too_long_is_turned_away(store: MemoryStore) -> None:
    async with serving(store, RequestLimits(1, 0, seconds=0.8)) as served:
        await own_level(served, "queued", 1, {"type": "Queue", "queuing": {"queues": 1, "handSize": 1}})

        async def seats() -> float:
            return await served.metric("apiserver_flowcontrol_nominal_limit_seats", priority_level="queued")

        limit = int(await eventually(seats))
        running = [asyncio.create_task(served.get("/slow", NOBODY)) for _ in range(limit + 1)]
        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        assert done.pop().result()[0] == 429
        served.gate.set()
        await asyncio.gather(*running)
        assert await served.metric("apiserver_flowcontrol_rejected_requests_total", reason="time-out") == 1


async def test_a_request_that_takes_too_long_is_given_up(served: Served) -> None:
    status, text, _ = await served.get("/slow", timeout="100ms")
    assert (status, served.left) == (504, 1)
    assert '"reason":"Timeout"' in text
    assert "request did not complete within the allotted timeout" in text
    assert await served.metric("apiserver_request_terminations_total", code="504") == 1
    served.gate.set()
    assert (await served.get("/slow", timeout="0s"))[0] == 200
    assert (await served.get("/slow", timeout="5h"))[0] == 200
    status, text, _ = await served.get("/slow", timeout="invalid")
    assert status == 400
    assert "invalid timeout specified in the request URL" in text


async def test_the_default_holds_for_what_says_nothing(store: MemoryStore) -> None:
    async with serving(store, RequestLimits(seconds=0.2)) as served:
        status, _, _ = await served.get("/slow")
        assert (status, served.left) == (504, 1)
        path = "/api/v1/namespaces/default/configmaps?watch=true"
        async with served.http.get(path) as answer:
            assert answer.status == 200
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(answer.content.read(1), 0.5)


async def test_without_fairness_so_many_read_and_so_many_write(store: MemoryStore) -> None:
    async with serving(store, RequestLimits(1, 1, fair=False)) as served:
        running = asyncio.create_task(served.get("/slow", NOBODY))

        async def entered() -> bool:
            return served.entered == 1

        await eventually(entered)
        assert (await served.get("/slow", NOBODY))[0] == 429
        assert (await served.get("/version"))[0] == 200, "system:masters are never turned away"
        document = {"metadata": {"name": "a"}}
        async with served.http.post("/api/v1/namespaces/default/configmaps", json=document, headers=NOBODY) as answer:
            assert answer.status == 201, "who writes is counted apart"
        served.gate.set()
        assert (await running)[0] == 200


async def test_every_response_has_an_audit_id(served: Served) -> None:
    _, _, first = await served.get("/version")
    _, _, second = await served.get("/version")
    assert UUID(first["Audit-Id"]) != UUID(second["Audit-Id"])
    status, _, headers = await served.get("/api/v1/pods", {"Authorization": "Bearer wrong"})
    assert (status, bool(headers["Audit-Id"])) == (401, True)
    _, _, headers = await served.get("/version", {"Audit-ID": "mine"})
    assert headers["Audit-Id"] == "mine"


async def test_open_watches_and_stored_objects_are_counted(served: Served) -> None:
    path = "/api/v1/namespaces/default/configmaps"
    await make(served, path, {"metadata": {"name": "a"}})
    open_now = "apiserver_longrunning_requests"
    async with served.http.get(f"{path}?watch=true") as answer:
        await answer.content.readline()
        assert await served.metric(open_now, verb="WATCH", resource="configmaps") == 1

    async def closed() -> bool:
        return await served.metric(open_now, verb="WATCH", resource="configmaps") == 0

    await eventually(closed)
    assert await served.metric("apiserver_watch_events_total", version="v1", resource="configmaps") >= 1
    assert await served.metric("apiserver_storage_objects", resource="configmaps") >= 1
    assert await served.metric("apiserver_resource_objects", group="", resource="configmaps") >= 1
    assert await served.metric("process_resident_memory_bytes") > 0
