"""The agent's side of the zygote: started when first needed, asked for one shim at a time."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path

import proa
from proa.linux.daemon import Daemon
from proa.linux.process import resident_bytes
from proa.runtime.embedded import wire
from proa.runtime.embedded.client import Session, ShimGoneError

_CODE = "import sys; sys.path.append(sys.argv[1]); from proa.runtime.embedded.zygote import main; main(sys.argv[2])"


class Nursery:
    """Owns the zygote process; `log` gets what zygote and shims say on stderr, `cgroup` holds them all."""

    def __init__(self, log: Path, cgroup: str) -> None:
        self._log = log
        self._cgroup = cgroup
        self._lock = asyncio.Lock()
        self._daemon: Daemon | None = None
        self._control: socket.socket | None = None

    async def fork_shim(self, spec: Path) -> int:
        """A shim for the sandbox that the file `spec` describes; its pid, once it serves. ShimError when it can not."""
        zygote = self._control
        try:
            return await self._fork(spec)
        except ShimGoneError:
            if zygote is self._control and not self._is_orphaned():
                raise
            return await self._fork(spec)  # the zygote was killed before it took the request

    def _is_orphaned(self) -> bool:
        """Whether the zygote is dead or dying: it hangs up before it can be waited for."""
        if self._control is None or not self.pid:
            return True
        try:
            return not self._control.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    async def _fork(self, spec: Path) -> int:
        with await self._connect() as session:
            await session.send({"spec": str(spec)})
            return int((await session.receive())["pid"])

    async def _connect(self) -> Session:
        """A connection whose other end the next shim will hold."""
        async with self._lock:
            if self._control is None or self._is_orphaned():
                self._control = await self._start()
            ours, theirs = socket.socketpair()
            try:
                self._control.sendmsg([b"+"], wire.rights([theirs.fileno()]))
            except OSError as error:
                ours.close()
                raise ShimGoneError(f"the zygote is gone: {error.strerror}") from error
            finally:
                theirs.close()
        ours.setblocking(False)
        return Session(ours)

    async def _start(self) -> socket.socket:
        await self.close()
        ours, theirs = socket.socketpair()
        source = str(Path(proa.__file__).parent.parent)
        # -I -S: neither the environment nor site-packages; that is start-up time and memory of every pod
        arguments = [sys.executable, "-I", "-S", "-c", _CODE, source, self._cgroup]
        env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
        try:
            self._daemon = await asyncio.to_thread(
                Daemon, arguments, stdin=theirs.fileno(), log=str(self._log), env=env
            )
        finally:
            theirs.close()
        return ours

    @property
    def pid(self) -> int:
        """The zygote's pid, 0 while there is none."""
        return self._daemon.pid if self._daemon is not None and self._daemon.poll() is None else 0

    def resident_bytes(self) -> int:
        return resident_bytes(self.pid) if self.pid else 0

    async def close(self) -> None:
        """End the zygote; shims live on."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._daemon is not None:
            await asyncio.to_thread(self._daemon.wait, 5.0)
            self._daemon = None
