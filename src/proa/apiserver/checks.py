"""What a server must find right to be called live and ready, by upstream's names, in order.

Parts add their own checks. Not here: HTTP (`handlers.health`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

Check = Callable[[], Awaitable[str]]
"""'' when all is well, else what is not. Must answer soon."""

PROBES = ("healthz", "livez", "readyz")
HOOK = "poststarthook/"


class Checks:
    """`of` a probe: healthz and livez look at the same things, readyz also at what comes and goes."""

    def __init__(self) -> None:
        self._live: dict[str, Check] = {}
        self._ready: dict[str, Check] = {}

    def live(self, name: str, check: Check) -> None:
        """A check of all probes."""
        self._live[name] = check

    def ready(self, name: str, check: Check) -> None:
        """A check of readyz alone."""
        self._ready[name] = check

    def once(self, name: str, missing: Callable[[], str]) -> None:
        """A check of readyz that holds for ever once it has held. missing: '' or what is not there yet."""
        seen = False

        async def check() -> str:
            nonlocal seen
            what = "" if seen else missing()
            seen = not what
            return what

        self._ready[name] = check

    def hook(self, name: str, done: Callable[[], bool]) -> None:
        """Something that is done after the start; readyz waits for it."""
        self.once(f"{HOOK}{name}", lambda: "" if done() else "not finished")

    def of(self, probe: str) -> Mapping[str, Check]:
        """The checks of `healthz`, `livez` or `readyz` by name."""
        if probe != "readyz":
            return self._live
        last = "shutdown"
        found = {**self._live, **self._ready}
        if last in found:
            found[last] = found.pop(last)
        return found


async def well() -> str:
    """A check that holds as long as anything answers."""
    return ""
