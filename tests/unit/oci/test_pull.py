"""Pulls from a small registry on loopback that misbehaves on request."""

from __future__ import annotations

import asyncio
import os
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import pytest_asyncio
from aiohttp import web
from oci_builders import ImageContent, digest, layer, member

from proa.aio.backoff import Backoff
from proa.oci.errors import (
    CorruptContentError,
    ManifestUnknownError,
    RateLimitedError,
    RegistryUnavailableError,
    UnauthorizedError,
)
from proa.oci.model import OCI_INDEX, OCI_MANIFEST
from proa.oci.pull import Progress, Puller
from proa.oci.registries import Credentials, HostConfig, Mirror, Registries
from proa.oci.store import ImageStore

BIG = layer(member("big", os.urandom(3_000_000)))
USER = Credentials(username="user", password="secret")


class Registry:
    """Serves one image as `team/app:1`. `users`: who may pull; '' is everybody."""

    def __init__(self) -> None:
        self.image = ImageContent(layer(member("base", b"base")), BIG)
        self.host = ""
        self.token_user = ""
        self.basic_user = ""
        self.cut_after = 0
        self.ranges = True
        self.corrupt = False
        self.broken = 0
        self.limited = False
        self.requests: Counter[str] = Counter()
        self.ranges_asked: list[str] = []
        self.asked = asyncio.Event()
        self.gate: asyncio.Event | None = None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        kind = request.match_info["kind"]
        target = request.match_info["target"]
        self.requests[kind] += 1
        if self.broken:
            self.broken -= 1
            return web.Response(status=503, text="try later")
        if self.limited:
            return web.Response(status=429, headers={"Retry-After": "60"})
        if request.match_info["name"] != "team/app":
            return web.json_response({"errors": [{"code": "NAME_UNKNOWN"}]}, status=404)
        if (refusal := self.refusal(request)) is not None:
            return refusal
        if kind == "manifests":
            return self.manifest(target)
        self.asked.set()
        if self.gate is not None:
            await self.gate.wait()
        return await self.blob(request, target)

    def refusal(self, request: web.Request) -> web.Response | None:
        given = request.headers.get("Authorization", "")
        if self.token_user and given != "Bearer good-token":
            realm = f'Bearer realm="http://{self.host}/token",service="test",scope="repository:team/app:pull"'
            return web.Response(status=401, headers={"WWW-Authenticate": realm})
        if self.basic_user and given != f"Basic {b64encode(self.basic_user.encode()).decode()}":
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="test"'})
        return None

    async def token(self, request: web.Request) -> web.Response:
        self.requests["token"] += 1
        assert request.query["scope"] == "repository:team/app:pull"
        if request.headers.get("Authorization") != f"Basic {b64encode(self.token_user.encode()).decode()}":
            return web.Response(status=401)
        return web.json_response({"token": "good-token"})

    def manifest(self, target: str) -> web.Response:
        known = {"1": (OCI_INDEX, self.image.index), digest(self.image.index): (OCI_INDEX, self.image.index)}
        known[digest(self.image.manifest)] = (OCI_MANIFEST, self.image.manifest)
        if target not in known:
            return web.Response(status=404)
        kind, body = known[target]
        return web.Response(body=body, content_type=kind, headers={"Docker-Content-Digest": digest(body)})

    async def blob(self, request: web.Request, target: str) -> web.StreamResponse:
        data = self.image.blobs[target]
        if self.corrupt:
            data = data[:-1] + bytes([data[-1] ^ 1])
        headers, status, start = {}, 200, 0
        if (asked := request.headers.get("Range")) and self.ranges:
            self.ranges_asked.append(asked)
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            status, headers = 206, {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
        answer = web.StreamResponse(status=status, headers=headers)
        answer.content_length = len(data) - start
        await answer.prepare(request)
        if self.cut_after and len(data) > self.cut_after:
            await answer.write(data[start : start + self.cut_after])
            self.cut_after = 0
            assert request.transport is not None
            request.transport.close()
            return answer
        await answer.write(data[start:])
        return answer


@asynccontextmanager
async def serving(registry: Registry) -> AsyncIterator[Registry]:
    app = web.Application()
    app.router.add_get("/token", registry.token)
    app.router.add_get("/v2/{name:.+}/{kind:manifests|blobs}/{target}", registry.serve)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    registry.host = "{}:{}".format(*runner.addresses[0])
    yield registry
    await runner.cleanup()


@pytest_asyncio.fixture
async def registry() -> AsyncIterator[Registry]:
    async with serving(Registry()) as started:
        yield started


@pytest_asyncio.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


def puller(stack: AsyncExitStack, store: ImageStore, registries: Registries | None = None) -> Puller:
    made = Puller(store, registries, backoff=Backoff(base=0.0))
    stack.push_async_callback(made.close)
    return made


async def test_an_image_is_pulled_named_and_unpacked(
    store: ImageStore, registry: Registry, stack: AsyncExitStack
) -> None:
    steps: list[Progress] = []
    image = await puller(stack, store).pull(f"{registry.host}/team/app:1", progress=steps.append)
    found = await store.resolve(f"{registry.host}/team/app:1")
    assert image.id == found.id == registry.image.id
    assert found.digest_reference == f"{registry.host}/team/app@{digest(registry.image.index)}"
    assert (found.lowerdirs[0] / "big").stat().st_size == 3_000_000
    assert sum(step.unpacked for step in steps) == 2


async def test_a_pull_by_digest_is_found_by_it(store: ImageStore, registry: Registry, stack: AsyncExitStack) -> None:
    name = f"{registry.host}/team/app@{digest(registry.image.manifest)}"
    await puller(stack, store).pull(name)
    assert (await store.resolve(name)).digest_reference == name


async def test_a_second_pull_downloads_no_blob(store: ImageStore, registry: Registry, stack: AsyncExitStack) -> None:
    pulling = puller(stack, store)
    await pulling.pull(f"{registry.host}/team/app:1")
    before = registry.requests["blobs"]
    await pulling.pull(f"{registry.host}/team/app:1")
    assert registry.requests["blobs"] == before == 3


async def test_many_who_want_one_image_cause_one_pull(
    store: ImageStore, registry: Registry, stack: AsyncExitStack
) -> None:
    pulling = puller(stack, store)
    await asyncio.gather(*(pulling.pull(f"{registry.host}/team/app:1") for _ in range(10)))
    assert registry.requests["blobs"] == 3
    assert registry.requests["manifests"] == 2
    assert pulling.statistics()["pulled"] == 1


async def test_one_who_gives_up_does_not_stop_the_pull_for_others(
    store: ImageStore, registry: Registry, stack: AsyncExitStack
) -> None:
    pulling = puller(stack, store)
    registry.gate = asyncio.Event()
    first = asyncio.ensure_future(pulling.pull(f"{registry.host}/team/app:1"))
    second = asyncio.ensure_future(pulling.pull(f"{registry.host}/team/app:1"))
    await registry.asked.wait()
    first.cancel()
    registry.gate.set()
    assert (await second).id == registry.image.id


async def test_a_token_is_fetched_with_the_credentials_that_work(
    store: ImageStore, registry: Registry, stack: AsyncExitStack
) -> None:
    registry.token_user = "user:secret"
    wrong = Credentials(username="user", password="guess")
    await puller(stack, store).pull(f"{registry.host}/team/app:1", [wrong, USER])
    assert registry.requests["token"] == 2


async def test_basic_authentication_with_configured_credentials(
    store: ImageStore, registry: Registry, stack: AsyncExitStack
) -> None:
    registry.basic_user = "user:secret"
    registries = Registries(configs={registry.host: HostConfig(auth=USER)})
    await puller(stack, store, registries).pull(f"{registry.host}/team/app:1")


@pytest.mark.parametrize("scheme", ["token_user", "basic_user"])
async def test_without_the_right_credentials_the_error_says_so(
    store: ImageStore, registry: Registry, stack: AsyncExitStack, scheme: str
) -> None:
    setattr(registry, scheme, "user:secret")
    pulling = puller(stack, store)
    with pytest.raises(UnauthorizedError, match="imagePullSecrets"):
        await pulling.pull(f"{registry.host}/team/app:1")
    with pytest.raises(UnauthorizedError, match="refuses the credentials"):
        await pulling.pull(f"{registry.host}/team/app:1", [Credentials(username="x", password="y")])
    await pulling.pull(f"{registry.host}/team/app:1", [USER])
    with pytest.raises(UnauthorizedError):  # the token of one user is not lent to others
        await pulling.pull(f"{registry.host}/team/app:1")


async def test_a_cut_download_is_resumed_where_it_stopped(
    store: ImageStore, registry: Registry, stack: AsyncExitStack
) -> None:
    registry.cut_after = 1_000_000
    await puller(stack, store).pull(f"{registry.host}/team/app:1")
    (asked,) = registry.ranges_asked
    assert 0 < int(asked.removeprefix("bytes=").rstrip("-")) <= 1_000_000
    await store.resolve(f"{registry.host}/team/app:1")


async def test_a_registry_without_ranges_starts_over(
    store: ImageStore, registry: Registry, stack: AsyncExitStack
) -> None:
    registry.cut_after, registry.ranges = 1_000_000, False
    await puller(stack, store).pull(f"{registry.host}/team/app:1")
    await store.resolve(f"{registry.host}/team/app:1")


async def test_content_with_another_digest_is_refused(
    store: ImageStore, registry: Registry, stack: AsyncExitStack
) -> None:
    registry.corrupt = True
    with pytest.raises(CorruptContentError, match="expected sha256"):
        await puller(stack, store).pull(f"{registry.host}/team/app:1")
    assert await store.images() == ()
    assert list(store.content.ingest.iterdir()) == []


async def test_a_corrupt_or_absent_mirror_is_passed_over(
    store: ImageStore, registry: Registry, stack: AsyncExitStack
) -> None:
    mirror = await stack.enter_async_context(serving(Registry()))
    mirror.image, mirror.corrupt = registry.image, True
    places = ("http://127.0.0.1:1", f"http://{mirror.host}")
    registries = Registries(mirrors={registry.host: Mirror(endpoint=places)})
    await puller(stack, store, registries).pull(f"{registry.host}/team/app:1")
    assert mirror.requests["manifests"] > 0
    assert registry.requests["blobs"] == 3


async def test_a_mirror_spares_the_registry(store: ImageStore, registry: Registry, stack: AsyncExitStack) -> None:
    registries = Registries(
        mirrors={"docker.io": Mirror(endpoint=(f"http://{registry.host}",), rewrite={"^library/(.*)$": "team/$1"})}
    )
    await puller(stack, store, registries).pull("app:1")
    assert (await store.resolve("app:1")).tags == ("docker.io/library/app:1",)


async def test_a_server_error_is_tried_again(store: ImageStore, registry: Registry, stack: AsyncExitStack) -> None:
    registry.broken = 2
    await puller(stack, store).pull(f"{registry.host}/team/app:1")
    assert registry.requests["manifests"] == 4


async def test_a_registry_that_stays_away_is_unavailable(
    store: ImageStore, registry: Registry, stack: AsyncExitStack
) -> None:
    registry.broken = 100
    with pytest.raises(RegistryUnavailableError, match="503") as caught:
        await puller(stack, store).pull(f"{registry.host}/team/app:1")
    assert caught.value.reason == "RegistryUnavailable"
    with pytest.raises(RegistryUnavailableError, match="cannot be reached"):
        await puller(stack, store).pull("127.0.0.1:1/team/app:1")


async def test_a_rate_limit_names_the_remedy(store: ImageStore, registry: Registry, stack: AsyncExitStack) -> None:
    registry.limited = True
    with pytest.raises(RateLimitedError, match=r"log in .*mirror.*image import") as caught:
        await puller(stack, store).pull(f"{registry.host}/team/app:1")
    assert caught.value.retry_after == 60
    assert caught.value.reason == "ErrImagePull"


@pytest.mark.parametrize("name", ["team/app:2", "team/other:1"])
async def test_an_unknown_image_is_said_to_be(
    store: ImageStore, registry: Registry, stack: AsyncExitStack, name: str
) -> None:
    with pytest.raises(ManifestUnknownError, match="does not exist"):
        await puller(stack, store).pull(f"{registry.host}/{name}")


async def test_a_proxy_of_the_environment_is_used(
    store: ImageStore, registry: Registry, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RegistryUnavailableError):
        await puller(stack, store).pull(f"{registry.host}/team/app:1")
    assert not registry.requests
