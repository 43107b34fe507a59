"""From client-side to server-side apply: the annotation in which `kubectl apply` keeps what it applied.

Source: the server-side apply documentation (upgrading from client-side apply). What the annotation says and the object
still has is kubectl's own, so its first server-side apply does not conflict there; later ones keep the annotation up
to date, for who goes back. Not here: conflicts themselves (`managers`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from proa.machinery.apply.fieldset import FieldSet, changes, difference, fields_of, unite
from proa.machinery.object_meta import ANNOTATIONS_LIMIT
from proa.machinery.schema import Property

MANAGER = "kubectl"
ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"

Document = dict[str, Any]
_encode = msgspec.json.Encoder(order="sorted").encode


def still_said(live: Mapping[str, Any], api_version: str, root: Property) -> FieldSet:
    """The fields that client-side apply said last and that nobody has changed since."""
    try:
        last: Any = msgspec.json.decode(_annotations(live).get(ANNOTATION, ""))
    except (msgspec.DecodeError, RecursionError):
        return {}
    if not isinstance(last, dict) or last.get("apiVersion") != api_version:
        return {}
    try:
        written, removed = changes(last, live, root)
        return difference(fields_of(last, root), unite((written, removed)))
    except (AttributeError, TypeError):  # an annotation is only text: what it says may have any shape
        return {}


def brought_up_to_date(document: Document, applied: Mapping[str, Any]) -> Document:
    """`document` with what was applied in its annotation, if it has one and there is room."""
    annotations = _annotations(document)
    if not annotations.get(ANNOTATION):
        return document
    said = dict(applied)
    metadata = dict(said.get("metadata") or {})
    mine = {name: value for name, value in (metadata.get("annotations") or {}).items() if name != ANNOTATION}
    metadata.pop("annotations", None)
    said["metadata"] = {**metadata, **({"annotations": mine} if mine else {})}
    text = _encode(said).decode() + "\n"
    others = {name: value for name, value in annotations.items() if name != ANNOTATION}
    if sum(len(name.encode()) + len(value.encode()) for name, value in others.items()) + len(text) <= ANNOTATIONS_LIMIT:
        others[ANNOTATION] = text
    return {**document, "metadata": {**document["metadata"], "annotations": others}}


def _annotations(document: Mapping[str, Any]) -> dict[str, str]:
    return (document.get("metadata") or {}).get("annotations") or {}
