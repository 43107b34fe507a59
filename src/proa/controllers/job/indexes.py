"""Completion indexes: which one a pod has, and sets of them as the status spells them (`1,3-5,7`). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from proa.api.core_v1 import Pod

INDEX = "batch.kubernetes.io/job-completion-index"


def index_of(pod: Pod) -> int | None:
    """The pod's completion index; None when it says none or nothing sensible."""
    text = pod.metadata.annotations.get(INDEX, "")
    return int(text) if text.isascii() and text.isdigit() else None


def parse(text: str, completions: int) -> set[int]:
    """The indexes below `completions` in a status text; what is malformed is left out."""
    found: set[int] = set()
    for part in text.split(",") if text else ():
        first, _, last = part.partition("-")
        if first.isdigit() and (not last or last.isdigit()):
            found.update(range(int(first), min(int(last or first), completions - 1) + 1))
    return found


def spell(indexes: Iterable[int]) -> str:
    """Sorted, with runs of three and more (and of two, as upstream does) joined: `0,2-4`."""
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in _runs(sorted(indexes)))


def _runs(indexes: list[int]) -> Iterator[tuple[int, int]]:
    first: int | None = None
    last = 0
    for index in indexes:
        if first is None:
            first = index
        elif index != last + 1:
            yield first, last
            first = index
        last = index
    if first is None:
        return
    yield first, last
