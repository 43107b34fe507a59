"""The typed view of an object whose type is only known at run time: typed metadata over a plain document.

What components of the process share as the object of a custom resource; as frozen as any declared object, so nobody
changes the document. Not here: what its fields mean (`machinery.structural`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from proa.machinery.declare import Object
from proa.machinery.meta import ObjectMeta


class Unstructured(Object):
    """`of(document)`; the document's metadata carries what `metadata` says."""

    metadata: ObjectMeta
    document: Mapping[str, Any]

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Unstructured:
        """Raises msgspec.ValidationError when the metadata is none."""
        return cls(metadata=msgspec.convert(document.get("metadata") or {}, ObjectMeta), document=document)

    @property
    def apiVersion(self) -> str:
        return str(self.document.get("apiVersion", ""))

    @property
    def kind(self) -> str:
        return str(self.document.get("kind", ""))


def decode(body: bytes | msgspec.Raw) -> Unstructured:
    """The view of JSON bytes."""
    return Unstructured.of(msgspec.json.decode(body))


def encode(obj: Unstructured) -> bytes:
    """The stored bytes: metadata first, canonical."""
    rest = {name: value for name, value in obj.document.items() if name != "metadata"}
    body = msgspec.json.encode({"metadata": obj.metadata, **rest})
    # Few documents have a ".0" at all, and in most of those it is part of a text.
    return msgspec.json.encode({"metadata": obj.metadata, **_whole(rest)}) if b".0" in body else body


def _whole(value: Any) -> Any:
    """The value with whole numbers written as such: 1.0 is an integer in JSON, but not to readers with typed fields."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, dict):
        return {name: _whole(each) for name, each in value.items()}
    return [_whole(each) for each in value] if isinstance(value, list) else value


def revised(obj: Unstructured, revision: int) -> Unstructured:
    """The object as it is once it is stored at a revision."""
    metadata = replace(obj.metadata, resourceVersion=str(revision))
    document = {**obj.document, "metadata": {**obj.document["metadata"], "resourceVersion": str(revision)}}
    return Unstructured(metadata=metadata, document=document)
