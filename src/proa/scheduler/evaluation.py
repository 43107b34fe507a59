"""Pods that look alike, and what every node answers to them.

A `PodClass` keeps, for one look, each node's refusal and score, and brings them up to date by asking only about rows
that changed since. Ten thousand replicas of one Deployment thus cost one full evaluation and one row a pod.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from proa.api.core_v1 import Pod
from proa.rules.resources import CPU, MEMORY, pod_requests
from proa.scheduler.columns import DEFAULT_CPU, DEFAULT_MEMORY, Bools, Columns, Demand, Port, Rows
from proa.scheduler.framework import MAX_SCORE, Codes, Filter, Happening, Profile, Score, Scores

_REFUSED = -1.0
_CLASSES = 256


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why no node would do: `reasons` counts nodes by reason, `plugins` are those that refused some node."""

    nodes: int
    reasons: Counter[str]
    plugins: frozenset[str]
    retry_on: Happening

    @property
    def message(self) -> str:
        """`0/5 nodes are available: 2 Insufficient cpu, 3 node(s) were unschedulable.`"""
        if not self.nodes:
            return "no nodes available to schedule pods"
        counted = ", ".join(sorted(f"{count} {reason}" for reason, count in self.reasons.items()))
        return f"0/{self.nodes} nodes are available: {counted}."


def demand_of(pod: Pod) -> Demand:
    """What a pod takes from whichever node it runs on."""
    requests = pod_requests(pod)
    cpu = memory = 0
    for container in (*pod.spec.containers, *(each for each in pod.spec.initContainers if each.restartPolicy)):
        cpu += 0 if CPU in container.resources.requests else DEFAULT_CPU
        memory += 0 if MEMORY in container.resources.requests else DEFAULT_MEMORY
    ports: list[Port] = [
        (port.protocol or "TCP", port.hostIP, port.hostPort)
        for container in (*pod.spec.containers, *pod.spec.initContainers)
        for port in container.ports
        if port.hostPort
    ]
    scored = (requests.get(CPU, 0) + cpu, requests.get(MEMORY, 0) + memory)
    return Demand(tuple(sorted(requests.items())), scored, tuple(ports))


_encode = msgspec.msgpack.Encoder().encode


def look_of(pod: Pod) -> bytes:
    """Everything of a pod that any plugin reads: pods with the same look go to the same nodes."""
    spec = pod.spec
    containers = [
        (each.image, each.resources, each.restartPolicy, [(p.protocol, p.hostIP, p.hostPort) for p in each.ports])
        for each in (*spec.initContainers, *spec.containers)
    ]
    return _encode(
        (
            spec.nodeName,
            spec.nodeSelector,
            spec.affinity,
            spec.tolerations,
            spec.overhead,
            spec.resources,
            len(spec.initContainers),
            containers,
        )
    )


class PodClass:
    """The answers of all nodes to one look."""

    def __init__(self, pod: Pod, profile: Profile, columns: Columns) -> None:
        self.demand = demand_of(pod)
        self._columns = columns
        self._filters: list[tuple[int, Filter, Any]] = []
        for number, each in enumerate(profile.filters, 1):
            features = each.filter_features(pod, self.demand, columns)
            if features is not None:
                self._filters.append((number, each, features))
        self._profile = profile
        self._pod = pod
        self._position = -1
        self._capacity = 0
        self._final: list[tuple[Score, Any]] = []
        self._scaled: list[tuple[Score, Any, Scores]] = []
        self._refused_by: NDArray[np.uint8] = np.zeros(0, np.uint8)
        self._codes: Codes = np.zeros(0, np.uint32)
        self._scores: Scores = np.zeros(0)

    def best(self, random: Random) -> int | Refusal:
        """The row of the best node (one of the best, if several are), or why there is none."""
        self._refresh()
        size = self._columns.size
        scores = self._totals()[:size] if size else self._scores[:0]
        if not size or scores.max() == _REFUSED:
            return self._refusal()
        candidates = np.flatnonzero(scores == scores.max())
        return int(candidates[random.randrange(len(candidates))])

    def _totals(self) -> Scores:
        """Scores with the parts that depend on which nodes are feasible."""
        if not self._scaled:
            return self._scores
        feasible = self._scores != _REFUSED
        totals = self._scores.copy()
        for plugin, _, raw in self._scaled:
            most = raw[feasible].max(initial=0.0)
            if most == 0.0:
                continue  # all alike: adds the same to each
            part = np.floor(raw * MAX_SCORE / most)
            if plugin.normalize == "reverse":
                part = MAX_SCORE - part
            totals[feasible] += plugin.weight * part[feasible]
        return totals

    def _refresh(self) -> None:
        columns = self._columns
        rows = columns.changed_since(self._position) if self._position >= 0 else None
        if rows is None or len(columns.exists) != self._capacity:
            self._restart()
            self._ask(slice(None))
        elif len(rows):
            self._ask(rows)
        self._position = columns.position

    def _restart(self) -> None:
        columns = self._columns
        self._capacity = len(columns.exists)
        self._refused_by = np.zeros(self._capacity, np.uint8)
        self._codes = np.zeros(self._capacity, np.uint32)
        self._scores = np.zeros(self._capacity)
        self._final, self._scaled = [], []
        for plugin in self._profile.scores:
            features = plugin.score_features(self._pod, self.demand, columns)
            if features is None:
                continue
            if plugin.normalize:
                self._scaled.append((plugin, features, np.zeros(self._capacity)))
            else:
                self._final.append((plugin, features))

    def _ask(self, rows: Rows | slice) -> None:
        columns = self._columns
        exists: Bools = columns.exists[rows]
        open_: Bools = exists.copy()
        refused_by = np.zeros(len(exists), np.uint8)
        codes = np.zeros(len(exists), np.uint32)
        for number, plugin, features in self._filters:
            code = plugin.filter(features, columns, rows)
            refused = open_ & (code != 0)
            if refused.any():
                refused_by[refused] = number
                codes[refused] = code[refused]
                open_ &= ~refused
        scores = np.zeros(len(exists))
        for scorer, features in self._final:
            scores += scorer.weight * scorer.score(features, columns, rows)
        for scorer, features, raw in self._scaled:
            raw[rows] = scorer.score(features, columns, rows)
        scores[~open_] = _REFUSED
        self._refused_by[rows] = refused_by
        self._codes[rows] = codes
        self._scores[rows] = scores

    def _refusal(self) -> Refusal:
        columns = self._columns
        exists = columns.exists
        reasons: Counter[str] = Counter()
        plugins: set[str] = set()
        retry_on = Happening.NODE_ADDED
        for number, plugin, features in self._filters:
            refused = exists & (self._refused_by == number)
            codes, counts = np.unique(self._codes[refused], return_counts=True)
            for code, count in zip(codes.tolist(), counts.tolist(), strict=True):
                for reason in plugin.reasons(features, code):
                    reasons[reason] += count
            if len(codes):
                plugins.add(plugin.name)
                retry_on |= plugin.retry_on
        return Refusal(len(columns), reasons, frozenset(plugins), retry_on)


class PodClasses:
    """The classes in use, the least recently used forgotten first."""

    def __init__(self, profile: Profile, columns: Columns) -> None:
        self._profile = profile
        self._columns = columns
        self._classes: OrderedDict[bytes, PodClass] = OrderedDict()

    def of(self, pod: Pod) -> PodClass:
        look = look_of(pod)
        found = self._classes.get(look)
        if found is None:
            found = self._classes[look] = PodClass(pod, self._profile, self._columns)
            if len(self._classes) > _CLASSES:
                self._classes.popitem(last=False)
        else:
            self._classes.move_to_end(look)
        return found

    def __len__(self) -> int:
        return len(self._classes)
