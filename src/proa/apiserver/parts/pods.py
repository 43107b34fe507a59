"""pods/ephemeralcontainers and pods/resize: what of the pod in the request goes into the stored one.

The rules are `rules.pod_updates`; here they meet documents. Not here: how a part is written (`parts`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proa.api.core_v1 import Pod
from proa.api.core_v1.resources import PODS
from proa.apiserver.metadata import Document
from proa.machinery import status as failures
from proa.machinery.decode import to_typed
from proa.machinery.default import apply_defaults
from proa.machinery.fields import ErrorList
from proa.machinery.schema import schema_of
from proa.rules.pod_updates import check_ephemeral_containers, check_resize


def take_ephemeral_containers(new: Document, stored: Document, now: str) -> None:
    """Take over the ephemeral containers. Raises StatusError 422."""
    containers = (new.get("spec") or {}).get("ephemeralContainers") or []
    _take(stored, {**stored["spec"], "ephemeralContainers": containers}, check_ephemeral_containers)


def take_resources(new: Document, stored: Document, now: str) -> None:
    """Take over resources and resize policies. Raises StatusError 422."""
    wanted = new.get("spec") or {}
    spec = dict(stored["spec"])
    for part in ("containers", "initContainers"):
        before, after = spec.get(part) or [], wanted.get(part) or []
        if [each.get("name") for each in after] == [each["name"] for each in before]:
            after = [_resized(old, each) for old, each in zip(before, after, strict=True)]
        # Else others than those that are there: validation names what is wrong.
        spec[part] = after
    spec["resources"] = wanted.get("resources")
    _take(stored, {name: value for name, value in spec.items() if value not in (None, [])}, check_resize)


def _resized(old: Document, new: Document) -> Document:
    resized = {**old, "resources": new.get("resources"), "resizePolicy": new.get("resizePolicy")}
    return {name: value for name, value in resized.items() if value is not None}


def _take(stored: Document, spec: Document, check: Callable[[Pod, Pod, ErrorList], None]) -> None:
    changed: dict[str, Any] = {**stored, "spec": spec}
    apply_defaults(changed, schema_of(Pod))
    assert PODS.strategy is not None
    PODS.strategy.default(changed)
    errors = ErrorList()
    check(to_typed(changed, Pod), to_typed(stored, Pod), errors)
    if errors:
        raise failures.invalid("", "Pod", stored["metadata"]["name"], errors)
    stored["spec"] = changed["spec"]
