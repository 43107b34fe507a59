"""/openapi/v2 and /openapi/v3 over HTTP: made on first demand, in a thread, and kept as bytes.

Not here: the documents (machinery.openapi).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec

from proa.api.core_v1 import TopologySelectorTerm
from proa.apiserver.aggregation.component import Aggregator
from proa.apiserver.aggregation.extension import path_of
from proa.apiserver.aggregation.openapi import join_v2
from proa.apiserver.reply import JSON, Reply, compressed
from proa.apiserver.request import Request, Response
from proa.machinery import status as failures
from proa.machinery.discovery import etag
from proa.machinery.meta import GroupResource
from proa.machinery.resource import Resource

_FOR_EVER = "public, max-age=31536000, immutable"
# Types that only operations of groups which are not served mention.
_UNMENTIONED = (TopologySelectorTerm, GroupResource)
# Upstream's own spelling of "v2 as JSON", and of the protobuf form, which answers are spelt without the `@`.
_V2_JSON = (JSON, "*/*", "application/*", "application/com.github.proto-openapi.spec.v2@v1.0+json")
_V2_PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
_V2_PROTOBUF_ANSWER = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"


class OpenApiHandlers:
    """Serves `resources()` and what `aggregator` adds; `changed()` when they give others. build: our version."""

    def __init__(self, resources: Callable[[], Sequence[Resource[Any]]], build: str, aggregator: Aggregator) -> None:
        self._resources = resources
        self._build = build
        self._aggregator = aggregator
        self._made: dict[str, _Made] = {}

    def changed(self) -> None:
        """Forget what was made of resources that are served differently now."""
        versions = self._versions()
        self._made = {
            name: made
            for name, made in self._made.items()
            if made.version is not None and _same(made.of, versions.get(made.version, ()))
        }

    def _versions(self) -> dict[tuple[str, str], tuple[Resource[Any], ...]]:
        """What is served of each group version."""
        found: dict[tuple[str, str], list[Resource[Any]]] = {}
        for each in self._resources():
            found.setdefault((each.group, each.version), []).append(each)
        return {version: tuple(resources) for version, resources in found.items()}

    async def v2(self, request: Request) -> Response:
        """/openapi/v2"""
        accepted = [each.partition(";")[0].strip() for each in request.headers.get("Accept", "*/*").split(",")]
        kind = next((each for each in accepted if each in (*_V2_JSON, _V2_PROTOBUF)), None)
        if kind is None:
            raise failures.not_acceptable((JSON, _V2_PROTOBUF))
        if kind == _V2_PROTOBUF:
            return await self._reply(request, "v2 protobuf", self._protobuf_v2, _V2_PROTOBUF_ANSWER)
        return await self._reply(request, "v2", self._document_v2)

    async def index(self, request: Request) -> Response:
        """/openapi/v3"""
        tags = None
        while tags is None:
            tags = await self._tags()
        remote = {path_of(*key): path for key, path in self._aggregator.openapi_paths().items()}
        return await self._reply(request, "v3", lambda: _index(tags, remote))

    async def _tags(self) -> dict[tuple[str, str], str] | None:
        """The hash of each group version's document; None when what is served has changed since it was begun."""
        known = self._made
        tags: dict[tuple[str, str], str] = {}
        for version, resources in self._versions().items():
            if all(each.custom for each in resources):
                # What custom resources are made of says as much as their document, and is at hand.
                tags[version] = (await self._body(f"sources {version}", partial(_sources, resources), version))[1]
            else:
                tags[version] = (await self._body(_name(*version), partial(self._document_v3, *version), version))[1]
        return tags if known is self._made else None

    async def group(self, request: Request) -> Response:
        """/openapi/v3/api/v1, /openapi/v3/apis/<group>/<version>"""
        parts = request.info.path.strip("/").split("/")[2:]
        legacy = parts[0] == "api"
        group, version = ("", parts[1]) if legacy and len(parts) == 2 else ((*parts, "", "")[1], (*parts, "", "")[2])
        remote = self._aggregator.openapi_v3((group, version))
        if callable(remote):
            return await remote(request)
        if remote is not None:
            return await self._reply(request, f"remote {group}/{version}", lambda: remote)
        if not any((each.group, each.version) == (group, version) for each in self._resources()):
            raise failures.no_such_page()
        made = partial(self._document_v3, group, version)
        reply = await self._reply(request, _name(group, version), made, of=(group, version))
        if "hash" in request.query:
            reply.headers = (*reply.headers, ("Cache-Control", _FOR_EVER))
        return reply

    async def _reply(
        self,
        request: Request,
        name: str,
        make: Callable[[], bytes],
        kind: str = JSON,
        of: tuple[str, str] | None = None,
    ) -> Reply:
        body, tag = await self._body(name, make, of)
        headers = (("ETag", tag), ("Vary", "Accept"))
        if request.headers.get("If-None-Match") == tag:
            return Reply(304, b"", "", headers)
        return await compressed(Reply(200, body, kind, headers), request.headers.get("Accept-Encoding", ""))

    async def _body(
        self, name: str, make: Callable[[], bytes], version: tuple[str, str] | None = None
    ) -> tuple[bytes, str]:
        """The document, made once even when many ask at the same time. version: the only one that it is made of."""
        made = self._made.get(name)
        if made is None:
            of = self._versions().get(version, ()) if version is not None else ()
            body = asyncio.ensure_future(asyncio.to_thread(lambda: _tagged(make())))
            made = self._made[name] = _Made(body, version, of)
        try:
            return await asyncio.shield(made.body)
        except Exception:
            self._made.pop(name, None)
            raise

    def _document_v2(self) -> bytes:
        return msgspec.json.encode(self._joined_v2())

    def _protobuf_v2(self) -> bytes:
        from proa.machinery.openapi import gnostic

        return gnostic.encode(self._joined_v2())

    def _joined_v2(self) -> dict[str, Any]:
        from proa.machinery import openapi

        own = openapi.document_v2(self._resources(), build=self._build, extra=_UNMENTIONED)
        remote = self._aggregator.openapi_v2()
        return join_v2(own, remote) if remote else own

    def _document_v3(self, group: str, version: str) -> bytes:
        from proa.machinery import openapi

        return msgspec.json.encode(openapi.document_v3(self._resources(), group, version, build=self._build))


class _Made(NamedTuple):
    """A document, and the group version and resources that it was made of; None: of everything there is."""

    body: asyncio.Future[tuple[bytes, str]]
    version: tuple[str, str] | None
    of: tuple[Resource[Any], ...]


def _same(left: Sequence[object], right: Sequence[object]) -> bool:
    """Whether these are the very same objects: resources that were declared anew are equal and yet others."""
    return len(left) == len(right) and all(a is b for a, b in zip(left, right, strict=True))


def _sources(resources: Sequence[Resource[Any]]) -> bytes:
    """Everything that the document of a group version of custom resources depends on."""
    return msgspec.json.encode(
        [
            [each.plural, each.kind, each.list_kind, each.namespaced, each.verbs,
             [sub.name for sub in each.subresources], each.schema.published]
            for each in resources
        ]
    )  # fmt: skip


def _name(group: str, version: str) -> str:
    return f"v3/{group}/{version}"


def _index(tags: dict[tuple[str, str], str], remote: dict[str, str]) -> bytes:
    from proa.machinery import openapi

    document = openapi.index(tags)
    document["paths"] |= {path.removeprefix("/"): {"serverRelativeURL": url} for path, url in remote.items()}
    return msgspec.json.encode(document)


def _tagged(body: bytes) -> tuple[bytes, str]:
    return body, etag(body)
