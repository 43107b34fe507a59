"""Whether managedFields can be read at all: what somebody outside may have made of them.

Not here: what clients may write into them (`object_meta`).
"""

from __future__ import annotations

from typing import Any

import msgspec

from proa.machinery.fields import quoted

_ELEMENTS = ("f:", "k:", "v:", "i:")


def defect(entries: Any) -> str:
    """What is wrong with managedFields as a document has them; '' for nothing."""
    if not isinstance(entries, list):
        return "" if entries is None else f"{_shown(entries)} is no list"
    return next(filter(None, map(_defect_of_entry, entries)), "")


def _defect_of_entry(entry: Any) -> str:
    if not isinstance(entry, dict):
        return f"error decoding set: {_shown(entry)} is no entry"
    if entry.get("operation") not in ("Apply", "Update"):
        return f"error decoding manager from {_shown(entry)}: unknown operation"
    return _defect_of_fields(entry.get("fieldsV1") or {})


def _defect_of_fields(fields: Any) -> str:
    if not isinstance(fields, dict):
        return f"error decoding set: {_shown(fields)} is no set of fields"
    for name, below in fields.items():
        if name != "." and not name.startswith(_ELEMENTS):
            return f"error decoding set: path element {quoted(name)} is of no known type"
        if wrong := _defect_of_fields(below):
            return wrong
    return ""


def _shown(value: Any) -> str:
    return msgspec.json.encode(value).decode()
