"""What a caller says beside the object: who writes, dry run, field validation; which objects a read wants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from proa.apiserver.identity import User
from proa.machinery import status as failures
from proa.machinery.decode import FieldValidation


@dataclass(slots=True)
class WriteOptions:
    """Create-, Update-, PatchOptions. `warnings` collects what the client is told in Warning headers.

    applied: server-side apply has already brought the managedFields up to date. raw: the JSON body, in which duplicate
    fields are looked for.
    """

    user: User
    dry_run: bool = False
    field_manager: str = ""
    field_validation: FieldValidation = FieldValidation.WARN
    applied: bool = False
    raw: bytes | None = None
    warnings: list[str] = field(default_factory=list)
    document: Mapping[str, Any] = field(default_factory=dict)
    """The options as a document, for admission."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """ListOptions of a list."""

    label_selector: str = ""
    field_selector: str = ""
    limit: int = 0
    continue_: str = ""
    resource_version: str = ""
    resource_version_match: str = ""


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """ListOptions of a watch. timeout: seconds until the server ends it. bookmarks: whether BOOKMARK events come."""

    label_selector: str = ""
    field_selector: str = ""
    resource_version: str = ""
    resource_version_match: str = ""
    timeout: float = 0.0
    bookmarks: bool = False
    send_initial_events: bool | None = None


def flag(query: Mapping[str, str], name: str) -> bool:
    """A boolean query parameter; present without a value is true. Raises StatusError 400."""
    value = query.get(name)
    if value is None:
        return False
    if value.lower() in ("", "true", "1", "t"):
        return True
    if value.lower() in ("false", "0", "f"):
        return False
    raise failures.bad_request(f"{name}: {value!r} is not a boolean, use true or false")


def integer(query: Mapping[str, str], name: str, default: int = 0) -> int:
    """An integer query parameter that may not be negative. Raises StatusError 400."""
    value = query.get(name)
    if not value:
        return default
    try:
        number = int(value)
    except ValueError:
        raise failures.bad_request(f"{name}: {value!r} is not an integer") from None
    if number < 0:
        raise failures.bad_request(f"{name}: must be greater than or equal to 0, got {number}")
    return number


def dry_run(values: list[str]) -> bool:
    """The dryRun parameter; only `All` exists. Raises StatusError 400."""
    values = [each for each in values if each]
    if any(each != "All" for each in values):
        raise failures.bad_request(f'dryRun: Unsupported value: {values[0]!r}: supported values: "All"')
    return bool(values)


def read_options(query: Mapping[str, str]) -> ReadOptions:
    """ListOptions from the query."""
    if not query:
        return _DEFAULT_READ
    return ReadOptions(
        query.get("labelSelector", ""),
        query.get("fieldSelector", ""),
        integer(query, "limit"),
        query.get("continue", ""),
        query.get("resourceVersion", ""),
        query.get("resourceVersionMatch", ""),
    )


_DEFAULT_READ = ReadOptions()


def watch_options(query: Mapping[str, str], default_timeout: float) -> WatchOptions:
    """ListOptions of a watch from the query."""
    initial = flag(query, "sendInitialEvents") if "sendInitialEvents" in query else None
    return WatchOptions(
        query.get("labelSelector", ""),
        query.get("fieldSelector", ""),
        query.get("resourceVersion", ""),
        query.get("resourceVersionMatch", ""),
        float(integer(query, "timeoutSeconds")) or default_timeout,
        flag(query, "allowWatchBookmarks"),
        initial,
    )
