"""What a component tells whoever started it: datagrams as in sd_notify(3), so that systemd understands them too.

A step goes out as `STATUS=<step>` with the fields as JSON in `X_PROA=`; the step that makes the component useful adds
`READY=1`. Not here: what the steps mean (`up` waits for them), health over time (that is the API's).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

VARIABLE = "NOTIFY_SOCKET"
_MAXIMUM = 64 * 1024


class Report(msgspec.Struct, frozen=True):
    """One step of one component."""

    component: str
    step: str
    fields: Mapping[str, Any]


class Notifier:
    """The component's side. Without a socket in the environment, or with nobody left to listen, it says nothing."""

    def __init__(self, component: str, ready_on: str) -> None:
        """`ready_on`: the step after which the component does what it is for. Takes the variable from the environment,

        so that programs started from here do not speak for us.
        """
        self._component = component
        self._ready_on = ready_on
        self._socket: socket.socket | None = None
        address = os.environ.pop(VARIABLE, "")
        if address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)
            try:
                # Connected now: the address may not be reachable from a namespace entered later.
                self._socket.connect("\0" + address[1:] if address.startswith("@") else address)
            except OSError:
                self._socket.close()
                self._socket = None

    def report(self, step: str, fields: Mapping[str, Any]) -> None:
        self._send({"STATUS": step, "X_PROA": json.dumps({"component": self._component, "step": step, **fields})})
        if step == self._ready_on:
            self._send({"READY": "1"})

    def stopping(self) -> None:
        self._send({"STOPPING": "1"})

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, variables: Mapping[str, str]) -> None:
        if self._socket is None:
            return
        # Whoever waited may be gone or slow: a report is a courtesy, never a reason to fail.
        with contextlib.suppress(OSError):
            self._socket.send("".join(f"{name}={value}\n" for name, value in variables.items()).encode())


class Listener:
    """The waiting side: a socket whose address goes into the environment of what is started."""

    def __init__(self) -> None:
        # Not below the cluster's directory: a socket's path has at most 107 bytes.
        self._directory = Path(tempfile.mkdtemp(prefix="proa-up-"))
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.bind(str(self._directory / "notify"))

    @property
    def environment(self) -> dict[str, str]:
        return {VARIABLE: str(self._directory / "notify")}

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self, timeout: float) -> Report | None:
        """The next report, None when none came in `timeout` seconds or what came is none of ours."""
        self._socket.settimeout(max(timeout, 0.001))
        try:
            data = self._socket.recv(_MAXIMUM).decode(errors="replace")
        except TimeoutError:
            return None
        for line in data.splitlines():
            name, _, value = line.partition("=")
            if name == "X_PROA":
                fields = json.loads(value)
                return Report(fields.pop("component"), fields.pop("step"), fields)
        return None

    def close(self) -> None:
        self._socket.close()
        shutil.rmtree(self._directory, ignore_errors=True)
