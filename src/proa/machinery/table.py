"""Server-side tables and metadata-only objects (meta.k8s.io/v1), for `kubectl get` and metadata informers.

A table is a function of plain documents and the resource's columns, so any resource has one. A cell of type 'age' is
a time that is shown as its age. Not here: the columns of a kind (its declaration), their building blocks (`columns`),
and content negotiation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from proa.machinery import status, timestamps
from proa.machinery.columns import AGE, NAME, NONE, UNKNOWN
from proa.machinery.fields import quoted
from proa.machinery.resource import Column, Conditions

Document = Mapping[str, Any]
IncludeObject = Literal["Metadata", "Object", "None"]

GROUP = "meta.k8s.io"
_SHOWN_AS = {"age": "string", "duration": "string", "recurrence": "string", "timestamp": "date"}
API_VERSION = f"{GROUP}/v1"


def include_object(text: str) -> IncludeObject:
    """The query parameter `includeObject`. Raises StatusError (400)."""
    match text:
        case "" | "Metadata":
            return "Metadata"
        case "Object" | "None":
            return text
        case _:
            raise status.bad_request(
                f"includeObject: Invalid value: {quoted(text)}: must be 'Metadata', 'Object', 'None', or empty"
            )


def table(
    documents: Iterable[Document],
    columns: Sequence[Column],
    now: float,
    *,
    include: IncludeObject = "Metadata",
    list_meta: Mapping[str, Any] | None = None,
    headers: bool = True,
    version: str = "v1",
    conditions: Callable[[Document], Conditions] | None = None,
) -> dict[str, Any]:
    """A `Table`. now: seconds since 1970, for ages. list_meta: the list's metadata, or a single object's
    resourceVersion. headers: the columns; a watch sends them in its first event only. version: of meta.k8s.io.
    conditions: what to say of a row as a whole."""
    columns = columns or (NAME, AGE)
    return {
        "kind": "Table",
        "apiVersion": f"{GROUP}/{version}",
        "metadata": dict(list_meta or {}),
        "columnDefinitions": [_definition(each) for each in columns] if headers else [],
        "rows": [_row(each, columns, now, include, conditions) for each in documents],
    }


def _definition(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": _SHOWN_AS.get(column.type, column.type),
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    }


def _row(
    document: Document,
    columns: Sequence[Column],
    now: float,
    include: IncludeObject,
    conditions: Callable[[Document], Conditions] | None,
) -> dict[str, Any]:
    row: dict[str, Any] = {"cells": [_cell(each, document, now) for each in columns]}
    said = conditions(document) if conditions is not None else ()
    if said:
        row["conditions"] = said
    if include == "Metadata":
        row["object"] = partial_metadata(document)
    elif include == "Object":
        row["object"] = document
    return row


def _cell(column: Column, document: Document, now: float) -> Any:
    value = column.value(document)
    try:
        match column.type:
            case "age" | "date" if value not in (None, UNKNOWN, NONE):
                return timestamps.age(value, now)
            case "duration" if value:
                start, end = value
                ended = timestamps.to_epoch(end) if end else now
                return timestamps.human_duration(ended - timestamps.to_epoch(start))
            case "recurrence":
                count, last = value
                return f"{count} ({timestamps.age(last, now)} ago)" if count and last else str(count)
            case _:
                return value
    except timestamps.TimeError:
        return "<invalid>"


def partial_metadata(document: Document) -> dict[str, Any]:
    """`PartialObjectMetadata`: the metadata and nothing else."""
    return {"kind": "PartialObjectMetadata", "apiVersion": API_VERSION, "metadata": document.get("metadata", {})}


def partial_metadata_list(documents: Iterable[Document], list_meta: Mapping[str, Any]) -> dict[str, Any]:
    """`PartialObjectMetadataList`."""
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": API_VERSION,
        "metadata": dict(list_meta),
        "items": [partial_metadata(each) for each in documents],
    }
