"""How a server process runs its interpreter: collect garbage rarely, hand the lock over quickly.

CPython's defaults look through young objects every 700 allocations and through everything when the heap has grown by a
quarter; with 16,000 pods in a cache that is a pause of milliseconds several times a second, and a third of the CPU of
creating pods. Little of what a server holds is cyclic. And a thread that comes back from the disk waits up to 5 ms for
a busy event loop to let it say so, which every write then waits for. Measured: p99 of watch delivery 8.8 -> 3.6 ms,
creates of pods 1.7 times as many by the first, 1.15 times by the second. While a process starts, what it makes are
modules and types, which stay: to look for garbage among them is a tenth of the imports' time. Not for libraries or
tests: the settings are the process's.
"""

from __future__ import annotations

import gc
import sys

# Young objects are looked through after so many allocations net of frees; the middle generation after 50 of those.
_YOUNG, _MIDDLE, _OLD = 100_000, 50, 1000
_SWITCH_SECONDS = 0.0005


def pause() -> None:
    """Collect nothing until `resume` or `tune_for_server`. Call before the imports."""
    gc.disable()


def resume() -> None:
    """Collect as CPython does by default."""
    gc.enable()


def tune_for_server() -> None:
    """Call once, after the imports and the first load, in a process that serves for long."""
    gc.collect()
    gc.freeze()  # what is loaded now stays: modules, types, tables
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
    gc.enable()
    sys.setswitchinterval(_SWITCH_SECONDS)
