"""What is special to the writes of one resource beyond its object: an interface for those who give out such things.

Here: the interface alone; who implements it is elsewhere (`allocators`).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

from proa.apiserver.metadata import Document
from proa.store.protocol import Conflict


class Hooks(Protocol):
    """Resources outside of the object that a write takes and gives back: addresses and ports of a Service.

    `begin_create` and `begin_update` may change the document, and reserve what it is to have; each returns what is to
    be called when the request is over, with whether it changed anything. `write` carries out the store's write
    itself, whose fate may be known only after the request is given up. All raise StatusError.
    """

    def begin_create(self, document: Document, *, dry_run: bool) -> Callable[[bool], None]: ...
    def begin_update(self, document: Document, old: Mapping[str, Any], *, dry_run: bool) -> Callable[[bool], None]: ...
    async def write(self, old: Any, new: Any, writing: Coroutine[Any, Any, int | Conflict]) -> int | Conflict:
        """Await or close `writing`, which stores `new` in the place of `old` (typed; None: nothing); what it gives."""
        ...
