"""What is told of paths that serve nothing: a Status within groups of the server's own, plain text of all others."""

from __future__ import annotations

import aiohttp
import pytest
from tests.unit.apiserver.conftest import ADMIN

from proa.apiserver.compose import ApiServer
from proa.machinery.status import StatusError


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/nothing",
        "/api/v1/namespaces/default/nothing/a",
        "/api/v1/namespaces/default/pods/a/nothing",
        "/api/v2",
        "/api/v2/pods",
        "/apis/apps/v1/nothing",
        "/apis/apps/v9",
        "/apis/apps/v9/deployments",
        "/apis/apiextensions.k8s.io/v1beta1/customresourcedefinitions",
        "/apis/apiregistration.k8s.io/v1beta1/apiservices",
    ],
)
async def test_in_groups_of_its_own_the_server_tells_by_a_status(http: aiohttp.ClientSession, path: str) -> None:
    async with http.get(path) as answer:
        body = await answer.json()
    assert (answer.status, body["message"]) == (404, "the server could not find the requested resource")


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/apis/example.com",
        "/apis/example.com/v1",
        "/apis/example.com/v1/things",
        "/apis/example.com/v1/namespaces/default/things/a",
        "/healthz/nothing",
        "/readyz/nothing",
        "/metrics/nothing",
        "/debug/nothing",
    ],
)
async def test_of_other_paths_it_tells_in_text(http: aiohttp.ClientSession, path: str) -> None:
    async with http.get(path) as answer:
        assert (answer.status, await answer.text()) == (404, "404 page not found\n")
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_who_may_not_ask_is_told_that_first(http: aiohttp.ClientSession) -> None:
    async with http.get("/nothing", headers={"Authorization": "Bearer nobody"}) as answer:
        assert (answer.status, (await answer.json())["reason"]) == (403, "Forbidden")


async def test_components_are_told_as_clients_understand_the_text(listening: ApiServer) -> None:
    with pytest.raises(StatusError) as refused:
        await listening.client_for(ADMIN).document("GET", "/apis/example.com/v1/things")
    assert (refused.value.code, refused.value.reason, refused.value.message) == (404, "NotFound", "404 page not found")
