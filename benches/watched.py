"""A collection followed by a watch: who waits for a state of an object learns the moment its event was read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from benches import load
from benches.load import Endpoint, LoadError

Document = dict[str, Any]
Good = Callable[[str, Document], bool]
"""Whether an event's type and object are what is waited for."""


class Watched:
    """The newest state of every object, by name: for a collection of one namespace, or of cluster scope."""

    def __init__(self, endpoint: Endpoint, path: str, patience: float) -> None:
        self._endpoint = endpoint
        self._path = path
        self._patience = patience
        self._objects: dict[str, tuple[str, Document, float]] = {}
        self._waiting: set[tuple[str, Good, asyncio.Future[float]]] = set()
        self._lines: load.Lines | None = None

    async def start(self) -> None:
        self._lines = await load.watch(self._endpoint, f"{self._path}?watch=true", self._read)

    def stop(self) -> None:
        if self._lines is not None:
            self._lines.transport.close()

    def names(self, prefix: str) -> list[str]:
        return [name for name, (type, _, _) in self._objects.items() if name.startswith(prefix) and type != "DELETED"]

    async def until(self, good: Good, name: str = "") -> float:
        """The moment (time.perf_counter) of the event that made the object of this name, or any, good.

        Raises LoadError with what was seen last when that takes longer than `patience` seconds.
        """
        for each, (type, found, when) in self._objects.items():
            if name in ("", each) and good(type, found):
                return when
        waiting = (name, good, asyncio.get_running_loop().create_future())
        self._waiting.add(waiting)
        try:
            return await asyncio.wait_for(waiting[2], self._patience)
        except TimeoutError:
            raise LoadError(f"{self._path}: {self._patience} s were not enough; last: {self._last(name)}") from None
        finally:
            self._waiting.discard(waiting)

    def _last(self, name: str) -> str:
        seen = {each: (type, found.get("status")) for each, (type, found, _) in self._objects.items()}
        return msgspec.json.encode(seen.get(name, "never seen") if name else seen).decode()[:1500]

    def _read(self, now: float, lines: bytes) -> None:
        for line in lines.split(b"\n"):
            event = msgspec.json.decode(line)
            type, found = event["type"], event["object"]
            name = found["metadata"].get("name", "")
            self._objects[name] = (type, found, now)
            for wanted, good, future in self._waiting:
                if wanted in ("", name) and not future.done() and good(type, found):
                    future.set_result(now)
