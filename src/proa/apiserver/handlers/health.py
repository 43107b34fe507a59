"""/healthz, /livez, /readyz with named checks, /version, /metrics and the list of paths at /."""

from __future__ import annotations

import platform
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from importlib import metadata

from proa.apiserver.metrics import RequestMetrics
from proa.apiserver.reply import json_reply, text_reply
from proa.apiserver.server import Request, Response
from proa.machinery import status as failures

Check = Callable[[], Awaitable[str]]
"""'' when all is well, else what is not. Must answer at once."""

KUBERNETES_VERSION = "1.36.2"


class HealthHandlers:
    """The checks of this server by name, in order; `readyz` alone also fails while it starts or stops."""

    def __init__(self, live: Mapping[str, Check], ready: Mapping[str, Check]) -> None:
        self._checks = {"healthz": live, "livez": live, "readyz": {**live, **ready}}

    async def health(self, request: Request) -> Response:
        """/healthz, /livez, /readyz, and one check of them: /readyz/<name>. Query: verbose, exclude."""
        probe, _, only = request.info.path.strip("/").partition("/")
        checks = self._checks[probe]
        if only:
            if only not in checks:
                raise failures.no_such_page()
            checks = {only: checks[only]}
        excluded = set(request.query_values("exclude"))
        lines, wrong = [], []
        for name, check in checks.items():
            if name in excluded:
                lines.append(f"[+]{name} excluded: ok")
                continue
            problem = await check()
            if problem:
                wrong.append(name)
                lines.append(f"[-]{name} failed: {problem}")
            else:
                lines.append(f"[+]{name} ok")
        if wrong:
            return text_reply("\n".join([*lines, f"{probe} check failed"]) + "\n", 500)
        if "verbose" in request.query:
            return text_reply("\n".join([*lines, f"{probe} check passed"]) + "\n")
        return text_reply("ok")


@cache
def _own_version() -> str:
    return metadata.version("proa")


async def version(request: Request) -> Response:
    """/version: the Kubernetes whose API is served."""
    major, minor, _ = KUBERNETES_VERSION.split(".")
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return json_reply(
        {
            "major": major,
            "minor": minor,
            "emulationMajor": major,
            "emulationMinor": minor,
            "minCompatibilityMajor": major,
            "minCompatibilityMinor": str(int(minor) - 1),
            "gitVersion": f"v{KUBERNETES_VERSION}+proa.{_own_version()}",
            "gitCommit": "",
            "gitTreeState": "clean",
            "buildDate": "1970-01-01T00:00:00Z",
            "goVersion": f"python{platform.python_version()}",
            "compiler": platform.python_implementation().lower(),
            "platform": f"linux/{machine}",
        }
    )


def metrics_handler(
    metrics: RequestMetrics, statistics: Callable[[], Mapping[str, Mapping[str, float]]]
) -> Callable[[Request], Awaitable[Response]]:
    """/metrics."""

    async def handle(request: Request) -> Response:
        return text_reply(metrics.text(statistics()), content_type="text/plain; version=0.0.4; charset=utf-8")

    return handle
