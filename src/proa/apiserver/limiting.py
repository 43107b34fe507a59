"""How much an API server does at once and how long a request may take, put together from its arguments.

Not here: what any part does (`fairness`, `deadlines`).
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from proa.apiserver.dispatch import Dispatcher
from proa.apiserver.fairness.controller import FairnessController
from proa.apiserver.fairness.driver import Fairness
from proa.apiserver.fairness.dump import PREFIX, Dumps
from proa.apiserver.fairness.inflight import InFlight
from proa.apiserver.fairness.metrics import samples
from proa.apiserver.metrics import RequestMetrics
from proa.base.metrics import HistogramSamples, Samples
from proa.control.controller import Context, ControllerRunner


class RequestLimits(msgspec.Struct, frozen=True):
    """reading, writing: how many requests at once; with `fair` their sum is shared by priority. seconds: how long one
    that is not long-running may take, 0 for any time."""

    reading: int = 400
    writing: int = 200
    fair: bool = True
    seconds: float = 60.0


class Limiter:
    """`turns` says whose turn it is; from `start` on by the objects in the API."""

    def __init__(self, limits: RequestLimits, metrics: RequestMetrics) -> None:
        self._metrics = metrics
        self._fairness = Fairness(limits.reading + limits.writing, limits.seconds / 4 or 15.0) if limits.fair else None
        self.turns: Fairness | InFlight = self._fairness or InFlight(limits.reading, limits.writing)
        self._runner: ControllerRunner | None = None
        self._controller: FairnessController | None = None

    def attach(self, dispatcher: Dispatcher) -> None:
        """Tell it when turns are others; serve what the queues hold."""
        if self._fairness is not None:
            self._fairness.on_change = dispatcher.forget
            dispatcher.serve_path(PREFIX, Dumps(self._fairness, self._metrics.flows))

    async def start(self, context: Context) -> None:
        """Keep the objects that say how requests are shared, and go by them."""
        if self._fairness is None:
            return
        self._controller = FairnessController(context, self._fairness)
        self._runner = ControllerRunner(self._controller)
        await self._runner.start()
        self._controller.begin()

    def is_synced(self) -> bool:
        """Whether the server goes by the objects in the API."""
        return self._controller is None or self._controller.is_synced()

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.close()
        self.turns.close()

    def samples(self) -> Iterator[Samples | HistogramSamples]:
        """For an exposition."""
        if self._fairness is not None:
            yield from samples(self._fairness, self._metrics.flows())
