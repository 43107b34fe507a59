from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.unit.apiserver.aggregation.conftest import FRONT_AUTHORITY, GROUP, PATH, Cluster
from tests.unit.apiserver.conftest import options

from proa.api.apiregistration_v1.resources import API_SERVICES
from proa.api.core_v1.resources import CONFIG_MAPS
from proa.apiserver.identity import LOOPBACK, User
from proa.machinery.status import StatusError

NAME = f"v1alpha1.{GROUP}"
AGGREGATED = {"Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}


async def eventually(look: Any) -> Any:
    for _ in range(500):
        found = await look()
        if found:
            return found
        await asyncio.sleep(0.01)
    raise AssertionError("never")


async def test_every_group_version_of_ours_has_an_api_service(cluster: Cluster) -> None:
    async def all_made() -> bool:
        return not cluster.server.aggregator.missing()

    await eventually(all_made)
    found = await cluster.get("/apis/apiregistration.k8s.io/v1/apiservices")
    by_name = {each["metadata"]["name"]: each for each in found["items"]}
    assert by_name["v1."]["spec"] == {"version": "v1", "groupPriorityMinimum": 18000, "versionPriority": 1}
    apps = by_name["v1.apps"]
    assert apps["metadata"]["labels"] == {"kube-aggregator.kubernetes.io/automanaged": "onstart"}
    assert (apps["spec"]["groupPriorityMinimum"], apps["spec"]["versionPriority"]) == (17800, 15)
    condition = apps["status"]["conditions"][0]
    assert (condition["status"], condition["reason"]) == ("True", "Local")
    assert condition["message"] == "Local APIServices are always available"
    assert "v1.apiregistration.k8s.io" not in by_name


async def test_groups_are_listed_by_their_priorities(cluster: Cluster) -> None:
    groups = [each["name"] for each in (await cluster.get("/apis"))["groups"]]
    assert groups[:4] == ["apiregistration.k8s.io", "apps", "events.k8s.io", "authentication.k8s.io"]
    autoscaling = await cluster.get("/apis/autoscaling")
    assert [each["version"] for each in autoscaling["versions"]] == ["v2", "v1"]
    assert autoscaling["preferredVersion"]["version"] == "v2"


async def test_extension_servers_find_by_what_they_know_us(cluster: Cluster) -> None:
    client = cluster.server.client_for(LOOPBACK)
    found = await client.get(CONFIG_MAPS, "extension-apiserver-authentication", "kube-system")
    assert found.data["client-ca-file"] == "the authority"
    assert found.data["requestheader-client-ca-file"] == FRONT_AUTHORITY.certificate.decode()
    assert found.data["requestheader-allowed-names"] == '["front-proxy-client"]'
    assert found.data["requestheader-username-headers"] == '["X-Remote-User"]'


async def test_why_a_server_is_not_available_is_said_step_by_step(cluster: Cluster) -> None:
    await cluster.register()
    condition = await cluster.condition("ServiceNotFound")
    assert (condition.status, condition.message) == ("False", 'service/wardle in "default" is not present')
    async with cluster.http.get(f"{PATH}/flunders") as answer:
        assert (answer.status, await answer.text()) == (503, "service unavailable\n")
    async with cluster.http.get("/metrics") as answer:
        text = await answer.text()
    assert f'aggregator_unavailable_apiservice{{name="{NAME}"}} 1.0\n' in text
    assert 'aggregator_unavailable_apiservice{name="v1.apps"} 0.0\n' in text
    await cluster.service()
    await cluster.condition("EndpointsNotFound")
    await cluster.endpoints(ready=False)
    condition = await cluster.condition("MissingEndpoints")
    assert condition.message.endswith('have no addresses with port name "api"')
    cluster.wardle.healthy = False
    await cluster.endpoints()
    condition = await cluster.condition("FailedDiscoveryCheck")
    assert "bad status" in condition.message
    cluster.wardle.healthy = True
    condition = await cluster.condition("Passed")
    assert (condition.status, condition.message) == ("True", "all checks passed")


async def test_metrics_count_how_often_a_server_ceased_to_be_available(cluster: Cluster) -> None:
    await cluster.everything()
    total = "aggregator_unavailable_apiservice_total"
    async with cluster.http.get("/metrics") as answer:
        assert f"{total}{{" not in await answer.text()
    async with cluster.http.delete("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/wardle-1") as answer:
        assert answer.status == 200
    await cluster.condition("EndpointsNotFound")
    async with cluster.http.get("/metrics") as answer:
        assert f'{total}{{name="{NAME}",reason="EndpointsNotFound"}} 1.0\n' in await answer.text()


async def test_a_server_with_another_certificate_is_not_available(cluster: Cluster) -> None:
    await cluster.service()
    await cluster.endpoints()
    await cluster.register(caBundle="", insecureSkipTLSVerify=False)
    assert "certificate" in (await cluster.condition("FailedDiscoveryCheck")).message
    patch = [{"op": "add", "path": "/spec/insecureSkipTLSVerify", "value": True}]
    kind = {"Content-Type": "application/json-patch+json"}
    async with cluster.http.patch(f"/apis/apiregistration.k8s.io/v1/apiservices/{NAME}", json=patch, headers=kind) as a:
        assert a.status == 200, await a.text()
    await cluster.condition("Passed")


async def test_requests_arrive_in_the_name_of_their_user(cluster: Cluster) -> None:
    await cluster.everything()
    path = f"{PATH}/namespaces/default/flunders"
    impersonation = {"Impersonate-User": "ann", "Impersonate-Group": "system:masters", "Impersonate-Extra-a%2fb": "c"}
    async with cluster.http.post(path, data=b"{}", headers=impersonation) as answer:
        body = await answer.json()
        assert answer.status == 201, body
        assert (answer.status, body["user"], body["body"]) == (201, "ann", "{}")
    headers = cluster.wardle.headers
    assert headers.getall("X-Remote-Group") == ["system:masters", "system:authenticated"]
    assert headers["X-Remote-Extra-a%2Fb"] == "c"
    assert not {"Authorization", "Impersonate-User"} & set(headers)
    assert headers["Audit-ID"] == answer.headers["Audit-Id"]
    async with cluster.http.get(path, headers={"X-Remote-User": "root"}) as answer:
        assert (await answer.json())["user"] == "admin"


async def test_users_without_the_right_do_not_get_there(cluster: Cluster) -> None:
    await cluster.everything()
    async with cluster.http.get(f"{PATH}/flunders", headers={"Authorization": "Bearer nobody"}) as answer:
        assert answer.status == 403
    assert all(user == "system:kube-aggregator" for user, _ in cluster.wardle.asked)


async def test_a_watch_is_passed_through_and_ends_with_its_client(cluster: Cluster) -> None:
    await cluster.everything()
    async with cluster.http.get(f"{PATH}/flunders?watch=true") as answer:
        assert await answer.content.readline() == b'{"type":"ADDED"}\n'
        assert not cluster.wardle.watch_ended.is_set()
    answer.close()
    await asyncio.wait_for(cluster.wardle.watch_ended.wait(), 5)


async def test_an_upgrade_is_passed_through_with_the_identity(cluster: Cluster) -> None:
    await cluster.everything()
    async with cluster.http.ws_connect(f"{PATH}/namespaces/default/flunders/a/connect") as socket:
        assert await socket.receive_str() == "admin"


@pytest.mark.parametrize("modern", [True, False])
async def test_discovery_joins_what_the_server_says(cluster: Cluster, modern: bool) -> None:
    cluster.wardle.modern = modern
    await cluster.everything()

    async def fresh() -> Any:
        items = (await cluster.get("/apis", headers=AGGREGATED))["items"]
        found = next((each["versions"][0] for each in items if each["metadata"]["name"] == GROUP), None)
        return found if found is not None and found["freshness"] == "Current" else None

    version = await eventually(fresh)
    assert [each["resource"] for each in version["resources"]] == ["flunders"]
    assert "responseKind" in version["resources"][0]
    groups = [each["name"] for each in (await cluster.get("/apis"))["groups"]]
    assert groups[-1] == GROUP
    assert (await cluster.get(f"/apis/{GROUP}"))["preferredVersion"]["version"] == "v1alpha1"
    assert (await cluster.get(PATH))["resources"][0]["name"] == "flunders"


async def test_a_server_that_cannot_be_asked_is_listed_as_stale(cluster: Cluster) -> None:
    await cluster.register()
    items = (await cluster.get("/apis", headers=AGGREGATED))["items"]
    found = next(each for each in items if each["metadata"]["name"] == GROUP)
    assert found["versions"] == [{"version": "v1alpha1", "resources": [], "freshness": "Stale"}]


async def test_a_withdrawn_api_service_leaves_nothing_behind(cluster: Cluster) -> None:
    await cluster.everything()
    await cluster.server.registry(API_SERVICES).delete("", NAME, {}, options())

    async def gone() -> bool:
        async with cluster.http.get(f"{PATH}/flunders") as answer:
            return answer.status == 404

    await eventually(gone)
    assert GROUP not in [each["name"] for each in (await cluster.get("/apis"))["groups"]]


@pytest.mark.parametrize("modern", [True, False])
async def test_schemas_join_ours(cluster: Cluster, modern: bool) -> None:
    cluster.wardle.modern = modern
    await cluster.everything()

    async def listed() -> Any:
        return (await cluster.get("/openapi/v3"))["paths"].get(PATH.removeprefix("/"))

    where = (await eventually(listed))["serverRelativeURL"]
    document = await cluster.get(where)
    if modern:
        assert (where, document["own"]) == (f"/openapi/v3{PATH}?hash=ABC", True)
    else:
        assert document["components"]["schemas"]["Flunder"]["properties"]["spec"]["$ref"] == "#/components/schemas/Spec"
        body = document["paths"][f"{PATH}/flunders"]["post"]["requestBody"]
        assert body["content"]["*/*"]["schema"]["$ref"] == "#/components/schemas/Flunder"
    whole = await cluster.get("/openapi/v2")
    assert f"{PATH}/flunders" in whole["paths"]
    assert "/api/v1/pods" in whole["paths"]
    assert {"Flunder", "Spec"} <= whole["definitions"].keys()
    assert "Unused" not in whole["definitions"]
    assert [each["name"] for each in whole["paths"][f"{PATH}/flunders"]["parameters"]] == ["pretty"]


async def test_callers_within_the_process_are_answered_too(cluster: Cluster) -> None:
    await cluster.register()
    await cluster.condition("ServiceNotFound")
    client = cluster.server.client_for(User("hpa", groups=("system:masters",)))
    with pytest.raises(StatusError) as error:
        await client.document("GET", f"{PATH}/namespaces/default/flunders")
    assert error.value.code == 503
    await cluster.service()
    await cluster.endpoints()
    await cluster.condition("Passed")
    answer = await client.document("POST", f"{PATH}/namespaces/default/flunders", {"a": 1}, query={"x": "y"})
    assert (answer["user"], answer["body"]) == ("hpa", '{"a":1}')
    assert cluster.wardle.asked[-1] == ("hpa", f"POST {PATH}/namespaces/default/flunders?x=y")
