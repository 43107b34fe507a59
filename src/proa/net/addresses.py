"""Which sandbox holds which address of the node's podCIDR, kept in a file.

An append-only log: one line for each assignment and release, a torn last line is dropped, and it is rewritten (new
file, fsync, rename) when it is opened and when it has grown. An assignment is on disk before it is used. A freed
address goes to the end of the line, so that it is not soon another pod's; but a pod that comes back (same namespace
and name, as after a reboot) gets the address it had if that is still free.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from proa.net.protocol import AddressesExhausted

_REWRITE_AFTER = 4096


@dataclass(frozen=True, slots=True)
class Lease:
    """An address and the sandbox that holds it; `pod` is "<namespace>/<name>"."""

    address: IPv4Address
    sandbox_id: str
    pod: str


class AddressPool:
    """The addresses of one podCIDR: all but the network's, the gateway's (the first) and the broadcast address."""

    def __init__(self, network: IPv4Network, path: Path) -> None:
        """Reads the log at `path` if there is one. OSError when it cannot be read or rewritten."""
        self._network = network
        self._path = path
        self._last = network.num_addresses - (2 if network.prefixlen < 31 else 1)
        self._held: dict[str, Lease] = {}
        self._freed: dict[IPv4Address, str] = {}
        self._fresh = 2
        self._read()
        self._rewrite()

    @property
    def leases(self) -> tuple[Lease, ...]:
        return tuple(self._held.values())

    @property
    def free(self) -> int:
        """How many addresses are not held."""
        return max(0, self._last - 1 - len(self._held))

    def lease(self, sandbox_id: str) -> Lease | None:
        return self._held.get(sandbox_id)

    def assign(self, sandbox_id: str, pod: str) -> Lease:
        """The sandbox's address: the one it holds, else the one its pod had, else the longest unused."""
        held = self._held.get(sandbox_id)
        if held is not None:
            return held
        lease = Lease(self._choose(pod), sandbox_id, pod)
        self._write(f"+ {lease.address} {sandbox_id} {pod}\n", durable=True)
        self._freed.pop(lease.address, None)
        self._held[sandbox_id] = lease
        return lease

    def release(self, sandbox_id: str) -> Lease | None:
        """Free the sandbox's address; None when it holds none."""
        lease = self._held.pop(sandbox_id, None)
        if lease is None:
            return None
        self._freed[lease.address] = lease.pod
        # Not forced to disk: a release that a crash forgets is found again by PodNetwork.retain.
        self._write(f"- {lease.address} {sandbox_id} {lease.pod}\n", durable=False)
        return lease

    def close(self) -> None:
        os.close(self._file)

    def _choose(self, pod: str) -> IPv4Address:
        former = next((address for address, owner in self._freed.items() if owner == pod), None)
        if former is not None:
            return former
        if self._fresh <= self._last:
            self._fresh += 1
            return self._network[self._fresh - 1]
        if self._freed:
            return next(iter(self._freed))
        raise AddressesExhausted(f"no free address in {self._network}: {len(self._held)} sandboxes hold them all")

    def _read(self) -> None:
        try:
            text = self._path.read_text()
        except FileNotFoundError:
            return
        for line in text.splitlines(keepends=True):
            fields = line.split()
            if not line.endswith("\n") or len(fields) != 4:
                continue
            sign, address, sandbox_id, pod = fields[0], IPv4Address(fields[1]), *fields[2:]
            if address in self._network:
                self._replay(sign, address, sandbox_id, pod)

    def _replay(self, sign: str, address: IPv4Address, sandbox_id: str, pod: str) -> None:
        self._fresh = max(self._fresh, int(address) - int(self._network.network_address) + 1)
        self._freed.pop(address, None)
        if sign == "+":
            self._held[sandbox_id] = Lease(address, sandbox_id, pod)
        else:
            self._held.pop(sandbox_id, None)
            self._freed[address] = pod

    def _write(self, line: str, *, durable: bool) -> None:
        os.write(self._file, line.encode())
        if durable:
            os.fdatasync(self._file)
        self._lines += 1
        if self._lines > _REWRITE_AFTER + 4 * len(self._held):
            os.close(self._file)
            self._rewrite()

    def _rewrite(self) -> None:
        lines = [f"- {address} - {pod}\n" for address, pod in self._freed.items()]
        lines += [f"+ {lease.address} {lease.sandbox_id} {lease.pod}\n" for lease in self._held.values()]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        with fresh.open("w") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(self._path)
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._lines = len(lines)
