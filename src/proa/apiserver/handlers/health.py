"""/healthz, /livez, /readyz with named checks, /version, /metrics and the list of paths at /."""

from __future__ import annotations

import platform
from collections.abc import Awaitable, Callable, Mapping

from proa.apiserver.reply import json_reply, text_reply
from proa.apiserver.server import Request, Response
from proa.base.build import KUBERNETES_MAJOR as MAJOR
from proa.base.build import KUBERNETES_MINOR as MINOR
from proa.base.build import build
from proa.base.metrics import Metrics
from proa.machinery import status as failures

Check = Callable[[], Awaitable[str]]
"""'' when all is well, else what is not. Must answer at once."""


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


async def version(request: Request) -> Response:
    """/version: the Kubernetes whose API is served."""
    about = build()
    return json_reply(
        {
            "major": MAJOR,
            "minor": MINOR,
            "emulationMajor": MAJOR,
            "emulationMinor": MINOR,
            "minCompatibilityMajor": MAJOR,
            "minCompatibilityMinor": str(int(MINOR) - 1),
            "gitVersion": about.git_version,
            "gitCommit": "",
            "gitTreeState": "clean",
            "buildDate": "1970-01-01T00:00:00Z",
            "goVersion": f"python{platform.python_version()}",
            "compiler": platform.python_implementation().lower(),
            "platform": about.platform,
        }
    )


def metrics_handler(families: Metrics) -> Callable[[Request], Awaitable[Response]]:
    """/metrics."""

    async def handle(request: Request) -> Response:
        text = families.exposition().decode()
        return text_reply(text, content_type="text/plain; version=0.0.4; charset=utf-8")

    return handle
