"""JSON patch (RFC 6902), with the limits and status codes of the Kubernetes API."""

from __future__ import annotations

from typing import Any

import jsonpatch
import jsonpointer

from proa.machinery.status import bad_request, request_entity_too_large, unprocessable

MAX_OPERATIONS = 10_000


def apply_json_patch(document: Any, operations: Any) -> Any:
    """`document` after the list of `operations`. A failed `test` or a missing path is 422, a malformed patch 400."""
    if not isinstance(operations, list):
        raise bad_request("a JSON patch must be a list of operations")
    if len(operations) > MAX_OPERATIONS:
        raise request_entity_too_large(
            f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}"
        )
    try:
        return jsonpatch.JsonPatch(operations).apply(document, in_place=False)
    except jsonpatch.InvalidJsonPatch as error:
        raise bad_request(f"invalid JSON patch: {error}") from error
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as error:
        raise unprocessable(str(error)) from error
