"""/statusz and /flagz: what this server is and how it was started, for people and, as config.k8s.io, for programs."""

from __future__ import annotations

import html
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from proa.apiserver.reply import JSON, json_reply, text_reply
from proa.apiserver.request import Request, Response
from proa.base.build import KUBERNETES_MAJOR, KUBERNETES_MINOR, build
from proa.machinery import status as failures
from proa.machinery.timestamps import format_time

_NAME = "apiserver"
_VERSIONS = ("v1beta1", "v1alpha1")
_WARNING = (
    "Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and is for"
    " debugging purposes only."
)
# What has documentation of its own.
_NOT_FOR_DEBUGGING = frozenset({"/apis", "/api", "/openid", "/openapi", "/.well-known"})


class ZPages:
    """paths: what is served; flags: the arguments of the server, by name."""

    def __init__(self, paths: Callable[[], Iterable[str]], flags: Mapping[str, str]) -> None:
        self._paths = paths
        self._flags = flags
        self._started = time.time()

    async def statusz(self, request: Request) -> Response:
        """/statusz"""
        started = datetime.fromtimestamp(self._started, UTC)
        up = int(time.time() - self._started)
        folders = {f"/{each.split('/')[1]}" for each in self._paths() if each.count("/") and each != "/"}
        paths = sorted(folders - _NOT_FOR_DEBUGGING)
        about = build()
        document = {
            "startTime": format_time(started),
            "uptimeSeconds": up,
            "goVersion": f"python{platform.python_version()}",
            "binaryVersion": about.git_version.removeprefix("v"),
            "emulationVersion": f"{KUBERNETES_MAJOR}.{KUBERNETES_MINOR}",
            "paths": paths,
        }
        lines = (
            f"Started: {started:%a %b %e %H:%M:%S UTC %Y}",
            f"Up: {up // 3600} hr {up % 3600 // 60:02} min {up % 60:02} sec",
            f"Go version: {document['goVersion']}",
            f"Binary version: {document['binaryVersion']}",
            f"Emulation version: {document['emulationVersion']}",
            f"Paths: {' '.join(paths)}",
        )
        return _page(request, "Statusz", document, lines)

    async def flagz(self, request: Request) -> Response:
        """/flagz"""
        lines = [f"{name}={value}" for name, value in sorted(self._flags.items())]
        return _page(request, "Flagz", {"flags": dict(self._flags)}, lines)


def _page(request: Request, kind: str, document: Mapping[str, Any], lines: Iterable[str]) -> Response:
    accepted = request.headers.get("Accept") or "*/*"
    for clause in accepted.split(","):
        media, *rest = (each.strip() for each in clause.split(";"))
        parameters = dict(each.partition("=")[::2] for each in rest)
        if media in ("text/plain", "*/*", "text/*"):
            shown = "\n".join(html.escape(line) for line in lines)
            return text_reply(f"\n{_NAME} {kind.lower()}\n{_WARNING}\n\n{shown}\n")
        version = parameters.get("v", "")
        wanted = (parameters.get("as"), parameters.get("g"))
        if media == JSON and wanted == (kind, "config.k8s.io") and version in _VERSIONS:
            head = {"kind": kind, "apiVersion": f"config.k8s.io/{version}", "metadata": {"name": _NAME}}
            return json_reply({**head, **document})
    raise failures.not_acceptable(("text/plain", f"{JSON};g=config.k8s.io;v={_VERSIONS[0]};as={kind}"))
