"""NodePorts: two pods cannot have the same host port of one node.

Few pods have host ports, so only the nodes where some port is taken are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from proa.api.core_v1 import Pod
from proa.scheduler.columns import Bools, Columns, Demand, Port, Rows
from proa.scheduler.framework import Happening

_ANY = ("", "0.0.0.0")


class NodePorts:
    name = "NodePorts"
    retry_on = Happening.NODE_ADDED | Happening.POD_REMOVED

    def filter_features(self, pod: Pod, demand: Demand, columns: Columns) -> tuple[Port, ...] | None:
        return demand.ports or None

    def filter(self, features: tuple[Port, ...], columns: Columns, rows: Rows | slice) -> Bools:
        refused = np.zeros(len(columns.exists), np.bool_)
        for row, taken in columns.ports.items():
            refused[row] = any(_conflicts(wanted, taken) for wanted in features)
        result: Bools = refused[rows]
        return result

    def reasons(self, features: Any, code: int) -> Sequence[str]:
        return ("node(s) didn't have free ports for the requested pod ports",)


def _conflicts(wanted: Port, taken: Iterable[Port]) -> bool:
    protocol, address, port = wanted
    return any(
        protocol == each[0] and port == each[2] and (address in _ANY or each[1] in _ANY or address == each[1])
        for each in taken
    )
