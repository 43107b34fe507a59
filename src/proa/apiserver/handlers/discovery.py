"""What is served, over HTTP: /api, /apis and everything below them, plain and aggregated, encoded once.

Not here: the documents (machinery.discovery).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from proa.apiserver.aggregation.component import Aggregator
from proa.apiserver.aggregation.discovery import api_groups, joined
from proa.apiserver.negotiation import MEDIA_TYPES, PROTOBUF, YAML, clauses, encode_yaml
from proa.apiserver.reply import Reply, compressed
from proa.apiserver.request import Request, Response
from proa.machinery import discovery, protobuf
from proa.machinery import status as failures
from proa.machinery.apidiscovery import APIGroupDiscoveryList
from proa.machinery.declare import Object
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
        self._encoded: dict[tuple[str, str, str], tuple[bytes, str]] = {}

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
            return await self._reply(request, lambda: discovery.api_resources(resources, "", parts[1]))
        if parts[0] == "apis" and len(parts) == 2:
            return await self._reply(request, lambda: self._group(parts[1]))
        if parts[0] == "apis" and len(parts) == 3 and (parts[1], parts[2]) in served:
            return await self._reply(request, lambda: discovery.api_resources(resources, parts[1], parts[2]))
        if parts[0] == "api" or any(each.group == parts[1] and not each.custom for each in resources):
            raise failures.no_such_page()
        raise failures.NoSuchPathError

    async def _group_list(self, request: Request, *, legacy: bool) -> Response:
        version = _asked(request)[0]
        if version:
            return await self._reply(request, lambda: self._aggregated(legacy, version), aggregated=True)
        if legacy:
            return await self._reply(request, lambda: discovery.api_versions(self._address()))
        return await self._reply(request, lambda: APIGroupList(groups=api_groups(self._aggregator.order())))

    def _group(self, name: str) -> APIGroup:
        found = next((each for each in api_groups(self._aggregator.order()) if each.name == name), None)
        if found is None:
            raise failures.NoSuchPathError
        return found

    def _aggregated(self, legacy: bool, version: str) -> dict[str, Any]:
        document = discovery.aggregated(self._resources(), legacy=legacy, version=version)
        if not legacy:
            document["items"] = joined(document["items"], self._aggregator.remote(), self._aggregator.order())
        return document

    async def _reply(self, request: Request, document: Callable[[], Any], *, aggregated: bool = False) -> Reply:
        version, media_type = _asked(request, aggregated=aggregated)
        key = (request.info.path.rstrip("/"), version, media_type)
        found = self._encoded.get(key)
        if found is None:
            body = _encoded(document(), media_type)
            found = self._encoded[key] = body, discovery.etag(body)
        body, tag = found
        headers = (("ETag", tag), ("Vary", "Accept"))
        if request.headers.get("If-None-Match") == tag:
            return Reply(304, b"", "", headers)
        kind = f"{media_type};g={_GROUP};v={version};as={_LIST}" if version else media_type
        return await compressed(Reply(200, body, kind, headers), request.headers.get("Accept-Encoding", ""))


_GROUP, _LIST = "apidiscovery.k8s.io", "APIGroupDiscoveryList"


def _asked(request: Request, *, aggregated: bool = True) -> tuple[str, str]:
    """The version of the aggregated document that is asked for, '' for the plain one, and the media type.

    Raises StatusError 406.
    """
    for clause in clauses(request.headers.get("Accept") or "*/*"):
        said = clause.parameters
        media_type = next((kind for kind in MEDIA_TYPES if clause.allows(kind)), "")
        if not media_type:
            continue
        if "as" not in said:
            return "", media_type
        if aggregated and media_type != YAML and (said["as"], said.get("g")) == (_LIST, _GROUP):
            version = said.get("v", "")
            if version in discovery.AGGREGATED_VERSIONS:
                return version, media_type
    raise failures.not_acceptable(MEDIA_TYPES)


def _encoded(document: Any, media_type: str) -> bytes:
    if media_type == PROTOBUF:
        if isinstance(document, Object):
            return protobuf.encode(document)
        return protobuf.encode_document(document, APIGroupDiscoveryList)
    body = msgspec.json.encode(document)
    return encode_yaml(body) if media_type == YAML else body
