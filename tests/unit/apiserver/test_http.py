from __future__ import annotations

import asyncio
import io
import json

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.unit.apiserver.conftest import config_map, options, pod

from proa.api.core_v1.resources import CONFIG_MAPS
from proa.apiserver.compose import ApiServer
from proa.apiserver.reply import warning_headers

MAPS = "/api/v1/namespaces/default/configmaps"


async def test_a_round_trip_of_one_object(http: aiohttp.ClientSession) -> None:
    async with http.post(MAPS, json=config_map("a", {"k": "v"})) as created:
        assert created.status == 201
    async with http.get(f"{MAPS}/a") as found:
        assert found.headers["Content-Type"] == "application/json"
        assert (await found.json())["data"] == {"k": "v"}
    patch = {"Content-Type": "application/merge-patch+json"}
    async with http.patch(f"{MAPS}/a", data=b'{"data":{"k":null,"l":"w"}}', headers=patch) as patched:
        assert (await patched.json())["data"] == {"l": "w"}
    async with http.get(MAPS) as listed:
        body = await listed.json()
        assert (body["kind"], len(body["items"])) == ("ConfigMapList", 1)
    async with http.delete(f"{MAPS}/a") as deleted:
        assert (await deleted.json())["status"] == "Success"
    async with http.get(f"{MAPS}/a") as gone:
        status = await gone.json()
        assert (gone.status, status["reason"], status["message"]) == (404, "NotFound", 'configmaps "a" not found')


async def test_an_empty_list_is_valid_json(http: aiohttp.ClientSession) -> None:
    async with http.get(MAPS) as listed:
        assert (await listed.json())["items"] == []


async def test_a_long_list_holds_every_item(http: aiohttp.ClientSession, listening: ApiServer) -> None:
    maps = listening.registry(CONFIG_MAPS)
    for number in range(129):  # parts of a list are joined in groups
        await maps.create("default", config_map(f"m{number:03}"), options())
    async with http.get(MAPS) as listed:
        names = [each["metadata"]["name"] for each in (await listed.json())["items"]]
    assert names == [f"m{number:03}" for number in range(129)]


async def test_a_large_list_is_compressed_for_who_takes_it(http: aiohttp.ClientSession, listening: ApiServer) -> None:
    await listening.registry(CONFIG_MAPS).create("default", config_map("big", {"k": "x" * 200_000}), options())
    async with http.get(MAPS, headers={"Accept-Encoding": "gzip"}) as listed:
        assert listed.headers["Content-Encoding"] == "gzip"
        assert len(await listed.read()) < 20_000
    async with http.get(MAPS, headers={"Accept-Encoding": "identity"}) as listed:
        assert "Content-Encoding" not in listed.headers


async def test_a_head_request_has_no_body(http: aiohttp.ClientSession, listening: ApiServer) -> None:
    await listening.registry(CONFIG_MAPS).create("default", config_map("a"), options())
    async with http.head(f"{MAPS}/a") as found:
        assert int(found.headers["Content-Length"]) > 0
        assert await found.read() == b""
    async with http.get(f"{MAPS}/a") as found:  # on the same connection
        assert found.status == 200


async def test_who_is_not_known_is_unauthorized_and_who_may_not_is_forbidden(http: aiohttp.ClientSession) -> None:
    async with http.get(MAPS, headers={"Authorization": "Bearer wrong"}) as answer:
        assert (answer.status, (await answer.json())["reason"]) == (401, "Unauthorized")
    async with http.get(MAPS, headers={"Authorization": "Bearer nobody"}) as answer:
        body = await answer.json()
        assert answer.status == 403
        assert body["message"].startswith('configmaps is forbidden: User "nobody" cannot list resource "configmaps"')


async def test_an_answer_that_is_not_stored_has_no_table(http: aiohttp.ClientSession) -> None:
    headers = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    async with http.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", json={}, headers=headers) as answer:
        assert (answer.status, (await answer.json())["reason"]) == (406, "NotAcceptable")


async def test_an_administrator_may_act_as_somebody_else(http: aiohttp.ClientSession) -> None:
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    headers = {"Impersonate-User": "jane", "Impersonate-Group": "system:masters"}
    async with http.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", json=review, headers=headers) as answer:
        info = (await answer.json())["status"]["userInfo"]
    assert (info["username"], info["groups"]) == ("jane", ["system:masters", "system:authenticated"])
    headers["Impersonate-Group"] = "devs"
    async with http.get(MAPS, headers=headers) as answer:
        assert answer.status == 403
    async with http.get(MAPS, headers={**headers, "Authorization": "Bearer nobody"}) as answer:
        assert "cannot impersonate" in (await answer.json())["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/namespaces/default/pods/a/nothing", 404),
        ("DELETE", "/api/v1/namespaces/default/pods/a/status", 405),
        ("POST", "/api/v1/configmaps", 405),
        ("OPTIONS", "/api/v1/configmaps", 405),
        ("TRACE", "/api/v1/namespaces/default/configmaps/a", 405),
        ("PUT", "/api/v1/namespaces/default/configmaps", 405),
        ("PATCH", "/api/v1/namespaces/default/configmaps", 405),
        ("PATCH", "/api/v1/namespaces/default/configmaps/a", 415),
    ],
)
async def test_what_is_not_served_is_a_status(http: aiohttp.ClientSession, method: str, path: str, status: int) -> None:
    async with http.request(method, path) as answer:
        assert answer.status == status
        assert (await answer.json())["kind"] == "Status"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/namespaces/default/nodes", 404),
        ("POST", "/api/v1/namespaces/default/nodes", 404),
        ("GET", "/api/v1/namespaces/default/nodes/n", 404),
        ("DELETE", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/clusterroles", 404),
        ("POST", "/apis/authorization.k8s.io/v1/namespaces/default/subjectaccessreviews", 404),
        ("GET", "/api/v1/namespaces/default/namespaces", 404),
        ("DELETE", "/api/v1/namespaces/default/namespaces/kube-public", 404),
        ("GET", "/api/v1/namespaces/default", 200),
        ("GET", "/api/v1/configmaps", 200),
        ("GET", "/api/v1/configmaps/a", 404),
        ("DELETE", "/api/v1/configmaps/a", 404),
        ("DELETE", "/api/v1/configmaps", 405),
        ("POST", "/api/v1/configmaps", 405),
        ("POST", "/api/v1/pods/p/binding", 404),
        ("POST", "/apis/authorization.k8s.io/v1/localsubjectaccessreviews", 404),
    ],
)
async def test_a_path_is_of_the_scope_of_its_resource(
    http: aiohttp.ClientSession, listening: ApiServer, method: str, path: str, status: int
) -> None:
    """Otherwise a role in one namespace would let people at what is in none."""
    await listening.registry(CONFIG_MAPS).create("default", config_map("a"), options())
    async with http.request(method, path, json={} if method == "POST" else None) as answer:
        assert answer.status == status
    async with http.get(f"{MAPS}/a") as answer:
        assert answer.status == 200


async def test_a_body_over_the_limit_is_refused(http: aiohttp.ClientSession) -> None:
    body = io.BytesIO(json.dumps(config_map("a", {"k": "x" * (3 << 20)})).encode())
    async with http.post(MAPS, data=body, headers={"Content-Type": "application/json"}) as answer:
        assert (answer.status, (await answer.json())["reason"]) == (413, "RequestEntityTooLarge")


async def test_a_failure_of_ours_is_internal_and_does_not_end_the_server(
    http: aiohttp.ClientSession, listening: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    with monkeypatch.context() as patched:
        patched.setattr(listening.registry(CONFIG_MAPS), "get", broken)
        async with http.get(f"{MAPS}/a") as answer:
            body = await answer.json()
            assert (answer.status, body["reason"]) == (500, "InternalError")
            assert "secret detail" not in body["message"]
    async with http.get(f"{MAPS}/a") as answer:
        assert answer.status == 404


async def test_a_watch_sends_lines_until_the_object_changes_no_more(
    http: aiohttp.ClientSession, listening: ApiServer
) -> None:
    maps = listening.registry(CONFIG_MAPS)
    await maps.create("default", config_map("a"), options())
    async with http.get(MAPS, params={"watch": "true"}) as watch:
        assert json.loads(await watch.content.readline())["type"] == "ADDED"
        await maps.delete("default", "a", {}, options())
        event = json.loads(await watch.content.readline())
    assert (event["type"], event["object"]["metadata"]["name"]) == ("DELETED", "a")


async def test_a_watcher_that_leaves_is_forgotten(http: aiohttp.ClientSession, listening: ApiServer) -> None:
    cache = listening.registry(CONFIG_MAPS).cache
    watch = await http.get(MAPS, params={"watch": "true"})
    assert cache.statistics()["readers"] == 1
    watch.close()
    async with asyncio.timeout(5):
        while cache.statistics()["readers"]:  # noqa: ASYNC110 - the loop's turns are what is waited for
            await asyncio.sleep(0)


async def test_a_stopping_server_ends_watches_cleanly(http: aiohttp.ClientSession, listening: ApiServer) -> None:
    async with http.get(MAPS, params={"watch": "true"}) as watch:
        await listening.stop()
        assert await watch.read() == b""


async def test_a_watch_of_a_forgotten_version_says_so_in_an_event(
    http: aiohttp.ClientSession, listening: ApiServer
) -> None:
    maps = listening.registry(CONFIG_MAPS)
    for name in "abc":
        await maps.create("default", config_map(name), options())
    await maps.cache.compact(maps.cache.revision)
    async with http.get(MAPS, params={"watch": "true", "resourceVersion": "2"}) as watch:
        event = json.loads(await watch.content.readline())
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


async def test_people_get_a_table_and_caches_get_metadata(http: aiohttp.ClientSession, listening: ApiServer) -> None:
    await listening.registry(CONFIG_MAPS).create("default", config_map("a", {"k": "v"}), options())
    for view, key in (("Table", "rows"), ("PartialObjectMetadataList", "items")):
        accept = {"Accept": f"application/json;as={view};v=v1;g=meta.k8s.io,application/json"}
        async with http.get(MAPS, headers=accept) as answer:
            body = await answer.json()
            assert (body["kind"], len(body[key])) == (view, 1)
            assert '"data"' not in json.dumps(body[key])


async def test_warnings_are_headers(http: aiohttp.ClientSession) -> None:
    async with http.post(MAPS, json={**config_map("a"), "dota": 1}) as answer:
        assert answer.headers["Warning"] == '299 - "unknown field \\"dota\\""'


def test_an_empty_warning_is_none() -> None:
    assert warning_headers(["", "once", "once"]) == (("Warning", '299 - "once"'),)


async def test_health_is_told_check_by_check(http: aiohttp.ClientSession) -> None:
    async with http.get("/readyz", params={"verbose": ""}) as answer:
        text = await answer.text()
        assert "[+]ping ok\n" in text
        assert text.endswith("readyz check passed\n")
    async with http.get("/livez/ping") as answer:
        assert await answer.text() == "ok"
    async with http.get("/livez/nothing") as answer:
        assert answer.status == 404
    async with http.get("/livez", params={"verbose": "", "exclude": ["etcd", "nothing"]}) as answer:
        text = await answer.text()
    assert "[+]etcd excluded: ok\n" in text
    assert 'warn: some health checks cannot be excluded: no matches for "nothing"\n' in text


async def test_why_a_check_fails_is_only_told_to_who_asks_for_it(
    http: aiohttp.ClientSession, listening: ApiServer
) -> None:
    async def broken() -> str:
        return "the disk is full"

    listening.checks.ready("disk", broken)
    async with http.get("/readyz") as answer:
        text = await answer.text()
        assert answer.status == 500
    assert "[-]disk failed: reason withheld\n" in text
    assert text.endswith("readyz check failed\n")
    async with http.get("/readyz/disk") as answer:
        assert (answer.status, await answer.text()) == (500, "internal server error: the disk is full\n")
    async with http.get("/livez") as answer:
        assert answer.status == 200


async def test_a_server_says_what_it_is_and_how_it_was_started(http: aiohttp.ClientSession) -> None:
    async with http.get("/statusz") as answer:
        text = await answer.text()
    assert text.startswith("\napiserver statusz\nWarning: ")
    assert "Emulation version: 1.36\n" in text
    accept = {"Accept": "application/json;g=config.k8s.io;v=v1beta1;as=Flagz"}
    async with http.get("/flagz", headers=accept) as answer:
        body = await answer.json()
    assert (body["kind"], body["apiVersion"], body["metadata"]) == (
        "Flagz",
        "config.k8s.io/v1beta1",
        {"name": "apiserver"},
    )
    async with http.get("/flagz", headers={"Accept": "application/json"}) as answer:
        assert answer.status == 406
    async with http.get("/debug/pprof/heap") as answer:
        assert answer.status == 404


async def test_the_index_lists_what_is_served(http: aiohttp.ClientSession) -> None:
    async with http.get("/") as answer:
        paths = (await answer.json())["paths"]
    assert {"/api/v1", "/apis", "/apis/apps/v1", "/livez/etcd", "/openapi/v3", "/version"} <= set(paths)


async def test_discovery_is_encoded_once_and_cached_by_clients(http: aiohttp.ClientSession) -> None:
    aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    async with http.get("/apis", headers={"Accept": aggregated}) as answer:
        assert (await answer.json(content_type=None))["kind"] == "APIGroupDiscoveryList"
        tag = answer.headers["ETag"]
    async with http.get("/apis", headers={"Accept": aggregated, "If-None-Match": tag}) as answer:
        assert answer.status == 304
    async with http.get("/api/v1") as answer:
        assert "pods/log" in {each["name"] for each in (await answer.json())["resources"]}


async def test_metrics_tell_how_checks_went_and_what_is_running(http: aiohttp.ClientSession) -> None:
    for _ in range(2):
        async with http.get("/livez") as answer:
            assert answer.status == 200
    async with http.get("/metrics/slis") as answer:
        families = {each.name: each.samples for each in text_string_to_metric_families(await answer.text())}
    assert families.keys() == {"kubernetes_healthcheck", "kubernetes_healthchecks"}
    ping = {"name": "ping", "type": "livez"}
    [last] = [each.value for each in families["kubernetes_healthcheck"] if each.labels == ping]
    assert last == 1
    asked = {"status": "success", **ping}
    assert 2 in [each.value for each in families["kubernetes_healthchecks"] if each.labels == asked]
    async with http.get("/metrics") as answer:
        families = {each.name: each.samples for each in text_string_to_metric_families(await answer.text())}
    [running] = families["kubernetes_build_info"]
    assert (running.value, running.labels["major"], running.labels["minor"]) == (1, "1", "36")
    async with http.get("/version") as answer:
        assert running.labels["git_version"] == (await answer.json())["gitVersion"]


async def test_metrics_count_requests(http: aiohttp.ClientSession) -> None:
    async with http.get(MAPS):
        pass
    async with http.get("/metrics") as answer:
        text = await answer.text()
    wanted = {"verb": "LIST", "resource": "configmaps", "scope": "namespace", "component": "apiserver", "dry_run": ""}
    samples = [each for family in text_string_to_metric_families(text) for each in family.samples
               if wanted.items() <= each.labels.items()]  # fmt: skip
    values = {each.name: each.value for each in samples if "le" not in each.labels}
    assert values["apiserver_request_total"] == 1
    assert values["apiserver_request_duration_seconds_count"] == 1


async def test_metrics_tell_how_long_the_store_took(http: aiohttp.ClientSession) -> None:
    for _ in range(2):  # the second finds the first
        async with http.post(MAPS, json={"metadata": {"name": "timed"}}) as answer:
            assert answer.status in (201, 409)
    async with http.get("/metrics") as answer:
        text = await answer.text()
    wanted = {"operation": "create", "group": "", "resource": "configmaps"}
    samples = [each for family in text_string_to_metric_families(text) for each in family.samples
               if each.labels == wanted]  # fmt: skip
    values = {each.name: each.value for each in samples}
    assert values["etcd_request_duration_seconds_count"] == 2
    assert 0 < values["etcd_request_duration_seconds_sum"] < 60
    assert values["etcd_requests_total"] == 2
    assert "etcd_request_errors_total" not in values


async def test_metrics_name_the_deprecated_api_that_is_used(http: aiohttp.ClientSession) -> None:
    for path in (MAPS, "/api/v1/endpoints"):
        async with http.get(path) as answer:
            assert answer.status == 200
    async with http.get("/metrics") as answer:
        text = await answer.text()
    (found,) = [
        each for each in text_string_to_metric_families(text) if each.name == "apiserver_requested_deprecated_apis"
    ]
    (sample,) = found.samples
    assert sample.value == 1
    assert sample.labels == {
        "group": "", "version": "v1", "resource": "endpoints", "subresource": "", "removed_release": ""
    }  # fmt: skip


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, "the name of the object (absent based on URL) was undeterminable: name must be provided"),
        ({"name": "b"}, "the name of the object (b) does not match the name on the URL (absent)"),
    ],
)
async def test_what_replaces_an_object_says_its_name_whether_or_not_it_is_there(
    http: aiohttp.ClientSession, metadata: dict[str, str], message: str
) -> None:
    url = "/api/v1/namespaces/default/configmaps/absent"
    async with http.put(url, json={"metadata": metadata}) as answer:
        status = await answer.json()
    assert (answer.status, status["message"]) == (400, message)


async def test_a_scale_is_read_and_written(http: aiohttp.ClientSession) -> None:
    labels = {"app": "a"}
    template = {"metadata": {"labels": labels}, "spec": pod()["spec"]}
    document = {"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": labels}, "template": template}}
    deployments = "/apis/apps/v1/namespaces/default/deployments"
    async with http.post(deployments, json=document) as answer:
        assert answer.status == 201
    async with http.get(f"{deployments}/d/scale") as answer:
        scale = await answer.json()
    assert (scale["spec"], scale["status"]) == ({"replicas": 1}, {"replicas": 0, "selector": "app=a"})
    scale["spec"]["replicas"] = 4
    async with http.put(f"{deployments}/d/scale", json=scale) as answer:
        assert (await answer.json())["spec"]["replicas"] == 4
    async with http.put(f"{deployments}/d/scale", json=scale) as answer:
        assert answer.status == 409
    async with http.get(f"{deployments}/d") as answer:
        assert (await answer.json())["spec"]["replicas"] == 4


async def test_a_scale_that_is_put_says_whose_it_is(http: aiohttp.ClientSession) -> None:
    url = "/apis/apps/v1/namespaces/default/deployments/d/scale"
    for metadata, why in (
        ({}, "the name of the object (d based on URL) was undeterminable: name must be provided"),
        ({"name": "e"}, "the name of the object (e) does not match the name on the URL (d)"),
        (
            {"name": "d", "namespace": "other"},
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
    ):
        async with http.put(url, json={"metadata": metadata, "spec": {"replicas": 1}}) as answer:
            assert (answer.status, (await answer.json())["message"]) == (400, why)


async def test_apply_creates_then_updates_and_names_conflicts(http: aiohttp.ClientSession) -> None:
    headers = {"Content-Type": "application/apply-patch+yaml"}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}}

    async def apply(manager: str, value: str, **more: str) -> aiohttp.ClientResponse:
        document = json.dumps({**body, "data": {"k": value}}).encode()
        query = {"fieldManager": manager, **more}
        async with http.patch(f"{MAPS}/a", data=document, headers=headers, params=query) as answer:
            await answer.read()
            return answer

    assert (await apply("one", "v")).status == 201
    assert (await apply("one", "w")).status == 200
    assert (await apply("two", "x")).status == 409
    assert (await apply("two", "x", force="true")).status == 200


async def test_the_store_is_a_component(http: aiohttp.ClientSession) -> None:
    async with http.get("/api/v1/componentstatuses") as answer:
        items = (await answer.json())["items"]
    assert [(each["metadata"]["name"], each["conditions"][0]["status"]) for each in items] == [("etcd-0", "True")]
    async with http.get("/api/v1/componentstatuses/other") as answer:
        assert answer.status == 404


async def test_every_declared_verb_is_served(listening: ApiServer, http: aiohttp.ClientSession) -> None:
    for prefix in ("/api/v1", "/apis/apps/v1", "/apis/rbac.authorization.k8s.io/v1", "/apis/events.k8s.io/v1"):
        async with http.get(prefix) as answer:
            resources = (await answer.json())["resources"]
        for resource in resources:
            if "list" in resource["verbs"]:
                async with http.get(f"{prefix}/{resource['name']}") as answer:
                    assert answer.status == 200, resource["name"]


async def test_deleting_jobs_without_a_word_about_their_pods_warns(http: aiohttp.ClientSession) -> None:
    jobs, template = "/apis/batch/v1/namespaces/default/jobs", {"spec": {**pod()["spec"], "restartPolicy": "Never"}}
    for name in "abc":
        async with http.post(jobs, json={"metadata": {"name": name}, "spec": {"template": template}}) as answer:
            assert answer.status == 201
    async with http.delete(f"{jobs}/a") as answer:
        assert answer.headers["Warning"].startswith('299 - "child pods are preserved by default when jobs are deleted;')
    async with http.delete(f"{jobs}/b", params={"propagationPolicy": "Orphan"}) as answer:
        assert "Warning" not in answer.headers
    async with http.delete(jobs) as answer:
        assert len(answer.headers.getall("Warning")) == 1


async def test_a_deprecated_kind_warns_whoever_asks_for_it(http: aiohttp.ClientSession) -> None:
    async with http.get("/api/v1/namespaces/default/endpoints") as answer:
        said = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
        assert answer.headers["Warning"] == f'299 - "{said}"'
