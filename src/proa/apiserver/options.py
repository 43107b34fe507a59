"""What a caller says beside the object: who writes, dry run, field validation; which objects a read wants."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from proa.apiserver.identity import User
from proa.machinery import status as failures
from proa.machinery.decode import FieldValidation
from proa.machinery.fields import ErrorList, Path, quoted
from proa.machinery.object_meta import validate_field_manager


class WriteOptions(msgspec.Struct):
    """Create-, Update-, PatchOptions. `warnings` collects what the client is told in Warning headers, `annotations`
    what admission tells the audit log.

    applied: server-side apply has already brought the managedFields up to date. raw: the JSON body, in which duplicate
    fields are looked for.
    """

    user: User
    dry_run: bool = False
    field_manager: str = ""
    field_validation: FieldValidation = FieldValidation.WARN
    applied: bool = False
    raw: bytes | None = None
    warnings: list[str] = msgspec.field(default_factory=list)
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    document: Mapping[str, Any] = msgspec.field(default_factory=dict)
    """The options as a document, for admission."""


class ReadOptions(msgspec.Struct, frozen=True):
    """ListOptions of a list."""

    label_selector: str = ""
    field_selector: str = ""
    limit: int = 0
    continue_: str = ""
    resource_version: str = ""
    resource_version_match: str = ""
    send_initial_events: bool = False
    """Whether anything is said about them: they are a watch's."""


class WatchOptions(msgspec.Struct, frozen=True):
    """ListOptions of a watch. timeout: seconds until the server ends it. bookmarks: whether BOOKMARK events come."""

    label_selector: str = ""
    field_selector: str = ""
    resource_version: str = ""
    resource_version_match: str = ""
    timeout: float = 0.0
    bookmarks: bool = False
    send_initial_events: bool | None = None
    continue_: str = ""


def refuse(kind: str, errors: ErrorList) -> None:
    """Raises StatusError 422 where options of this kind are invalid."""
    if errors:
        raise failures.invalid("meta.k8s.io", kind, "", errors)


def flag(query: Mapping[str, str], name: str) -> bool:
    """A boolean query parameter, as Go clients mean it: given and neither `false` nor `0`."""
    value = query.get(name)
    return value is not None and value.lower() not in ("false", "0")


_INTEGER = re.compile("[+-]?[0-9]+")


def integer(query: Mapping[str, str], name: str, default: int = 0) -> int:
    """An integer query parameter. Raises StatusError 400."""
    value = query.get(name)
    if value is None:
        return default
    if not _INTEGER.fullmatch(value):
        raise failures.bad_request(f"strconv.ParseInt: parsing {quoted(value)}: invalid syntax")
    number = int(value)
    if not -(1 << 63) <= number < 1 << 63:
        raise failures.bad_request(f"strconv.ParseInt: parsing {quoted(value)}: value out of range")
    return number


def dry_run(values: Sequence[str], kind: str = "DeleteOptions") -> bool:
    """The dryRun parameter; only `All` exists. Raises StatusError 422."""
    values = [each for each in values if each]
    if any(each != "All" for each in values):
        errors = ErrorList()
        errors.unsupported(Path("dryRun"), values, ("All",))
        refuse(kind, errors)
    return bool(values)


def checked_write(kind: str, options: WriteOptions, query: Mapping[str, str], dry: Sequence[str]) -> None:
    """Take Create-, Update-, PatchOptions (`kind`) from the query. Raises StatusError 422."""
    errors = ErrorList()
    manager, validation = query.get("fieldManager", ""), query.get("fieldValidation", "")
    if manager:
        validate_field_manager(manager, errors, Path("fieldManager"))
        options.field_manager = manager
    if validation:
        if validation in _FIELD_VALIDATIONS:
            options.field_validation = FieldValidation(validation)
        else:
            errors.unsupported(Path("fieldValidation"), validation, ("", *_FIELD_VALIDATIONS))
    if any(each not in ("", "All") for each in dry):
        errors.unsupported(Path("dryRun"), list(dry), ("All",))
    options.dry_run = "All" in dry
    refuse(kind, errors)


_FIELD_VALIDATIONS = ("Ignore", "Strict", "Warn")


def read_options(query: Mapping[str, str]) -> ReadOptions:
    """ListOptions of a list from the query. Raises StatusError 400."""
    if not query:
        return _DEFAULT_READ
    integer(query, "timeoutSeconds")  # bounds nothing here, but is a number
    return ReadOptions(
        query.get("labelSelector", ""),
        query.get("fieldSelector", ""),
        max(integer(query, "limit"), 0),
        query.get("continue", ""),
        query.get("resourceVersion", ""),
        query.get("resourceVersionMatch", ""),
        "sendInitialEvents" in query,
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
        float(max(integer(query, "timeoutSeconds"), 0)) or default_timeout,
        flag(query, "allowWatchBookmarks"),
        initial,
        query.get("continue", ""),
    )
