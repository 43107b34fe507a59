"""The state directory: where each sandbox and container keeps what a later agent must know.

    sandboxes/<id>/sandbox.json   SandboxStatus at its last change by the agent
                   spec.json shim.pid shim.sock shim.log hostname
                   containers/<id>/container.json   ContainerStatus as created
                                   spec.json status.json (the shim's word) upper/ work/ rootfs/

A directory without its first file is the trace of a creation that did not finish.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from pathlib import Path
from typing import Any

import msgspec

from proa.linux import process
from proa.runtime.embedded import wire
from proa.runtime.embedded.spec import ContainerSpec, SandboxSpec, StatusRecord
from proa.runtime.protocol import ContainerState, ContainerStatus, SandboxStatus


def _encode(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"{type(value)} has no place in a record")


def _decode(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise NotImplementedError(f"{kind} has no place in a record")


@functools.cache
def _decoder(kind: type) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind, dec_hook=_decode)


def write(path: Path, value: object) -> None:
    wire.write_atomically(str(path), msgspec.json.encode(value, enc_hook=_encode))


def read_sandbox(directory: Path) -> SandboxStatus | None:
    status: SandboxStatus | None = _read(directory / "sandbox.json", SandboxStatus)
    return status


def read_container(directory: Path) -> ContainerStatus | None:
    """The status as created, brought up to date with what the shim wrote."""
    status: ContainerStatus | None = _read(directory / "container.json", ContainerStatus)
    try:
        record: StatusRecord = json.loads((directory / "status.json").read_bytes())
    except FileNotFoundError:
        return status
    return merge(status, record) if status is not None else None


def read_sandbox_spec(directory: Path) -> SandboxSpec | None:
    try:
        spec: SandboxSpec = json.loads((directory / "spec.json").read_bytes())
    except FileNotFoundError:
        return None
    return spec


def read_spec(directory: Path) -> ContainerSpec:
    spec: ContainerSpec = json.loads((directory / "spec.json").read_bytes())
    return spec


def shim_pid(directory: Path) -> int:
    """The pid of the sandbox's shim if that still runs, else 0."""
    try:
        pid, started = map(int, (directory / "shim.pid").read_text().split())
    except FileNotFoundError:
        return 0
    return pid if process.is_same(pid, started) else 0


def merge(status: ContainerStatus, record: StatusRecord) -> ContainerStatus:
    """`status` with what the shim says; one that knows more than `record` stays as it is."""
    order = list(ContainerState)
    state = ContainerState(record["state"])
    if order.index(state) < order.index(status.state):
        return status
    return dataclasses.replace(
        status,
        state=state,
        pid=record.get("pid", 0),
        started_at=record.get("started_at", 0.0),
        finished_at=record.get("finished_at", 0.0),
        exit_code=record.get("exit_code", 0),
        signal=record.get("signal", 0),
        reason=record.get("reason", ""),
        message=record.get("message", ""),
    )


def _read(path: Path, kind: type) -> Any:
    try:
        return _decoder(kind).decode(path.read_bytes())
    except FileNotFoundError:
        return None
