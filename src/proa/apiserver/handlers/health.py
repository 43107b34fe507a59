"""/healthz, /livez and /readyz with named checks, /version, /metrics and /metrics/slis.

Why a check fails goes to the log and to who may ask for that check alone, because anybody may ask for all of them.
"""

from __future__ import annotations

import logging
import platform
import re
from collections.abc import Awaitable, Callable, Iterator

from proa.apiserver.checks import Check, Checks
from proa.apiserver.reply import Reply, json_reply, text_reply
from proa.apiserver.request import Request, Response
from proa.base.build import KUBERNETES_MAJOR as MAJOR
from proa.base.build import KUBERNETES_MINOR as MINOR
from proa.base.build import build
from proa.base.metrics import Metrics, Samples
from proa.machinery import status as failures

log = logging.getLogger(__name__)


class HealthHandlers:
    """The checks of this server over HTTP. `results`: how they went when somebody asked."""

    def __init__(self, checks: Checks) -> None:
        self._checks = checks
        self.results = Metrics(process=False)
        self._last = self.results.gauge(
            "kubernetes_healthcheck", "Whether a check held when it was asked last.", ("name", "type")
        )
        self._counts = self.results.counter(
            "kubernetes_healthchecks_total", "How often a check was asked, by how it went.", ("name", "type", "status")
        )

    async def health(self, request: Request) -> Response:
        """/healthz, /livez, /readyz, and one check of them: /readyz/<name>. Query: verbose, exclude."""
        probe, _, only = request.info.path.strip("/").partition("/")
        checks = self._checks.of(probe)
        if only:
            if only not in checks:
                raise failures.NoSuchPathError
            problem = await self._ask(probe, only, checks[only])
            return _failed(f"internal server error: {problem}\n") if problem else text_reply("ok")
        excluded = set(request.query_values("exclude"))
        lines, wrong = [], []
        for name, check in checks.items():
            if name in excluded:
                lines.append(f"[+]{name} excluded: ok")
                continue
            problem = await self._ask(probe, name, check)
            if problem:
                wrong.append(f"{name}: {problem}")
                lines.append(f"[-]{name} failed: reason withheld")
            else:
                lines.append(f"[+]{name} ok")
        if unknown := sorted(excluded - checks.keys()):
            named = ", ".join(f'"{each}"' for each in unknown)
            lines.append(f"warn: some health checks cannot be excluded: no matches for {named}")
        if wrong:
            log.info("%s check failed: %s", probe, "; ".join(wrong))
            return _failed("\n".join([*lines, f"{probe} check failed"]) + "\n")
        if "verbose" in request.query:
            return text_reply("\n".join([*lines, f"{probe} check passed"]) + "\n")
        return text_reply("ok")

    async def _ask(self, probe: str, name: str, check: Check) -> str:
        problem = await check()
        self._last.labels(name, probe).set(0 if problem else 1)
        self._counts.labels(name, probe, "error" if problem else "success").inc()
        return problem


def _failed(text: str) -> Reply:
    reply = text_reply(text, 500)
    reply.headers = (("X-Content-Type-Options", "nosniff"),)
    return reply


async def version(request: Request) -> Response:
    """/version: the Kubernetes whose API is served."""
    emulated = {"emulationMajor": MAJOR, "emulationMinor": MINOR}
    compatible = {"minCompatibilityMajor": MAJOR, "minCompatibilityMinor": str(int(MINOR) - 1)}
    about = _about()
    first = {name: about.pop(name) for name in ("major", "minor")}
    return json_reply({**first, **emulated, **compatible, **about})


def build_samples() -> Iterator[Samples]:
    """The same as a metric."""
    about = _about()
    names = [re.sub("[A-Z]", lambda found: "_" + found[0].lower(), name) for name in about]
    help = "Always 1; the labels say what is running."
    yield Samples("kubernetes_build_info", help, "gauge", names, [([*about.values()], 1)])


def _about() -> dict[str, str]:
    about = build()
    return {
        "major": MAJOR,
        "minor": MINOR,
        "gitVersion": about.git_version,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": f"python{platform.python_version()}",
        "compiler": platform.python_implementation().lower(),
        "platform": about.platform,
    }


def metrics_handler(families: Metrics) -> Callable[[Request], Awaitable[Response]]:
    """/metrics, or a path below it."""

    async def handle(request: Request) -> Response:
        text = families.exposition().decode()
        return text_reply(text, content_type="text/plain; version=0.0.4; charset=utf-8")

    return handle
