"""One object, looked at until something is true of it: for `wait`, `rollout status` and `delete`.

A watch from the version that was read, so nothing is missed and nothing is asked twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from proa.base.errors import ProaError
from proa.kubectl.client import Client, StatusError, UnreachableError
from proa.kubectl.discovery import Resource

_GONE = 410


class WaitTimeoutError(ProaError):
    """It did not become true in time."""


class Watching:
    """`patience`: seconds for everything that is waited for together; 0 or less is for ever."""

    def __init__(self, client: Client, patience: float = 0) -> None:
        self._client = client
        self._deadline = time.monotonic() + patience if patience > 0 else None

    def until(
        self, resource: Resource, namespace: str, name: str, done: Callable[[dict[str, Any] | None], bool]
    ) -> dict[str, Any] | None:
        """The object when `done` says so; None: there is none. Raises WaitTimeoutError, StatusError."""
        for current in self.states(resource, namespace, name):
            if done(current):
                return current
        raise AssertionError("a watch ends by an error only")

    def until_gone(self, resource: Resource, namespace: str, name: str, uid: str = "") -> None:
        """Until there is no such object, or another of the same name. Raises WaitTimeoutError."""
        self.until(
            resource, namespace, name, lambda found: found is None or bool(uid and found["metadata"].get("uid") != uid)
        )

    def states(self, resource: Resource, namespace: str, name: str) -> Iterator[dict[str, Any] | None]:
        """The object as it is, and after each change; None while there is none."""
        path, query = resource.path(namespace), {"fieldSelector": f"metadata.name={name}"}
        while True:
            listed = self._client.get(path, query)
            yield listed["items"][0] if listed["items"] else None
            following = {
                **query,
                "watch": "true",
                "resourceVersion": listed["metadata"]["resourceVersion"],
                "timeoutSeconds": str(self._seconds_left(display=resource.display(name))),
            }
            try:
                for event in self._client.lines(path, following):
                    if event["type"] == "ERROR":
                        if event["object"].get("code") == _GONE:
                            break
                        raise StatusError(int(event["object"].get("code", 500)), event["object"])
                    if event["type"] != "BOOKMARK":
                        yield None if event["type"] == "DELETED" else event["object"]
            except (OSError, UnreachableError):
                # The connection broke: the next list says whether the server did, too.
                pass
            self._seconds_left(display=resource.display(name))

    def _seconds_left(self, *, display: str) -> int:
        """Whole seconds, at least one. Raises WaitTimeoutError when none is left."""
        if self._deadline is None:
            return 3600
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise WaitTimeoutError(f"timed out waiting for the condition on {display}")
        return max(1, round(left))
