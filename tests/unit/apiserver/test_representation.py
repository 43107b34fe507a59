"""What comes over HTTP in the media types and views that clients ask for."""

from __future__ import annotations

import json
import struct
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import pytest
from tests.unit.apiserver.conftest import config_map, options

from proa.api.apps_v1.resources import DEPLOYMENTS
from proa.api.authorization_v1 import SelfSubjectAccessReview
from proa.api.autoscaling_v1 import Scale
from proa.api.core_v1 import ConfigMap, ConfigMapList
from proa.api.core_v1.resources import CONFIG_MAPS
from proa.apiserver.compose import ApiServer
from proa.machinery import protobuf
from proa.machinery.apidiscovery import APIGroupDiscoveryList
from proa.machinery.declare import Object
from proa.machinery.meta import APIGroup, APIGroupList, APIResourceList, APIVersions, ObjectMeta, Status
from proa.machinery.protobuf.wire import fields
from proa.machinery.schema import schema_of

MAPS = "/api/v1/namespaces/default/configmaps"
PROTOBUF = {"Accept": "application/vnd.kubernetes.protobuf"}


@pytest.fixture
async def http(listening: ApiServer) -> AsyncIterator[aiohttp.ClientSession]:
    session = aiohttp.ClientSession(
        f"http://127.0.0.1:{listening.port}", headers={"Authorization": "Bearer admin", "User-Agent": "test"}
    )
    async with session:
        yield session


@pytest.fixture
async def one(listening: ApiServer) -> None:
    await listening.registry(CONFIG_MAPS).create("default", config_map("a", {"k": "v"}), options())


def accepting(*kinds: str) -> dict[str, str]:
    return {"Accept": ",".join(kinds)}


def viewing(view: str, kind: str = "application/json", version: str = "v1") -> dict[str, str]:
    return accepting(f"{kind};as={view};v={version};g=meta.k8s.io")


async def packed(answer: aiohttp.ClientResponse, declared: type[Object]) -> dict[str, Any]:
    assert answer.headers["Content-Type"] == "application/vnd.kubernetes.protobuf"
    return protobuf.decode(await answer.read(), schema_of(declared))


@pytest.mark.usefixtures("one")
async def test_protobuf_says_what_json_says(http: aiohttp.ClientSession) -> None:
    async with http.get(f"{MAPS}/a") as plain, http.get(f"{MAPS}/a", headers=PROTOBUF) as answer:
        assert await packed(answer, ConfigMap) == await plain.json()
    async with http.get(MAPS) as plain, http.get(MAPS, headers=PROTOBUF) as answer:
        found, wanted = await packed(answer, ConfigMapList), await plain.json()
    for each in found["items"]:
        each |= {"kind": "ConfigMap", "apiVersion": "v1"}
    for each in wanted["items"]:
        each |= {"kind": "ConfigMap", "apiVersion": "v1"}
    assert found == wanted


async def test_a_long_list_in_protobuf_comes_in_pages(http: aiohttp.ClientSession, listening: ApiServer) -> None:
    maps = listening.registry(CONFIG_MAPS)
    for number in range(130):
        await maps.create("default", config_map(f"m{number:03}"), options())
    async with http.get(MAPS, headers=PROTOBUF, params={"limit": "100"}) as answer:
        first = await packed(answer, ConfigMapList)
    assert (len(first["items"]), first["metadata"]["remainingItemCount"]) == (100, 30)
    more = {"limit": "100", "continue": first["metadata"]["continue"]}
    async with http.get(MAPS, headers=PROTOBUF, params=more) as answer:
        rest = await packed(answer, ConfigMapList)
    assert [each["metadata"]["name"] for each in rest["items"]] == [f"m{number:03}" for number in range(100, 130)]


async def test_a_write_in_protobuf_is_answered_in_protobuf(http: aiohttp.ClientSession) -> None:
    body = protobuf.encode(ConfigMap(metadata=ObjectMeta(name="a"), data={"k": "v"}))
    headers = {**PROTOBUF, "Content-Type": "application/vnd.kubernetes.protobuf"}
    async with http.post(MAPS, data=body, headers=headers) as answer:
        assert answer.status == 201
        assert (await packed(answer, ConfigMap))["data"] == {"k": "v"}
    async with http.delete(f"{MAPS}/a", headers=PROTOBUF) as answer:
        assert (await packed(answer, Status))["status"] == "Success"
    async with http.get(f"{MAPS}/a", headers=PROTOBUF) as answer:
        assert answer.status == 404
        assert (await packed(answer, Status))["reason"] == "NotFound"


async def test_a_watch_in_protobuf_is_frames(http: aiohttp.ClientSession, listening: ApiServer) -> None:
    maps = listening.registry(CONFIG_MAPS)
    await maps.create("default", config_map("a"), options())
    headers = accepting("application/vnd.kubernetes.protobuf;stream=watch")

    async with http.get(MAPS, params={"watch": "true", "allowWatchBookmarks": "1"}, headers=headers) as watch:
        assert watch.headers["Content-Type"] == "application/vnd.kubernetes.protobuf;stream=watch"

        async def event() -> tuple[str, dict[str, Any]]:
            (length,) = struct.unpack(">I", await watch.content.readexactly(4))
            parts = dict(fields(await watch.content.readexactly(length)))
            raw = dict(fields(parts[2]))[1]  # type: ignore[arg-type]
            return parts[1].decode(), protobuf.decode(raw, schema_of(ConfigMap))  # type: ignore[union-attr,arg-type]

        kind, first = await event()
        assert (kind, first["metadata"]["name"]) == ("ADDED", "a")
        await maps.delete("default", "a", {}, options())
        kind, last = await event()
        assert (kind, last["kind"], last["metadata"]["name"]) == ("DELETED", "ConfigMap", "a")
        assert int(last["metadata"]["resourceVersion"]) > int(first["metadata"]["resourceVersion"])


async def test_a_watch_in_protobuf_ends_with_an_error_frame(http: aiohttp.ClientSession, listening: ApiServer) -> None:
    maps = listening.registry(CONFIG_MAPS)
    for name in "abc":
        await maps.create("default", config_map(name), options())
    await maps.cache.compact(maps.cache.revision)
    async with http.get(MAPS, params={"watch": "true", "resourceVersion": "2"}, headers=PROTOBUF) as watch:
        body = await watch.read()
    parts = dict(fields(body[4:]))
    raw = dict(fields(parts[2]))[1]  # type: ignore[arg-type]
    assert parts[1] == b"ERROR"
    assert protobuf.decode(raw, schema_of(Status))["reason"] == "Expired"  # type: ignore[arg-type]


@pytest.mark.usefixtures("one")
@pytest.mark.parametrize("version", ["v1", "v1beta1"])
async def test_metadata_alone_is_of_one_object_or_of_a_list(http: aiohttp.ClientSession, version: str) -> None:
    async with http.get(f"{MAPS}/a", headers=viewing("PartialObjectMetadata", version=version)) as answer:
        body = await answer.json()
    assert (body["kind"], body["apiVersion"]) == ("PartialObjectMetadata", f"meta.k8s.io/{version}")
    assert "data" not in body
    async with http.get(MAPS, headers=viewing("PartialObjectMetadata")) as answer:
        assert (answer.status, (await answer.json())["reason"]) == (406, "NotAcceptable")
    async with http.get(f"{MAPS}/a", headers=viewing("PartialObjectMetadataList")) as answer:
        assert answer.status == 406
    async with http.get(MAPS, headers=viewing("PartialObjectMetadataList", PROTOBUF["Accept"])) as answer:
        assert b"PartialObjectMetadataList" in await answer.read()


@pytest.mark.usefixtures("one")
@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/json;q=0.5,application/yaml", "application/yaml"),
        ("application/vnd.kubernetes.protobuf,application/json", "application/vnd.kubernetes.protobuf"),
        ("text/html,application/xml;q=0.9,*/*;q=0.8", "application/json"),
        ("*/*,application/yaml", "application/yaml"),
        ("application/yaml;q=0,application/*", "application/json"),
        ("application/json;as=Nothing;v=v1;g=meta.k8s.io,application/yaml", "application/yaml"),
        ("application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io,application/json", "application/json"),
    ],
)
async def test_the_best_of_what_is_accepted_is_sent(http: aiohttp.ClientSession, accept: str, kind: str) -> None:
    async with http.get(f"{MAPS}/a", headers=accepting(accept)) as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (200, kind)


@pytest.mark.usefixtures("one")
@pytest.mark.parametrize(
    "accept",
    [
        "application/cbor",
        "text/plain",
        "application/json;as=Table;v=v2;g=meta.k8s.io",
        "application/json;as=Table;v=v1;g=other",
        "application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io",
        "application/json;stream=other",
    ],
)
async def test_what_cannot_be_sent_is_not_acceptable(http: aiohttp.ClientSession, accept: str) -> None:
    async with http.get(f"{MAPS}/a", headers=accepting(accept)) as answer:
        assert (answer.status, (await answer.json())["reason"]) == (406, "NotAcceptable")


async def test_a_watch_is_never_yaml(http: aiohttp.ClientSession) -> None:
    async with http.get(MAPS, params={"watch": "1"}, headers=accepting("application/yaml")) as answer:
        status = await answer.text()
        assert (answer.status, answer.headers["Content-Type"]) == (406, "application/yaml")
    assert "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch" in status


async def test_a_body_in_an_unknown_type_is_refused(http: aiohttp.ClientSession) -> None:
    async with http.post(MAPS, data=b"\xa0", headers={"Content-Type": "application/cbor"}) as answer:
        assert (answer.status, (await answer.json())["reason"]) == (415, "UnsupportedMediaType")


@pytest.mark.usefixtures("one")
async def test_json_is_laid_out_for_people(http: aiohttp.ClientSession) -> None:
    async with http.get(f"{MAPS}/a") as compact:
        assert b"\n" not in await compact.read()
    for headers, query in (
        ({"User-Agent": "curl/8.0"}, {}),
        ({}, {"pretty": "true"}),
        ({"Accept": "application/json;pretty=1"}, {}),
    ):
        async with http.get(f"{MAPS}/a", headers=headers, params=query) as answer:
            assert b'{\n  "metadata"' in await answer.read()
    async with http.get(f"{MAPS}/a", headers={"User-Agent": "curl/8.0"}, params={"pretty": "false"}) as answer:
        assert b"\n" not in await answer.read()


async def test_computed_answers_come_in_the_accepted_type(http: aiohttp.ClientSession, listening: ApiServer) -> None:
    review = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}
    async with http.post(
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", json=review, headers=PROTOBUF
    ) as answer:
        assert (await packed(answer, SelfSubjectAccessReview))["status"]["allowed"] is True
    labels = {"app": "a"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    deployment = {"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": labels}, "template": template}}
    await listening.registry(DEPLOYMENTS).create("default", deployment, options())
    scale = "/apis/apps/v1/namespaces/default/deployments/d/scale"
    async with http.get(scale, headers=PROTOBUF) as answer:
        assert (await packed(answer, Scale))["spec"] == {"replicas": 1}


@pytest.mark.usefixtures("one")
async def test_a_table_holds_as_much_of_the_object_as_is_asked_for(http: aiohttp.ClientSession) -> None:
    kinds = {"None": None, "Metadata": "PartialObjectMetadata", "Object": "ConfigMap", "": "PartialObjectMetadata"}
    for include, kind in kinds.items():
        async with http.get(MAPS, headers=viewing("Table"), params={"includeObject": include}) as answer:
            (row,) = (await answer.json())["rows"]
        assert (row.get("object") or {}).get("kind") == kind
    async with http.get(MAPS, headers=viewing("Table"), params={"includeObject": "Some"}) as answer:
        assert answer.status == 400


@pytest.mark.usefixtures("one")
async def test_a_watched_table_has_its_columns_once(http: aiohttp.ClientSession, listening: ApiServer) -> None:
    async with http.get(MAPS, params={"watch": "1"}, headers=viewing("Table")) as watch:
        first = json.loads(await watch.content.readline())["object"]
        await listening.registry(CONFIG_MAPS).delete("default", "a", {}, options())
        second = json.loads(await watch.content.readline())["object"]
    assert [bool(each["columnDefinitions"]) for each in (first, second)] == [True, False]
    assert [row["cells"][0] for each in (first, second) for row in each["rows"]] == ["a", "a"]


@pytest.mark.usefixtures("one")
async def test_watchers_of_metadata_share_their_lines(http: aiohttp.ClientSession, listening: ApiServer) -> None:
    query = {"watch": "1", "resourceVersion": "0"}
    async with http.get(MAPS, params=query, headers=viewing("PartialObjectMetadata")) as watch:
        await watch.content.readline()
        await listening.registry(CONFIG_MAPS).create("default", config_map("b", {"k": "v"}), options())
        event = json.loads(await watch.content.readline())
    assert event["type"] == "ADDED"
    assert (event["object"]["kind"], event["object"]["metadata"]["name"]) == ("PartialObjectMetadata", "b")
    assert "data" not in event["object"]


AGGREGATED = "g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"


@pytest.mark.parametrize("path", ["/api", "/apis", "/api/v1", "/apis/apps", "/apis/apps/v1"])
async def test_discovery_says_the_same_in_protobuf(http: aiohttp.ClientSession, path: str) -> None:
    kinds = {"APIVersions": APIVersions, "APIGroupList": APIGroupList, "APIGroup": APIGroup}
    async with http.get(path) as plain, http.get(path, headers=PROTOBUF) as answer:
        wanted = await plain.json()
        declared = kinds.get(wanted["kind"], APIResourceList)
        found = await packed(answer, declared)
    assert msgspec.convert(found, declared) == msgspec.convert(wanted, declared)


@pytest.mark.parametrize("path", ["/api", "/apis"])
async def test_aggregated_discovery_says_the_same_in_protobuf(http: aiohttp.ClientSession, path: str) -> None:
    kinds = [f"{kind};{AGGREGATED.format('v2')}" for kind in ("application/json", PROTOBUF["Accept"])]
    async with (
        http.get(path, headers=accepting(kinds[0])) as plain,
        http.get(path, headers=accepting(kinds[1])) as answer,
    ):
        assert [each.headers["Content-Type"] for each in (plain, answer)] == kinds
        assert plain.headers["ETag"] != answer.headers["ETag"]
        found = protobuf.decode(await answer.read(), schema_of(APIGroupDiscoveryList))
        wanted = await plain.json()
    assert msgspec.convert(found, APIGroupDiscoveryList) == msgspec.convert(wanted, APIGroupDiscoveryList)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (f"application/json;{AGGREGATED.format('v3')},application/json;{AGGREGATED.format('v2beta1')}", "v2beta1"),
        (f"application/json,application/json;{AGGREGATED.format('v2')}", ""),
        (f"application/json;q=0.5,application/json;{AGGREGATED.format('v2')}", "v2"),
        ("*/*", ""),
        ("application/yaml", ""),
    ],
)
async def test_discovery_is_negotiated(http: aiohttp.ClientSession, accept: str, kind: str) -> None:
    async with http.get("/apis", headers=accepting(accept)) as answer:
        assert answer.status == 200
        assert (f";v={kind};" in answer.headers["Content-Type"]) is bool(kind)
    async with http.get("/apis", headers=accepting("text/html")) as answer:
        assert answer.status == 406


async def test_the_end_of_the_initial_events_is_told_in_a_table_too(http: aiohttp.ClientSession) -> None:
    query = {
        "watch": "1",
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
        "includeObject": "None",
    }
    async with http.get(MAPS, params=query, headers=viewing("Table")) as watch:
        event = json.loads(await watch.content.readline())
    (row,) = event["object"]["rows"]
    assert event["type"] == "BOOKMARK"
    assert row["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
