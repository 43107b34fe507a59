"""What any client must do: the same suite in process and over HTTP, against the real API server on the memory store."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from proa.api.apps_v1 import Deployment
from proa.api.apps_v1.resources import DEPLOYMENTS
from proa.api.core_v1 import Binding, ConfigMap, Node, ObjectReference, Pod, ResourceRequirements
from proa.api.core_v1.resources import CONFIG_MAPS, NODES, PODS
from proa.apiserver.authn.certificates import CertificateAuthenticator
from proa.apiserver.authn.static_tokens import StaticTokenAuthenticator
from proa.apiserver.compose import ApiServer, Config
from proa.apiserver.identity import MASTERS, User
from proa.client.connection import Connection
from proa.client.http import HttpClient
from proa.client.informer import Informers
from proa.client.protocol import Client, UnreachableError
from proa.machinery.meta import ObjectMeta
from proa.machinery.status import (
    StatusError,
    is_already_exists,
    is_conflict,
    is_forbidden,
    is_invalid,
    is_not_found,
    is_timeout,
    is_unauthorized,
)
from proa.pki.certificates import Subject, create_authority, issue
from proa.store.memory import MemoryStore

ADMIN = User("admin", groups=(MASTERS,))


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    store = MemoryStore()
    server = ApiServer(Config(store=store, port=0))
    await server.load()
    tokens = {"secret": ADMIN, "nobody": User("nobody")}
    server.install(authenticators=[StaticTokenAuthenticator(tokens)])
    await server.listen()
    yield server
    await server.stop()
    await store.close()


def over_http(server: ApiServer, token: str = "secret", **more: Any) -> HttpClient:
    return HttpClient(Connection(server=f"http://127.0.0.1:{server.port}", token=token, **more))


@pytest.fixture(params=["inprocess", "http"])
async def client(request: pytest.FixtureRequest, server: ApiServer) -> AsyncIterator[Client]:
    client: Client = server.client_for(ADMIN) if request.param == "inprocess" else over_http(server)
    yield client
    await client.close()


def config_map(name: str, value: str = "1", **meta: Any) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default", **meta), data={"key": value})


async def test_an_object_is_created_read_replaced_and_deleted(client):
    created = await client.create(CONFIG_MAPS, config_map("a"))
    assert created.metadata.uid
    assert created.metadata.creationTimestamp
    assert await client.get(CONFIG_MAPS, "a", "default") == created
    changed = await client.update(CONFIG_MAPS, msgspec.structs.replace(created, data={"key": "2"}))
    assert changed.data == {"key": "2"}
    assert int(changed.metadata.resourceVersion) > int(created.metadata.resourceVersion)
    with pytest.raises(StatusError) as stale:
        await client.update(CONFIG_MAPS, msgspec.structs.replace(created, data={"key": "3"}))
    assert is_conflict(stale.value)
    with pytest.raises(StatusError) as other:
        await client.delete(CONFIG_MAPS, "a", "default", uid="00000000-0000-0000-0000-000000000000")
    assert is_conflict(other.value)
    await client.delete(CONFIG_MAPS, "a", "default", uid=created.metadata.uid)
    with pytest.raises(StatusError) as gone:
        await client.get(CONFIG_MAPS, "a", "default")
    assert is_not_found(gone.value)
    assert gone.value.message == 'configmaps "a" not found'


async def test_failures_carry_the_reason_of_the_server(client):
    await client.create(CONFIG_MAPS, config_map("a"))
    with pytest.raises(StatusError) as exists:
        await client.create(CONFIG_MAPS, config_map("a"))
    assert is_already_exists(exists.value)
    with pytest.raises(StatusError) as invalid:
        await client.create(CONFIG_MAPS, config_map("Not Valid"))
    assert is_invalid(invalid.value)
    assert invalid.value.status.details.causes[0].field == "metadata.name"


async def test_a_list_is_paged_and_selected(client):
    for number in range(5):
        await client.create(CONFIG_MAPS, config_map(f"c{number}", labels={"parity": str(number % 2)}))
    page = await client.list(CONFIG_MAPS, "default", limit=2)
    names = [each.metadata.name for each in page.items]
    while page.continue_:
        page = await client.list(CONFIG_MAPS, "default", limit=2, continue_=page.continue_)
        names += [each.metadata.name for each in page.items]
    assert names == ["c0", "c1", "c2", "c3", "c4"]
    odd = await client.list(CONFIG_MAPS, "default", label_selector="parity=1")
    assert [each.metadata.name for each in odd.items] == ["c1", "c3"]
    one = await client.list(CONFIG_MAPS, field_selector="metadata.name=c2")
    assert [each.metadata.name for each in one.items] == ["c2"]
    await client.delete_collection(CONFIG_MAPS, "default", label_selector="parity=0")
    left = await client.list(CONFIG_MAPS, "default")
    assert [each.metadata.name for each in left.items] == ["c1", "c3"]


async def test_a_dry_run_changes_nothing(client):
    tried = await client.create(CONFIG_MAPS, config_map("a"), dry_run=True)
    assert tried.metadata.name == "a"
    assert list((await client.list(CONFIG_MAPS, "default")).items) == []


async def test_every_kind_of_patch_does_what_it_says(client):
    await client.create(CONFIG_MAPS, config_map("a"))
    merged = await client.patch(CONFIG_MAPS, "a", "default", {"data": {"more": "2"}}, type="merge")
    assert merged.data == {"key": "1", "more": "2"}
    operations = [{"op": "remove", "path": "/data/more"}]
    assert (await client.patch(CONFIG_MAPS, "a", "default", operations, type="json")).data == {"key": "1"}
    strategic = {"metadata": {"labels": {"x": "y"}}}
    assert (await client.patch(CONFIG_MAPS, "a", "default", strategic)).metadata.labels == {"x": "y"}
    applied = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"key": "5"}}
    with pytest.raises(StatusError) as conflict:
        await client.patch(CONFIG_MAPS, "a", "default", applied, type="apply", field_manager="me")
    assert is_conflict(conflict.value)
    forced = await client.patch(CONFIG_MAPS, "a", "default", applied, type="apply", field_manager="me", force=True)
    assert forced.data == {"key": "5"}


async def test_status_is_written_apart_from_the_rest(client):
    deployment = msgspec.convert(
        {
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "main", "image": "v1"}]},
                },
            },
        },
        Deployment,
    )
    created = await client.create(DEPLOYMENTS, deployment)
    assert created.spec.replicas == 1
    status = msgspec.structs.replace(created.status, replicas=7)
    spec = msgspec.structs.replace(created.spec, replicas=9)
    both = msgspec.structs.replace(created, spec=spec, status=status)
    written = await client.update(DEPLOYMENTS, both, subresource="status")
    assert (written.spec.replicas, written.status.replicas) == (1, 7)


async def test_a_part_is_written_by_its_own_rules(client):
    pods = "/api/v1/namespaces/default/pods"
    container = {"name": "main", "image": "i", "resources": {"requests": {"cpu": "1"}}}
    await client.document("POST", pods, {"metadata": {"name": "p"}, "spec": {"containers": [container]}})
    pod = await client.get(PODS, "p", "default")
    larger = msgspec.structs.replace(pod.spec.containers[0], resources=ResourceRequirements(requests={"cpu": "2"}))
    spec = msgspec.structs.replace(pod.spec, containers=(larger,), hostname="ignored")
    resized = await client.update(PODS, msgspec.structs.replace(pod, spec=spec), subresource="resize")
    assert (resized.spec.containers[0].resources.requests, resized.spec.hostname) == ({"cpu": "2"}, "")
    assert resized.metadata.generation == pod.metadata.generation + 1
    with pytest.raises(StatusError) as stale:
        await client.update(PODS, msgspec.structs.replace(pod, spec=spec), subresource="resize")
    assert is_conflict(stale.value)
    debugging = {"spec": {"ephemeralContainers": [{"name": "debug", "image": "i"}]}}
    patched = await client.patch(PODS, "p", "default", debugging, subresource="ephemeralcontainers")
    assert [each.name for each in patched.spec.ephemeralContainers] == ["debug"]
    renamed = {"spec": {"containers": [{"name": "other", "image": "i"}]}}
    with pytest.raises(StatusError) as refused:
        await client.patch(PODS, "p", "default", renamed, type="merge", subresource="resize")
    assert "containers may not be renamed or reordered on resize" in refused.value.message
    applied = {
        "apiVersion": "v1",
        "kind": "Pod",
        "spec": {"containers": [{**container, "resources": {"requests": {"cpu": "3"}}}]},
    }
    done = await client.patch(
        PODS, "p", "default", applied, type="apply", subresource="resize", field_manager="me", force=True
    )
    assert done.spec.containers[0].resources.requests == {"cpu": "3"}
    owner = next(each for each in done.metadata.managedFields if each.manager == "me")
    assert (owner.operation, owner.subresource) == ("Apply", "resize")


async def test_a_pod_is_bound_and_api_paths_answer_plain_documents(client):
    await client.create(NODES, Node(metadata=ObjectMeta(name="node")))
    pod = {
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {"containers": [{"name": "main", "image": "v1"}]},
    }
    await client.create(PODS, msgspec.convert(pod, Pod))
    binding = Binding(
        metadata=ObjectMeta(name="p", namespace="default"), target=ObjectReference(kind="Node", name="node")
    )
    await client.post(PODS, "p", "default", "binding", binding)
    assert (await client.get(PODS, "p", "default")).spec.nodeName == "node"
    found = await client.document("GET", "/api/v1/namespaces/default/pods", query={"limit": "1"})
    assert found["kind"] == "PodList"
    assert found["items"][0]["metadata"]["name"] == "p"
    with pytest.raises(StatusError) as missing:
        await client.document("GET", "/apis/nothing.example.com/v1")
    assert is_not_found(missing.value)


async def test_a_watch_brings_what_happens_after_its_version(client):
    start = (await client.list(CONFIG_MAPS, "default")).resource_version
    seen: list[tuple[str, str]] = []

    async def watch() -> None:
        async for batch in client.watch(CONFIG_MAPS, "default", resource_version=start):
            seen.extend((each.type, each.object.metadata.name) for each in batch if each.type != "BOOKMARK")
            if len(seen) == 4:
                return

    watching = asyncio.create_task(watch())
    await client.create(CONFIG_MAPS, config_map("a"))
    await client.patch(CONFIG_MAPS, "a", "default", {"data": {"x": "y"}}, type="merge")
    await client.create(CONFIG_MAPS, config_map("b"))
    await client.delete(CONFIG_MAPS, "a", "default")
    await asyncio.wait_for(watching, 10)
    assert seen == [("ADDED", "a"), ("MODIFIED", "a"), ("ADDED", "b"), ("DELETED", "a")]


async def test_a_watch_ends_after_its_timeout(client):
    start = (await client.list(CONFIG_MAPS, "default")).resource_version
    async for _ in client.watch(CONFIG_MAPS, "default", resource_version=start, bookmarks=False, timeout=1.0):
        raise AssertionError("nothing happened")


async def test_a_watch_from_the_future_is_refused(client):
    batches = client.watch(CONFIG_MAPS, "default", resource_version="999999999", timeout=1.0)
    with pytest.raises(StatusError, match="Too large resource version") as refused:
        await anext(batches)
    assert is_timeout(refused.value)


async def test_an_informer_follows_over_either_client(client):
    async with Informers(client) as informers:
        informer = informers.informer(CONFIG_MAPS, "default")
        await asyncio.wait_for(informer.synced(), 10)
        arrived = asyncio.Event()
        informer.on_change(lambda old, new: arrived.set() if new and new.metadata.name == "last" else None)
        for number in range(200):
            await client.create(CONFIG_MAPS, config_map(f"c{number}"))
        await client.create(CONFIG_MAPS, config_map("last"))
        await asyncio.wait_for(arrived.wait(), 10)
        assert len(informer) == 201


async def test_the_wrong_token_is_unauthorized_and_a_stranger_forbidden(server):
    for token, says in (("wrong", is_unauthorized), ("nobody", is_forbidden)):
        client = over_http(server, token)
        with pytest.raises(StatusError) as refused:
            await client.list(CONFIG_MAPS, "default")
        assert says(refused.value)
        await client.close()


async def test_a_token_file_is_read_again_when_the_token_no_longer_counts(server, tmp_path):
    path = tmp_path / "token"
    path.write_text("wrong\n")
    client = over_http(server, "", token_file=str(path))
    with pytest.raises(StatusError) as refused:
        await client.list(CONFIG_MAPS, "default")
    assert is_unauthorized(refused.value)
    path.write_text("secret\n")
    assert list((await client.list(CONFIG_MAPS, "default")).items) == []
    await client.close()


async def test_an_absent_server_is_unreachable(unused_tcp_port):
    client = HttpClient(Connection(server=f"http://127.0.0.1:{unused_tcp_port}"))
    with pytest.raises(UnreachableError, match=f"POST http://127.0.0.1:{unused_tcp_port}/api/v1"):
        await client.create(CONFIG_MAPS, config_map("a"))
    assert client.statistics()["retries"] == 0, "only what may be done twice is sent twice"
    with pytest.raises(UnreachableError):
        await client.get(CONFIG_MAPS, "a", "default")
    assert client.statistics()["retries"] > 0
    await client.close()


async def test_a_client_over_http_counts_its_requests_by_code(server):
    client = over_http(server)
    await client.list(CONFIG_MAPS, "default")
    with pytest.raises(StatusError):
        await client.get(CONFIG_MAPS, "absent", "default")
    await client.close()
    assert client.metrics.host == f"127.0.0.1:{server.port}"
    assert client.metrics.codes == {("200", "GET"): 1, ("404", "GET"): 1}
    assert sum(client.metrics.seconds["GET"].counts) == 2


async def test_a_client_certificate_over_tls_says_who_asks(tmp_path):
    now = datetime.now(UTC)
    authority = create_authority("test", now)
    serving = issue(authority, Subject("server"), now, server=True, addresses=["127.0.0.1"])
    own = issue(authority, Subject("alice", (MASTERS,)), now, client=True)
    for name, content in (("ca", authority.certificate), ("crt", serving.certificate), ("key", serving.key)):
        (tmp_path / name).write_bytes(content)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    tls.load_verify_locations(tmp_path / "ca")
    tls.verify_mode = ssl.CERT_OPTIONAL
    store = MemoryStore()
    server = ApiServer(Config(store=store, port=0, tls=tls))
    await server.load()
    server.install(authenticators=[CertificateAuthenticator()])
    await server.listen()
    url = f"https://127.0.0.1:{server.port}"
    alice = HttpClient(
        Connection(server=url, ca=authority.certificate, certificate=own.certificate, key=own.key), manager="test"
    )
    created = await alice.create(CONFIG_MAPS, config_map("a"))
    assert created.metadata.managedFields[0].manager == "test"
    stranger = HttpClient(Connection(server=url, ca=authority.certificate))
    with pytest.raises(StatusError) as refused:
        await stranger.list(CONFIG_MAPS, "default")
    assert is_forbidden(refused.value)
    distrustful = HttpClient(Connection(server=url, ca=create_authority("other", now).certificate))
    with pytest.raises(UnreachableError, match="certificate"):
        await distrustful.list(CONFIG_MAPS, "default")
    for client in (alice, stranger, distrustful):
        await client.close()
    await server.stop()
    await store.close()
