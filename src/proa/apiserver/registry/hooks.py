"""What is special to the writes of one resource beyond its object: an interface for those who give out such things.

Here: the interface alone; who implements it is elsewhere (`allocators`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from proa.apiserver.metadata import Document


class Hooks(Protocol):
    """Resources outside of the object that a write takes and gives back: addresses and ports of a Service.

    Each of the first two may change the document, and returns what is to be called with whether the write happened.
    Raises StatusError.
    """

    def begin_create(self, document: Document, *, dry_run: bool) -> Callable[[bool], None]: ...
    def begin_update(self, document: Document, old: Mapping[str, Any], *, dry_run: bool) -> Callable[[bool], None]: ...
    def deleted(self, document: Mapping[str, Any]) -> None: ...
