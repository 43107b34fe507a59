"""JSON patch (RFC 6902), with the limits and status codes of the Kubernetes API."""

from __future__ import annotations

from typing import Any

import jsonpatch
import jsonpointer
import msgspec

from proa.machinery.decode import is_too_deep
from proa.machinery.fields import quoted
from proa.machinery.status import bad_request, request_entity_too_large, unprocessable

MAX_OPERATIONS = 10_000
MAX_COPIED = 3 * 1024 * 1024
"""Bytes that all copies of one patch may add: an object copied into itself doubles each time."""


def apply_json_patch(document: Any, operations: Any) -> Any:
    """`document` after the list of `operations`. What is no list of operations is 400, one that does not apply 422."""
    if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
        raise bad_request("a JSON patch must be a list of operations")
    if len(operations) > MAX_OPERATIONS:
        raise request_entity_too_large(
            f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}"
        )
    try:
        patched = _applied(document, operations)
        if is_too_deep(patched):
            raise RecursionError
    except RecursionError:
        raise bad_request("the object would be nested too deeply") from None
    except jsonpatch.InvalidJsonPatch as error:
        raise unprocessable(_unknown(operations) or f"invalid JSON patch: {error}") from error
    except _REFUSED:
        raise unprocessable(_refused(document, operations)) from None
    return patched


def _unknown(operations: list[dict[str, Any]]) -> str:
    """The first operation that is none; '' where each is one."""
    kinds = [each["op"] if isinstance(each.get("op"), str) else "unknown" for each in operations]
    return next((f"Unexpected kind: {kind}" for kind in kinds if kind not in jsonpatch.JsonPatch.operations), "")


_REFUSED = (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException)


def _refused(document: Any, operations: list[Any]) -> str:
    """Which operation does not apply, in words that show nothing of the document: who may patch may not always read."""
    document = msgspec.json.decode(msgspec.json.encode(document))
    for each in operations:
        try:
            document = jsonpatch.JsonPatch([each]).apply(document, in_place=True)
        except _REFUSED:
            kind, path = each["op"], quoted(str(each.get("path")))
            if kind == "test":
                return f"testing value {path} failed"
            start = f" from {quoted(str(each['from']))}" if "from" in each else ""
            return f"{kind} operation does not apply{start} at {path}"
    return "it does not apply"


def _applied(document: Any, operations: list[Any]) -> Any:
    if not any(each.get("op") == "copy" for each in operations):
        return jsonpatch.JsonPatch(operations).apply(document, in_place=False)
    document = msgspec.json.decode(msgspec.json.encode(document))
    copied = 0
    for each in operations:
        if each.get("op") == "copy" and isinstance(each.get("from"), str):
            source = jsonpointer.resolve_pointer(document, each["from"])
            copied += len(msgspec.json.encode(source))
            if copied > MAX_COPIED:
                raise unprocessable(
                    "Unable to complete the copy, the accumulated size increase of copy is "
                    f"{copied}, exceeding the limit {MAX_COPIED}"
                )
        document = jsonpatch.JsonPatch([each]).apply(document, in_place=True)
    return document
