"""A cluster for clients that know nothing of this process: it runs in a thread of its own, in real time, over HTTPS."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType

from proa.cluster.settings import write_private
from proa.runtime.fake import Behaviour
from proa.runtime.protocol import ContainerConfig
from proa.testing.clock import SettlingEventLoop
from proa.testing.cluster import Cluster


class ServedCluster:
    """`with ServedCluster(directory) as served:` - `served.url` answers and `served.kubeconfig` is a file by which
    kubectl and client libraries reach it as its administrator.
    """

    def __init__(
        self,
        directory: Path,
        *,
        nodes: int = 1,
        seed: int = 0,
        behaviour: Callable[[ContainerConfig], Behaviour] | None = None,
    ) -> None:
        self.kubeconfig = directory / "kubeconfig"
        self.url = ""
        self._nodes, self._seed, self._behaviour = nodes, seed, behaviour
        self._thread = threading.Thread(target=self._run, name="proa cluster", daemon=True)
        self._ready: Future[None] = Future()
        self._stop: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    def __enter__(self) -> ServedCluster:
        self._thread.start()
        self._ready.result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._stop is not None:
            loop, event = self._stop
            loop.call_soon_threadsafe(event.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=SettlingEventLoop) as runner:
            try:
                runner.run(self._serve())
            except BaseException as error:
                if self._ready.done():
                    raise
                self._ready.set_exception(error)

    async def _serve(self) -> None:
        async with Cluster(nodes=self._nodes, seed=self._seed, behaviour=self._behaviour) as cluster:
            stop = asyncio.Event()
            self.url = await cluster.serve()
            write_private(self.kubeconfig, (await cluster.kubeconfig()).encode())
            self._stop = asyncio.get_running_loop(), stop
            self._ready.set_result(None)
            await stop.wait()
