"""What extension servers say of their schemas: version 3 by reference, version 2 joined to our own document.

A server that only has version 2 is given a version 3 document made of it. Not here: our own documents
(`machinery.openapi`).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import aiohttp
import msgspec

from proa.api.apiregistration_v1 import APIService
from proa.api.apiregistration_v1.resources import API_SERVICES
from proa.apiserver.aggregation.extension import Extension, Extensions
from proa.apiserver.aggregation.priorities import GroupVersion
from proa.client.informer import Informer
from proa.control.controller import Context, Controller
from proa.control.outcome import DONE, Outcome, requeue_after
from proa.control.triggers import For, Trigger
from proa.machinery.status import StatusError

log = logging.getLogger(__name__)

Document = dict[str, Any]

_EVERY_SECONDS = 60.0
_V2 = "#/definitions/"
_V3 = "#/components/schemas/"


class RemoteOpenApi(Controller):
    """`v3` and `v2` are what is known, by group version; `on_change` is called when that is another."""

    name = "openapi-aggregation"

    def __init__(self, context: Context, extensions: Extensions, on_change: Callable[[], None]) -> None:
        super().__init__(context)
        self._extensions = extensions
        self._informer: Informer[APIService] = context.informer(API_SERVICES)
        self._on_change = on_change
        self._tags: dict[GroupVersion, str] = {}
        self.paths: dict[GroupVersion, str] = {}
        """Where the version 3 document of a group version is on its server, with its hash."""
        self.made: dict[GroupVersion, bytes] = {}
        """Version 3 documents that we made."""
        self.v2: dict[GroupVersion, Document] = {}
        """Version 2 documents: paths and definitions of one group version."""

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (For(API_SERVICES),)

    async def reconcile(self, key: str) -> Outcome:
        api_service = self._informer.get(key)
        extension = Extension.of(api_service) if api_service is not None else None
        if extension is None:
            version, _, group = key.partition(".")
            self._forget((group, version))
            return DONE
        if extension.available:
            try:
                await self._read(extension)
            except (aiohttp.ClientError, OSError, TimeoutError, StatusError, ValueError) as error:
                return requeue_after(_EVERY_SECONDS, str(error) or type(error).__name__)
        return requeue_after(_EVERY_SECONDS)

    def _forget(self, key: GroupVersion) -> None:
        known = [each.pop(key, None) for each in (self.paths, self.made, self.v2)]
        self._tags.pop(key, None)
        if any(each is not None for each in known):
            self._on_change()

    async def _read(self, extension: Extension) -> None:
        key = extension.group, extension.version
        before = self.paths.get(key), self.v2.get(key)
        index = await self._extensions.ask(extension, "/openapi/v3")
        path = ""
        if index.status == 200:
            listed = msgspec.json.decode(index.body).get("paths") or {}
            path = (listed.get(extension.path.removeprefix("/")) or {}).get("serverRelativeURL", "")
        answer = await self._extensions.ask(extension, "/openapi/v2", etag=self._tags.get(key, ""), seconds=30.0)
        if answer.status == 200:
            self._tags[key] = answer.etag
            self.v2[key] = await asyncio.to_thread(_readable, answer.body, extension.path)
        if path:
            self.paths[key] = path
            self.made.pop(key, None)
        elif key in self.v2 and (self.v2[key] is not before[1] or key not in self.made):
            body = self.made[key] = msgspec.json.encode(as_v3(self.v2[key]))
            digest = hashlib.sha512(body).hexdigest().upper()
            self.paths[key] = f"/openapi/v3{extension.path}?hash={digest}"
        if before != (self.paths.get(key), self.v2.get(key)):
            self._on_change()


def _readable(body: bytes, path: str) -> Document:
    """What of a server's version 2 document is joined to ours: nothing, if it could not be written with ours."""
    from proa.machinery.openapi import gnostic

    document = only(msgspec.json.decode(body), path)
    try:
        gnostic.encode(document)
    except Exception:
        log.warning("the OpenAPI document of %s cannot be read", path, exc_info=True)
        return {"paths": {}, "definitions": {}}
    return document


def only(document: Document, path: str) -> Document:
    """The paths of a version 2 document below `path`, and the definitions they need. Parameters that operations share
    stand where they are used."""
    shared = {f"#/parameters/{name}": each for name, each in (document.get("parameters") or {}).items()}
    paths = {
        name: _unshared(item, shared)
        for name, item in (document.get("paths") or {}).items()
        if name.rstrip("/") == path or name.startswith(f"{path}/")
    }
    known, needed = document.get("definitions") or {}, set[str]()
    open_ends = list(_references(paths))
    while open_ends:
        name = open_ends.pop()
        if name not in needed and name in known:
            needed.add(name)
            open_ends.extend(_references(known[name]))
    return {"paths": paths, "definitions": {name: known[name] for name in sorted(needed)}}


def _unshared(item: Document, shared: Mapping[str, Document]) -> Document:
    """A path's item without references to parameters."""

    def resolved(part: Document) -> Document:
        if "parameters" not in part:
            return part
        return {**part, "parameters": [shared.get(each.get("$ref", ""), each) for each in part["parameters"]]}

    return resolved({name: resolved(each) if isinstance(each, dict) else each for name, each in item.items()})


def join_v2(own: Document, remote: Mapping[GroupVersion, Document]) -> Document:
    """Our version 2 document with those of others; a definition that means something else there gets another name."""
    definitions, paths = dict(own.get("definitions") or {}), dict(own.get("paths") or {})
    for (group, version), document in sorted(remote.items()):
        names: dict[str, str] = {}
        for name, definition in document["definitions"].items():
            if name in definitions and definitions[name] != definition and not name.startswith("io.k8s."):
                names[name] = f"{name}_{group}_{version}"
        renamed = _renamed(document, names)
        for name, definition in renamed["definitions"].items():
            definitions.setdefault(names.get(name, name), definition)
        for name, item in renamed["paths"].items():
            paths.setdefault(name, item)
    return {**own, "paths": paths, "definitions": definitions}


def as_v3(document: Document) -> Document:
    """A version 2 document in version 3's form, as far as clients of schemas need it."""
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "unversioned"},
        "paths": {name: _path_v3(item) for name, item in document["paths"].items()},
        "components": {"schemas": {name: _refer(each) for name, each in document["definitions"].items()}},
    }


def _path_v3(item: Document) -> Document:
    return {
        name: [_parameter_v3(each) for each in value] if name == "parameters" else _operation_v3(value)
        for name, value in item.items()
    }


def _operation_v3(operation: Document) -> Document:
    found = {key: value for key, value in operation.items() if key not in ("consumes", "produces", "schemes")}
    parameters = operation.get("parameters") or []
    body = next((each for each in parameters if each.get("in") == "body"), None)
    if parameters:
        found["parameters"] = [_parameter_v3(each) for each in parameters if each.get("in") != "body"]
    if body is not None:
        kinds = operation.get("consumes") or ["*/*"]
        content = {kind: {"schema": _refer(body.get("schema") or {})} for kind in kinds}
        found["requestBody"] = {"content": content, "required": bool(body.get("required"))}
    kinds = operation.get("produces") or ["*/*"]
    responses = operation.get("responses") or {}
    found["responses"] = {code: _response_v3(response, kinds) for code, response in responses.items()}
    return found


def _response_v3(response: Document, kinds: Sequence[str]) -> Document:
    found: Document = {"description": response.get("description", "")}
    if "schema" in response:
        found["content"] = {kind: {"schema": _refer(response["schema"])} for kind in kinds}
    return found


def _parameter_v3(parameter: Document) -> Document:
    kept = ("name", "in", "description", "required", "$ref")
    found = {key: value for key, value in parameter.items() if key in kept}
    if "$ref" not in found:
        found["schema"] = {key: value for key, value in parameter.items() if key not in kept}
    return found


def _refer(value: Any) -> Any:
    """References as version 3 has them."""
    if isinstance(value, dict):
        return {
            key: _V3 + each.removeprefix(_V2) if key == "$ref" and isinstance(each, str) else _refer(each)
            for key, each in value.items()
        }
    return [_refer(each) for each in value] if isinstance(value, list) else value


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """References to other names."""
    if not names:
        return value
    if isinstance(value, dict):
        return {
            key: _V2 + names.get(each.removeprefix(_V2), each.removeprefix(_V2))
            if key == "$ref" and isinstance(each, str)
            else _renamed(each, names)
            for key, each in value.items()
        }
    return [_renamed(each, names) for each in value] if isinstance(value, list) else value


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            if key == "$ref" and isinstance(each, str):
                yield each.removeprefix(_V2)
            else:
                yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)
