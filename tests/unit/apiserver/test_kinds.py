"""Bodies that say they are something else than their path serves."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
from tests.unit.apiserver.conftest import config_map, options

from proa.api.core_v1.resources import CONFIG_MAPS
from proa.apiserver.compose import ApiServer

MAPS = "/api/v1/namespaces/default/configmaps"
JSON_PATCH = {"Content-Type": "application/json-patch+json"}
MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}
STRATEGIC_PATCH = {"Content-Type": "application/strategic-merge-patch+json"}
APPLY = {"Content-Type": "application/apply-patch+yaml"}


@pytest.fixture
async def http(http: aiohttp.ClientSession, listening: ApiServer) -> aiohttp.ClientSession:
    await listening.registry(CONFIG_MAPS).create("default", config_map("a"), options())
    return http


async def answer(http: aiohttp.ClientSession, method: str, path: str, body: Any, **more: Any) -> tuple[int, str, str]:
    """Status code, reason and message."""
    headers = {"Content-Type": "application/json", **more.pop("headers", {})}
    async with http.request(method, path, data=json.dumps(body), headers=headers, **more) as found:
        told = await found.json()
    return found.status, told.get("reason", ""), told.get("message", "")


@pytest.mark.parametrize(("method", "path"), [("POST", MAPS), ("PUT", f"{MAPS}/a")])
@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            {"apiVersion": "v1", "kind": "Pod"},
            'Pod in version "v1" cannot be handled as a ConfigMap: converting (v1.Pod) to (core.ConfigMap): unknown '
            "conversion",
        ),
        (
            {"kind": "Foo"},
            'Foo in version "v1" cannot be handled as a ConfigMap: no kind "Foo" is registered for version "v1"',
        ),
        (
            {"apiVersion": "example.com/v2", "kind": "ConfigMap"},
            'ConfigMap in version "v2" cannot be handled as a ConfigMap: no kind "ConfigMap" is registered for version '
            '"example.com/v2"',
        ),
        (
            {"kind": 7},
            "couldn't get version/kind; json parse error: apiVersion and kind must be strings",
        ),
    ],
)
async def test_a_body_of_another_kind_is_a_bad_request(
    http: aiohttp.ClientSession, method: str, path: str, said: dict[str, Any], message: str
) -> None:
    body = {**config_map("a"), **said}
    assert await answer(http, method, path, body) == (400, "BadRequest", message)


async def test_another_version_of_the_kind_is_told_as_such(http: aiohttp.ClientSession) -> None:
    body = {"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "e"}}
    assert await answer(http, "POST", "/api/v1/namespaces/default/events", body) == (
        400,
        "BadRequest",
        "the API version in the data (events.k8s.io/v1) does not match the expected API version (v1)",
    )


async def test_a_body_need_not_say_what_it_is(http: aiohttp.ClientSession) -> None:
    code, _, _ = await answer(http, "POST", MAPS, {**config_map("b"), "apiVersion": "", "kind": ""})
    assert code == 201


async def test_a_patch_that_makes_another_kind_is_invalid(http: aiohttp.ClientSession) -> None:
    for body, headers in (
        ({"kind": "Foo"}, MERGE_PATCH),
        ([{"op": "replace", "path": "/kind", "value": "Foo"}], JSON_PATCH),
    ):
        code, reason, message = await answer(http, "PATCH", f"{MAPS}/a", body, headers=headers)
        assert (code, reason) == (422, "Invalid")
        assert message.startswith(' "" is invalid: patch: Invalid value: "{')
        assert message.endswith('}": no kind "Foo" is registered for version "v1"')


async def test_a_strategic_patch_cannot_say_what_it_makes(http: aiohttp.ClientSession) -> None:
    body = {"kind": "Foo", "apiVersion": "v2", "data": {"k": "v"}}
    async with http.patch(f"{MAPS}/a", data=json.dumps(body), headers=STRATEGIC_PATCH) as found:
        patched = await found.json()
    assert (patched["apiVersion"], patched["kind"], patched["data"]) == ("v1", "ConfigMap", {"k": "v"})


@pytest.mark.parametrize(
    ("said", "code", "message"),
    [
        (
            {"apiVersion": "v2", "kind": "ConfigMap"},
            400,
            "Incorrect version specified in apply patch. Specified patch version: v2, expected: v1",
        ),
        (
            {"kind": "ConfigMap"},
            400,
            "Incorrect version specified in apply patch. Specified patch version: , expected: v1",
        ),
        (
            {"apiVersion": "v1", "kind": "Foo"},
            500,
            "failed to create typed patch object (/a; /v1, Kind=Foo): no corresponding type for /v1, Kind=Foo",
        ),
    ],
)
async def test_what_is_applied_says_what_it_is(
    http: aiohttp.ClientSession, said: dict[str, Any], code: int, message: str
) -> None:
    body = {**said, "metadata": {"name": "a"}}
    found = await answer(http, "PATCH", f"{MAPS}/a", body, headers=APPLY, params={"fieldManager": "me"})
    assert (found[0], found[2]) == (code, message)
