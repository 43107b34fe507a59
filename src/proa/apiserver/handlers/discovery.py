"""What is served, over HTTP: /api, /apis and everything below them, plain and aggregated, encoded once.

Not here: the documents (machinery.discovery).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from proa.apiserver.aggregation.component import Aggregator
from proa.apiserver.aggregation.discovery import api_groups, joined
from proa.apiserver.reply import JSON, Reply
from proa.apiserver.server import Request, Response, compressed
from proa.machinery import discovery
from proa.machinery import status as failures
from proa.machinery.meta import APIGroup, APIGroupList
from proa.machinery.resource import Resource


class DiscoveryHandlers:
    """Serves `resources()` and what `aggregator` adds; `changed()` when they give others."""

    def __init__(
        self, resources: Callable[[], Sequence[Resource[Any]]], address: Callable[[], str], aggregator: Aggregator
    ) -> None:
        self._resources = resources
        self._address = address
        self._aggregator = aggregator
        self._encoded: dict[tuple[str, str], tuple[bytes, str]] = {}

    def changed(self) -> None:
        """Forget what was encoded."""
        self._encoded.clear()

    async def legacy(self, request: Request) -> Response:
        """/api"""
        return await self._group_list(request, legacy=True)

    async def groups(self, request: Request) -> Response:
        """/apis"""
        return await self._group_list(request, legacy=False)

    async def below(self, request: Request) -> Response:
        """/api/v1, /apis/<group> and /apis/<group>/<version>"""
        resources = self._resources()
        parts = request.info.path.strip("/").split("/")
        served = {(each.group, each.version) for each in resources}
        if parts[0] == "api" and len(parts) == 2 and ("", parts[1]) in served:
            return await self._reply(request, "", lambda: discovery.api_resources(resources, "", parts[1]))
        if parts[0] == "apis" and len(parts) == 2:
            return await self._reply(request, "", lambda: self._group(parts[1]))
        if parts[0] == "apis" and len(parts) == 3 and (parts[1], parts[2]) in served:
            return await self._reply(request, "", lambda: discovery.api_resources(resources, parts[1], parts[2]))
        raise failures.no_such_page()

    async def _group_list(self, request: Request, *, legacy: bool) -> Response:
        version = _aggregated_version(request.headers.get("Accept", ""))
        if version:
            reply = await self._reply(request, version, lambda: self._aggregated(legacy, version))
            reply.content_type = f"{JSON};g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
            return reply
        if legacy:
            return await self._reply(request, "", lambda: discovery.api_versions(self._address()))
        return await self._reply(request, "", lambda: APIGroupList(groups=api_groups(self._aggregator.order())))

    def _group(self, name: str) -> APIGroup:
        found = next((each for each in api_groups(self._aggregator.order()) if each.name == name), None)
        if found is None:
            raise failures.no_such_page()
        return found

    def _aggregated(self, legacy: bool, version: str) -> dict[str, Any]:
        document = discovery.aggregated(self._resources(), legacy=legacy, version=version)
        if not legacy:
            document["items"] = joined(document["items"], self._aggregator.remote(), self._aggregator.order())
        return document

    async def _reply(self, request: Request, variant: str, document: Callable[[], Any]) -> Reply:
        key = (request.info.path.rstrip("/"), variant)
        found = self._encoded.get(key)
        if found is None:
            body = msgspec.json.encode(document())
            found = self._encoded[key] = body, discovery.etag(body)
        body, tag = found
        headers = (("ETag", tag), ("Vary", "Accept"))
        if request.headers.get("If-None-Match") == tag:
            return Reply(304, b"", "", headers)
        return await compressed(Reply(200, body, JSON, headers), request.headers.get("Accept-Encoding", ""))


def _aggregated_version(accept: str) -> str:
    """The version of the aggregated document an Accept header asks for, '' for the plain one."""
    for clause in accept.split(","):
        parameters = dict(each.strip().partition("=")[::2] for each in clause.split(";")[1:])
        if parameters.get("as") == "APIGroupDiscoveryList" and parameters.get("g") == "apidiscovery.k8s.io":
            version = parameters.get("v", "")
            if version in discovery.AGGREGATED_VERSIONS:
                return version
        elif clause.strip().startswith((JSON, "*/*")):
            return ""
    return ""
