"""Calls of components in this process (controllers, scheduler) as audit events: a client that tells a witness.

They make no HTTP request; the event says what it would have been. Watches are not written down: a component keeps its
own from beginning to end. Not here: what a call does (`inprocess`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, Literal, TypeVar

import msgspec
from multidict import CIMultiDict, CIMultiDictProxy

from proa.apiserver.access import Access, Witnesses
from proa.apiserver.identity import AccessAttributes, User, Witness
from proa.apiserver.inprocess import InProcessClient, LocalRequest, Server
from proa.apiserver.metadata import Document
from proa.apiserver.options import WriteOptions
from proa.apiserver.patching import BY_NAME
from proa.apiserver.reply import JSON, Reply, status_reply
from proa.apiserver.requestinfo import parse
from proa.client.http import path_of
from proa.client.protocol import Listing, PatchType
from proa.machinery.declare import Object
from proa.machinery.resource import Resource
from proa.machinery.status import StatusError

T = TypeVar("T", bound=Object)
V = TypeVar("V")

_HERE = "127.0.0.1"
_witness: ContextVar[Witness | None] = ContextVar("witness", default=None)


class ComponentRequest(LocalRequest):
    """What a component's call would have been."""

    __slots__ = ()

    @property
    def peer(self) -> str:
        return _HERE


class AuditedClient(InProcessClient):
    """An InProcessClient whose calls are seen. access: says why a call is allowed."""

    def __init__(self, server: Server, user: User, manager: str, witnesses: Witnesses, access: Access) -> None:
        super().__init__(server, user, manager)
        self._witnesses = witnesses
        self._access = access

    async def get(self, resource: Resource[T], name: str, namespace: str = "", *, resource_version: str = "") -> T:
        query = {"resourceVersion": resource_version}
        async with self._seen("GET", path_of(resource, namespace, name), query) as seen:
            return seen.answer(await super().get(resource, name, namespace, resource_version=resource_version))

    async def list(
        self,
        resource: Resource[T],
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        limit: int = 0,
        continue_: str = "",
        resource_version: str = "",
    ) -> Listing[T]:
        query = {
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
            "limit": str(limit or ""),
            "continue": continue_,
            "resourceVersion": resource_version,
        }
        async with self._seen("GET", path_of(resource, namespace), query):
            return await super().list(
                resource,
                namespace,
                label_selector=label_selector,
                field_selector=field_selector,
                limit=limit,
                continue_=continue_,
                resource_version=resource_version,
            )

    async def create(self, resource: Resource[T], obj: T, *, dry_run: bool = False) -> T:
        path = path_of(resource, _meta(obj)[0])
        async with self._seen("POST", path, _dry(dry_run), obj, code=201) as seen:
            return seen.answer(await super().create(resource, obj, dry_run=dry_run))

    async def update(self, resource: Resource[T], obj: T, *, subresource: str = "", dry_run: bool = False) -> T:
        path = path_of(resource, *_meta(obj), subresource)
        async with self._seen("PUT", path, _dry(dry_run), obj) as seen:
            return seen.answer(await super().update(resource, obj, subresource=subresource, dry_run=dry_run))

    async def patch(
        self,
        resource: Resource[T],
        name: str,
        namespace: str,
        patch: Any,
        *,
        type: PatchType = "strategic",
        subresource: str = "",
        field_manager: str = "",
        force: bool = False,
        dry_run: bool = False,
    ) -> T:
        path = path_of(resource, namespace, name, subresource)
        query = {**_dry(dry_run), "fieldManager": field_manager, "force": "true" if force else ""}
        kind = BY_NAME.get(type, "application/apply-patch+yaml")
        async with self._seen("PATCH", path, query, patch, content_type=kind) as seen:
            return seen.answer(
                await super().patch(
                    resource,
                    name,
                    namespace,
                    patch,
                    type=type,
                    subresource=subresource,
                    field_manager=field_manager,
                    force=force,
                    dry_run=dry_run,
                )
            )

    async def delete(
        self,
        resource: Resource[T],
        name: str,
        namespace: str = "",
        *,
        grace_period_seconds: int | None = None,
        propagation: Literal["", "Background", "Foreground", "Orphan"] = "",
        uid: str = "",
        resource_version: str = "",
    ) -> None:
        async with self._seen("DELETE", path_of(resource, namespace, name), {}):
            await super().delete(
                resource,
                name,
                namespace,
                grace_period_seconds=grace_period_seconds,
                propagation=propagation,
                uid=uid,
                resource_version=resource_version,
            )

    async def delete_collection(
        self, resource: Resource[T], namespace: str = "", *, label_selector: str = "", field_selector: str = ""
    ) -> None:
        query = {"labelSelector": label_selector, "fieldSelector": field_selector}
        async with self._seen("DELETE", path_of(resource, namespace), query):
            await super().delete_collection(
                resource, namespace, label_selector=label_selector, field_selector=field_selector
            )

    async def post(self, resource: Resource[T], name: str, namespace: str, subresource: str, body: Object) -> Document:
        path = path_of(resource, namespace, name, subresource)
        async with self._seen("POST", path, {}, body, code=201) as seen:
            return seen.answer(await super().post(resource, name, namespace, subresource, body))

    async def document(
        self, method: str, path: str, body: Any = None, *, query: Mapping[str, str] | None = None
    ) -> Document:
        code = 201 if method == "POST" else 200
        async with self._seen(method, path, query or {}, body, code=code) as seen:
            return seen.answer(await super().document(method, path, body, query=query))

    def _options(self, dry_run: bool = False) -> WriteOptions:
        options = super()._options(dry_run)
        witness = _witness.get()
        if witness is not None:
            options.annotations = witness.annotations
        return options

    @asynccontextmanager
    async def _seen(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Any = None,
        *,
        code: int = 200,
        content_type: str = JSON,
    ) -> AsyncIterator[_Answer]:
        said = {name: value for name, value in query.items() if value}
        request = ComponentRequest(self._user, method, path, body, said)
        request.headers = CIMultiDictProxy(CIMultiDict({"User-Agent": self._manager}))
        request.info = info = parse(method, path, request.query_string)
        witness = self._witnesses.begin(request, self._user, {})
        answer = _Answer()
        if witness is None:
            yield answer
            return
        if body is not None:
            witness.received(content_type, await request.body())
        attributes = AccessAttributes(self._user, info.verb, *info[3:9], info.path, info.is_resource)
        witness.authorized(await self._access.decide(attributes))
        token = _witness.set(witness)
        try:
            await witness.begun()
            yield answer
        except StatusError as error:
            witness.responded(status_reply(error.status))
            raise
        except Exception as error:
            witness.panicked(error)
            raise
        else:
            witness.responded(Reply(code, answer.body))
        finally:
            _witness.reset(token)
            await witness.written()


class _Answer:
    """What a call brought, for the event."""

    def __init__(self) -> None:
        self._value: Any = None

    def answer(self, value: V) -> V:
        self._value = value
        return value

    @property
    def body(self) -> bytes:
        return b"" if self._value is None else msgspec.json.encode(self._value)


def _meta(obj: Any) -> tuple[str, str]:
    return obj.metadata.namespace, obj.metadata.name


def _dry(dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}
