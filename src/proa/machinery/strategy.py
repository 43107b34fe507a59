"""What a resource does beyond its declaration, when it does nothing special: the base of every strategy.

A strategy works on one resource and holds no state. Documents are plain mutable JSON of their declared shape;
validation sees frozen typed objects. Not here: what holds for every resource (`object_meta`, `validate`, the API
server's registry).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from proa.machinery.fields import ErrorList


class DefaultStrategy:
    """Override what differs. See `proa.machinery.resource.Strategy` for the order of the calls."""

    unconditional_update: ClassVar[bool] = True
    """Whether an update need not say which version it replaces."""

    creates_on_update: ClassVar[bool] = False
    """Whether replacing an object that is not there makes it."""

    orphans_dependents: ClassVar[bool] = False
    """Whether a delete that says nothing of what it owns leaves that behind, as the first clients expected."""

    orphans_warning: ClassVar[str] = ""
    """What who deletes an object that way is told, since few expect it."""

    def default(self, document: dict[str, Any]) -> None:
        """Defaults that depend on other fields, after the declared ones."""

    def prepare_for_create(self, document: dict[str, Any]) -> None:
        """Resets what a client may not set. The status of a new object is not the client's to say."""
        document.pop("status", None)

    def prepare_for_update(self, document: dict[str, Any], old: Mapping[str, Any]) -> None:
        """Keeps what this door may not change: the status, which has a subresource of its own."""
        keep(document, old, "status")

    def prepare_for_status_update(self, document: dict[str, Any], old: Mapping[str, Any]) -> None:
        """The status subresource changes the status and nothing but it."""
        keep(document, old, "spec")

    def prepare_for_delete(self, document: dict[str, Any], now: str) -> None:
        """What the first delete writes into an object that stays until somebody has cleaned up behind it."""

    def validate(self, new: Any, errors: ErrorList) -> None:
        """What the declared facts cannot say about a new object (and, on update, about the new version)."""

    def validate_create(self, new: Any, errors: ErrorList) -> None:
        """What only holds of a new object. `validate` is called besides."""

    def validate_update(self, new: Any, old: Any, errors: ErrorList) -> None:
        """What may not change. `validate` is called besides."""

    def warnings(self, new: Any, old: Any) -> list[str]:
        """What the client should know of a valid new object, or of a new version of `old`."""
        return []

    def status_warnings(self, new: Any) -> list[str]:
        """What who wrote a valid status should know of it; who did so is not told of the rest."""
        return []


DEFAULT = DefaultStrategy()


def is_other(new: Any, old: Any) -> bool:
    """Whether an object is new, or wants something else than its older version."""
    return old is None or new.metadata.generation != old.metadata.generation


def keep(document: dict[str, Any], old: Mapping[str, Any], *fields: str) -> None:
    """Sets top-level fields to what they were, absent ones included."""
    for field in fields:
        if field in old:
            document[field] = old[field]
        else:
            document.pop(field, None)
