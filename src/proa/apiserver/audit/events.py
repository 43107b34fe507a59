"""One request's audit events: what is known of it at each stage, as audit.k8s.io/v1 Event documents."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from proa.apiserver.audit.policy import (
    COMPLETE,
    LEVELS,
    METADATA,
    PANIC,
    RECEIVED,
    REQUEST,
    REQUEST_RESPONSE,
    STARTED,
    VERSION,
    Coverage,
)
from proa.apiserver.identity import Decision, User
from proa.apiserver.reply import Reply, Stream
from proa.apiserver.request import Request
from proa.apiserver.requestinfo import RequestInfo
from proa.machinery import status as failures
from proa.machinery.timestamps import format_micro_time

Document = dict[str, Any]
Written = asyncio.Future[bool]
"""Done when an event is where it belongs, or cannot be: whether what it is about may go on. Never an exception."""
Sink = Callable[[Document], Iterable[Written]]
"""Takes a finished event and returns at once: with what an answer must wait for."""
Decode = Callable[[str, bytes, str], Any]
"""The document in a body of a content type and encoding; None where there is none. Raises ValueError."""

_LONGEST_AGENT = 1024
# Annotations that repeat parts of the object, and so are only for levels that show it.
_OF_BODIES = ("patch.webhook.admission.k8s.io/",)
_PATCHES = ("application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json")


class Event:
    """The witness of one request (see `identity.Witness`).

    rejected: counts requests that are refused because they cannot be written down; None where they are not refused.
    """

    def __init__(
        self,
        request: Request,
        user: User,
        coverage: Coverage,
        *,
        sink: Sink,
        now: Callable[[], datetime],
        decode: Decode,
        annotations: Mapping[str, str],
        rejected: Callable[[], None] | None = None,
    ) -> None:
        self._coverage = coverage
        self._sink = sink
        self._now = now
        self._decode = decode
        self._info: RequestInfo = request.info
        self._request_body: tuple[str, bytes] | None = None
        self._told = False
        self._rejected = rejected
        self._unwritten: list[Written] = []
        self.annotations: dict[str, str] = dict(annotations)
        self._received = format_micro_time(now())
        query = f"?{request.query_string}" if request.query_string else ""
        self._event: Document = {
            "kind": "Event",
            "apiVersion": VERSION,
            "level": LEVELS[coverage.level],
            "auditID": request.audit_id,
            "stage": RECEIVED,
            "requestURI": f"{request.raw_path}{query}",
            "verb": request.info.verb,
            "user": _user(user),
            "sourceIPs": source_addresses(request),
        }
        if agent := request.headers.get("User-Agent", ""):
            self._event["userAgent"] = agent[:_LONGEST_AGENT] + "...TRUNCATED" * (len(agent) > _LONGEST_AGENT)
        if request.info.is_resource:
            self._event["objectRef"] = _reference(request.info)

    # -- what is told

    def begin(self) -> None:
        self._write(RECEIVED)

    def impersonated(self, user: User, constraint: str) -> None:
        self._event["impersonatedUser"] = _user(user)
        if constraint:
            self._event["authenticationMetadata"] = {"impersonationConstraint": constraint}

    def authorized(self, decision: Decision) -> None:
        self.note("authorization.k8s.io/decision", "allow" if decision.allowed else "forbid")
        self.note("authorization.k8s.io/reason", decision.reason)

    def note(self, key: str, value: str) -> None:
        """The first note under a key counts."""
        self.annotations.setdefault(key, value)

    def received(self, content_type: str, body: bytes) -> None:
        self._request_body = (content_type, body)

    def unauthenticated(self) -> None:
        """The only event of a request from nobody knows whom."""
        status = {"metadata": {}, "status": "Failure", "message": "Authentication failed", "code": 401}
        self._event["responseStatus"] = status
        self._told = True
        self._write(STARTED)

    def panicked(self, error: Exception) -> None:
        self._told = True
        self._event["responseStatus"] = {
            "metadata": {},
            "status": "Failure",
            "message": f"APIServer panic'd: {error}",
            "reason": "InternalError",
            "code": 500,
        }
        self._take_request()
        self._write(PANIC)

    def responded(self, response: Any) -> None:
        """A handler has answered; a stream goes on from here."""
        if self._told:
            return
        self._take_request()
        if isinstance(response, Stream):
            self._event["responseStatus"] = {"metadata": {}, "code": response.status}
            self._write(STARTED)
            before = response.on_end

            def ended() -> None:
                if before is not None:
                    before()
                self._write(COMPLETE)

            response.on_end = ended
            return
        self._event["responseStatus"] = {"metadata": {}, "code": response.status}
        if isinstance(response, Reply):
            self._take_reply(response)
        else:  # a session or a proxied connection, which says nothing of itself before it ends
            self._write(STARTED)
        self._write(COMPLETE)

    # -- what is waited for

    async def begun(self) -> None:
        if self._rejected is not None and not await self._all_written():
            self._rejected()
            raise failures.internal_error("failed to store audit event")

    async def written(self) -> None:
        await self._all_written()

    async def _all_written(self) -> bool:
        """Whoever waits may be gone before it is done; it is written down all the same."""
        pending, self._unwritten = self._unwritten, []
        if pending:
            await asyncio.wait(pending)
        return all(each.result() for each in pending)

    # -- what is made of it

    def _take_request(self) -> None:
        """The body: who and what it names, and from level Request on all of it."""
        if self._request_body is None:
            return
        content_type, body = self._request_body
        self._request_body = None
        document = self._document(content_type, body)
        kind = content_type.partition(";")[0].strip()
        if isinstance(document, dict) and kind not in _PATCHES:
            self._refer(document.get("metadata"))
        if document is not None and self._coverage.level >= REQUEST:
            self._event["requestObject"] = document

    def _refer(self, meta: Any) -> None:
        reference = self._event.get("objectRef")
        if reference is not None and isinstance(meta, dict):
            for name in ("namespace", "name", "uid", "resourceVersion"):
                if meta.get(name) and not reference.get(name):
                    reference[name] = meta[name]

    def _take_reply(self, reply: Reply) -> None:
        failed = reply.status >= 400
        if self._coverage.level < REQUEST_RESPONSE and not failed:
            return
        body = reply.body if isinstance(reply.body, bytes) else b"".join(reply.body)
        encoding = next((value for name, value in reply.headers if name == "Content-Encoding"), "")
        document = self._document(reply.content_type, body, encoding)
        if isinstance(document, dict) and document.get("kind") == "Status" and document.get("apiVersion") == "v1":
            rest = {name: value for name, value in document.items() if name not in ("kind", "apiVersion")}
            self._event["responseStatus"] = {"metadata": {}, **rest}
        if document is not None and self._coverage.level >= REQUEST_RESPONSE and self._info.is_resource:
            self._event["responseObject"] = document

    def _document(self, content_type: str, body: bytes, encoding: str = "") -> Any:
        if not body:
            return None
        try:
            document = self._decode(content_type, body, encoding)
        except ValueError:  # what cannot be read was refused, which the status tells
            return None
        if self._coverage.omit_managed_fields and isinstance(document, dict):
            _omit_managed_fields(document)
        return document

    def _write(self, stage: str) -> None:
        if stage in self._coverage.omit_stages or self._coverage.level < METADATA:
            return
        event = {**self._event, "stage": stage}
        event["requestReceivedTimestamp"] = self._received
        event["stageTimestamp"] = self._received if stage == RECEIVED else format_micro_time(self._now())
        bodies = self._coverage.level >= REQUEST
        said = {key: value for key, value in self.annotations.items() if bodies or not key.startswith(_OF_BODIES)}
        if said:
            event["annotations"] = said
        self._unwritten += self._sink(event)


def _user(user: User) -> Document:
    said = {
        "username": user.name,
        "uid": user.uid,
        "groups": list(user.groups),
        "extra": {key: list(values) for key, values in user.extra.items()},
    }
    return {name: value for name, value in said.items() if value}


def _reference(info: RequestInfo) -> Document:
    said = {
        "resource": info.resource,
        "namespace": info.namespace,
        "name": info.name,
        "apiGroup": info.group,
        "apiVersion": info.version,
        "subresource": info.subresource,
    }
    return {name: value for name, value in said.items() if value}


def source_addresses(request: Request) -> list[str]:
    """Where it comes from: as proxies on the way say, and at last who is connected."""
    found: list[str] = []
    for header in ("X-Forwarded-For", "X-Real-Ip"):
        for each in request.headers.get(header, "").split(","):
            address = each.strip()
            if address and address not in found and _is_address(address):
                found.append(address)
    peer = request.peer
    return [*found, peer] if peer and peer not in found else found


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _omit_managed_fields(document: Document) -> None:
    parts: list[Any] = [document, *(document.get("items") or ())]
    parts += [row.get("object") for row in document.get("rows") or () if isinstance(row, dict)]
    for part in parts:
        meta = part.get("metadata") if isinstance(part, dict) else None
        if isinstance(meta, dict):
            meta.pop("managedFields", None)


def encode(event: Document) -> bytes:
    """One line."""
    return msgspec.json.encode(event) + b"\n"
