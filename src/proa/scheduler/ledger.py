"""Which pod counts on which node: pods the API says are bound, and pods this scheduler has just placed (assumed).

An assumed pod counts at once, so that the next one sees it; when the API confirms the binding nothing changes, and
when the bind fails it is taken off again.
"""

from __future__ import annotations

from dataclasses import dataclass

from proa.api.core_v1 import Pod
from proa.rules.pods import is_terminal
from proa.scheduler.columns import Columns, Demand
from proa.scheduler.evaluation import demand_of


@dataclass(slots=True)
class _Entry:
    node: str
    demand: Demand
    assumed: bool


class Ledger:
    """Keeps `columns` counting every pod once. Pods are known by UID; a node may appear after its pods."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._entries: dict[str, _Entry] = {}
        self._orphans: dict[str, set[str]] = {}

    def assume(self, uid: str, node: str, demand: Demand) -> None:
        self._take(uid, _Entry(node, demand, assumed=True))

    def forget(self, uid: str) -> None:
        """The bind failed."""
        entry = self._entries.get(uid)
        if entry is not None and entry.assumed:
            self.remove(uid)

    def put(self, pod: Pod) -> bool:
        """The API says this about a bound pod; whether room became free on its node."""
        uid = pod.metadata.uid
        entry = self._entries.get(uid)
        if is_terminal(pod):
            return self.remove(uid)
        if entry is not None and entry.assumed and entry.node == pod.spec.nodeName:
            entry.assumed = False
            return False
        demand = demand_of(pod)
        if entry is not None and entry.node == pod.spec.nodeName and entry.demand == demand:
            return False
        freed = self.remove(uid)
        self._take(uid, _Entry(pod.spec.nodeName, demand, assumed=False))
        return freed

    def remove(self, uid: str) -> bool:
        """The pod no longer takes anything; whether it did."""
        entry = self._entries.pop(uid, None)
        if entry is None:
            return False
        row = self._columns.row_of.get(entry.node)
        if row is not None:
            self._columns.add_pod(row, entry.demand, -1)
        self._orphans.get(entry.node, set()).discard(uid)
        return True

    def node_appeared(self, node: str) -> None:
        """Count the pods that were bound to a node before it was known."""
        row = self._columns.row_of[node]
        for uid in self._orphans.pop(node, ()):
            self._columns.add_pod(row, self._entries[uid].demand)

    def node_removed(self, node: str) -> None:
        """Its pods count again should it come back."""
        uids = {uid for uid, entry in self._entries.items() if entry.node == node}
        if uids:
            self._orphans[node] = uids

    def __len__(self) -> int:
        return len(self._entries)

    def statistics(self) -> dict[str, int]:
        return {"pods": len(self._entries), "assumed": sum(each.assumed for each in self._entries.values())}

    def _take(self, uid: str, entry: _Entry) -> None:
        self._entries[uid] = entry
        row = self._columns.row_of.get(entry.node)
        if row is None:
            self._orphans.setdefault(entry.node, set()).add(uid)
        else:
            self._columns.add_pod(row, entry.demand)
