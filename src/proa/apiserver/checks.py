"""What a server must find right to be called live and ready, by upstream's names, in order.

Parts add their own checks. Not here: HTTP (`handlers.health`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

Check = Callable[[], Awaitable[str]]
"""'' when all is well, else what is not. Must answer soon."""

PROBES = ("healthz", "livez", "readyz")
HOOK = "poststarthook/"


class Checks:
    """`of` a probe: healthz and livez look at the same things, readyz also at what comes and goes."""

    def __init__(self) -> None:
        self._live: dict[str, Check] = {}
        self._all: dict[str, Check] = {}

    def live(self, name: str, check: Check) -> None:
        """A check of all probes."""
        self._live[name] = self._all[name] = check

    def ready(self, name: str, check: Check) -> None:
        """A check of readyz alone."""
        self._all[name] = check

    def hook(self, name: str, done: Callable[[], bool]) -> None:
        """Something that is done after the start; all probes wait for it."""
        self.live(f"{HOOK}{name}", once(lambda: "" if done() else "not finished"))

    def step(self, name: str) -> Callable[[], None]:
        """The same; call what this gives when it is done."""
        done = asyncio.Event()
        self.hook(name, done.is_set)
        return done.set

    def of(self, probe: str) -> Mapping[str, Check]:
        """The checks of `healthz`, `livez` or `readyz` by name."""
        if probe != "readyz":
            return self._live
        last = "shutdown"
        found = dict(self._all)
        if last in found:
            found[last] = found.pop(last)
        return found


def once(missing: Callable[[], str]) -> Check:
    """A check that holds for ever once it has held. missing: '' or what is not there yet."""
    seen = False

    async def check() -> str:
        nonlocal seen
        what = "" if seen else missing()
        seen = not what
        return what

    return check


async def well() -> str:
    """A check that holds as long as anything answers."""
    return ""
