"""What list, watch and delete options mean over HTTP, and how contradictions are refused."""

from __future__ import annotations

import base64
import json

import aiohttp
import pytest
from tests.unit.apiserver.conftest import config_map, options

from proa.api.core_v1.resources import CONFIG_MAPS
from proa.apiserver.compose import ApiServer
from proa.apiserver.registry import Registry

MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
async def maps(listening: ApiServer) -> Registry:
    return listening.registry(CONFIG_MAPS)


def token(**parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).rstrip(b"=").decode()


LIST = 'ListOptions.meta.k8s.io "" is invalid: '
WATCH = {"watch": "true"}


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ({"timeoutSeconds": "abc"}, 400, 'strconv.ParseInt: parsing "abc": invalid syntax'),
        ({"limit": ""}, 400, 'strconv.ParseInt: parsing "": invalid syntax'),
        ({"limit": "1_0"}, 400, 'strconv.ParseInt: parsing "1_0": invalid syntax'),
        (
            {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"},
            422,
            LIST + "[resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is"
            " provided, sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list]",
        ),
        (
            {"continue": "ab!"},
            400,
            "invalid continue token: continue key is not valid: illegal base64 data at input byte 2",
        ),
        (
            {"continue": token(v="v2")},
            400,
            "invalid continue token: continue key is not valid: server does not recognize this encoded version v2",
        ),
        (
            {"fieldSelector": "metadata.name=a=b"},
            400,
            "invalid field selector: unescaped character in value: 61",
        ),
        (
            {"resourceVersionMatch": "Exact"},
            422,
            LIST
            + "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
        ),
        (
            {"resourceVersionMatch": "Some", "resourceVersion": "1"},
            422,
            LIST + 'resourceVersionMatch: Unsupported value: "Some": supported values: "Exact", "NotOlderThan", ""',
        ),
        (
            {"resourceVersionMatch": "Exact", "resourceVersion": "0"},
            422,
            LIST + 'resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
        ),
        (
            {"resourceVersionMatch": "NotOlderThan", "resourceVersion": "1", "continue": "x"},
            422,
            LIST + "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided",
        ),
        (
            {"sendInitialEvents": "true"},
            422,
            LIST + "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list",
        ),
        (
            {**WATCH, "resourceVersionMatch": "NotOlderThan"},
            422,
            LIST
            + "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents "
            "is provided",
        ),
        (
            {**WATCH, "sendInitialEvents": "true"},
            422,
            LIST
            + "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to "
            + "NotOlderThan",
        ),
        ({"continue": "%"}, 400, "invalid continue token: continue key is not valid: "),
        (
            {"continue": token(v="v2", start="a", rv=1)},
            400,
            "invalid continue token: continue key is not valid: server does not recognize this encoded version v2",
        ),
        (
            {"continue": token(v="meta.k8s.io/v1", start="a")},
            400,
            "invalid continue token: continue key is not valid: incorrect encoded start resourceVersion "
            "(version meta.k8s.io/v1)",
        ),
        (
            {"continue": token(v="meta.k8s.io/v1", start="", rv=1)},
            400,
            "invalid continue token: continue key is not valid: encoded start key empty (version meta.k8s.io/v1)",
        ),
        (
            {"continue": token(v="meta.k8s.io/v1", start="../secrets/a", rv=1)},
            400,
            "invalid continue token: continue key is not valid: ../secrets/a",
        ),
        (
            {"continue": token(v="meta.k8s.io/v1", start="a", rv=1), "resourceVersion": "7"},
            400,
            "specifying resource version is not allowed when using continue",
        ),
        ({"resourceVersion": "x"}, 400, "invalid resource version: "),
        ({"resourceVersion": "-1"}, 400, "invalid resource version: "),
        ({"resourceVersion": "99999999999999999999"}, 400, "invalid resource version: "),
        ({"limit": "many"}, 400, 'strconv.ParseInt: parsing "many": invalid syntax'),
        ({"labelSelector": "a in"}, 400, "unable to parse requirement: found '' expected: '('"),
        ({"fieldSelector": "a"}, 400, "invalid selector: 'a'; can't understand 'a'"),
        (
            {"fieldSelector": "spec.x=y"},
            400,
            '"spec.x" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
    ],
)
async def test_contradicting_options_are_refused(
    http: aiohttp.ClientSession, query: dict[str, str], code: int, message: str
) -> None:
    async with http.get(MAPS, params=query) as answer:
        status = await answer.json()
    assert (answer.status, status["code"]) == (code, code)
    assert status["message"].startswith(message)


async def test_a_version_that_has_not_happened_times_out_with_its_cause(http: aiohttp.ClientSession) -> None:
    async with http.get(MAPS, params={"resourceVersion": "1000000"}) as answer:
        status = await answer.json()
    assert (answer.status, status["reason"]) == (504, "Timeout")
    assert status["message"].startswith("Timeout: Too large resource version: 1000000, current: ")
    assert status["details"]["causes"] == [
        {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    ]
    assert answer.headers["Retry-After"] == "1"


async def test_a_watch_of_a_version_that_has_not_happened_says_so_in_an_event(http: aiohttp.ClientSession) -> None:
    initial = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
    async with http.get(MAPS, params={**WATCH, **initial, "resourceVersion": "1000000"}) as answer:
        event = json.loads(await answer.content.readline())
    assert (answer.status, event["type"], event["object"]["code"]) == (200, "ERROR", 504)
    assert event["object"]["message"].startswith("Timeout: Too large resource version: 1000000, current: ")


async def test_a_token_of_a_compacted_version_is_exchanged_for_one_that_goes_on(
    http: aiohttp.ClientSession, maps: Registry
) -> None:
    for name in ("a", "b", "c", "d"):
        await maps.create("default", config_map(name), options())
    async with http.get(MAPS, params={"limit": "1"}) as answer:
        first = await answer.json()
    await maps.delete("default", "b", {}, options())
    await maps.cache.compact(maps.cache.revision)
    async with http.get(MAPS, params={"limit": "1", "continue": first["metadata"]["continue"]}) as answer:
        status = await answer.json()
    assert (answer.status, status["reason"]) == (410, "Expired")
    async with http.get(MAPS, params={"limit": "1", "continue": status["metadata"]["continue"]}) as answer:
        second = await answer.json()
    assert [each["metadata"]["name"] for each in second["items"]] == ["c"]
    assert second["metadata"]["remainingItemCount"] == 1
    assert second["metadata"]["resourceVersion"] != first["metadata"]["resourceVersion"]
    async with http.get(MAPS, params={"limit": "1", "continue": second["metadata"]["continue"]}) as answer:
        third = await answer.json()
    assert [each["metadata"]["name"] for each in third["items"]] == ["d"]
    assert third["metadata"] == {"resourceVersion": second["metadata"]["resourceVersion"]}


async def test_what_is_left_is_not_counted_when_a_selector_chooses(http: aiohttp.ClientSession, maps: Registry) -> None:
    for name in ("a", "b"):
        await maps.create("default", config_map(name, labels={"app": "x"}), options())
    async with http.get(MAPS, params={"limit": "1", "labelSelector": "app=x"}) as answer:
        metadata = (await answer.json())["metadata"]
    assert "continue" in metadata
    assert "remainingItemCount" not in metadata


async def test_a_watch_may_be_of_one_name(http: aiohttp.ClientSession, maps: Registry) -> None:
    for name in ("a", "b"):
        await maps.create("default", config_map(name), options())
    for path in ("/api/v1/watch/namespaces/default/configmaps/b", f"{MAPS}?watch=1&fieldSelector=metadata.name%3Db"):
        async with http.get(path, params={"timeoutSeconds": "1"} if "?" not in path else None) as watch:
            assert json.loads(await watch.content.readline())["object"]["metadata"]["name"] == "b"
            for name in ("a", "b"):
                await maps.update("default", name, config_map(name, {"changed": path}), options())
            event = json.loads(await watch.content.readline())
        assert (event["type"], event["object"]["metadata"]["name"]) == ("MODIFIED", "b")
    path = "/api/v1/watch/namespaces/default/configmaps/b"
    async with http.get(path, params={"fieldSelector": "metadata.name=a"}) as answer:
        assert answer.status == 400


async def test_a_watch_ends_after_its_timeout(http: aiohttp.ClientSession) -> None:
    async with http.get(MAPS, params={**WATCH, "timeoutSeconds": "1", "allowWatchBookmarks": "true"}) as watch:
        lines = (await watch.read()).splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["BOOKMARK"]


WRITE = 'Options.meta.k8s.io "" is invalid: '


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"dryRun": "Some"}, 'dryRun: Unsupported value: ["Some"]: supported values: "All"'),
        (
            {"fieldValidation": "Maybe"},
            'fieldValidation: Unsupported value: "Maybe": supported values: "", "Ignore", "Strict", "Warn"',
        ),
        ({"fieldManager": "x" * 129}, "fieldManager: Too long: may not be more than 128 bytes"),
        ({"fieldManager": "a\tb"}, "fieldManager: Invalid value: "),
    ],
)
async def test_options_of_a_write_are_checked(
    http: aiohttp.ClientSession, maps: Registry, query: dict[str, str], message: str
) -> None:
    await maps.create("default", config_map("a"), options())
    patch = {"Content-Type": "application/merge-patch+json"}
    for kind, request in (
        ("Create", http.post(MAPS, json=config_map("b"), params=query)),
        ("Update", http.put(f"{MAPS}/a", json=config_map("a"), params=query)),
        ("Patch", http.patch(f"{MAPS}/a", data=b"{}", params=query, headers=patch)),
    ):
        async with request as answer:
            status = await answer.json()
        assert (answer.status, status["reason"]) == (422, "Invalid")
        assert status["message"].startswith(f"{kind}{WRITE}{message}")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"propagationPolicy": "Never"}, 'propagationPolicy: Unsupported value: "Never": supported values: '),
        (
            {"propagationPolicy": "Orphan", "orphanDependents": True},
            'propagationPolicy: Invalid value: "Orphan": orphanDependents and deletionPropagation cannot be both set',
        ),
        ({"dryRun": ["Some"]}, "dryRun: Unsupported value: "),
    ],
)
async def test_options_of_a_delete_are_checked(
    http: aiohttp.ClientSession, maps: Registry, body: dict[str, object], message: str
) -> None:
    await maps.create("default", config_map("a"), options())
    for path in (f"{MAPS}/a", MAPS):
        async with http.delete(path, json=body) as answer:
            status = await answer.json()
        assert answer.status == 422
        assert status["message"].startswith(f"Delete{WRITE}{message}")
    assert maps.peek("default", "a") is not None
