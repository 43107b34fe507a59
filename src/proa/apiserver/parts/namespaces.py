"""namespaces/finalize: who still has something to clean up in a namespace."""

from __future__ import annotations

from proa.apiserver import metadata
from proa.apiserver.metadata import Document


def take_finalizers(new: Document, stored: Document, now: str) -> None:
    """Take over the finalizers, of the spec and of the metadata."""
    stored["spec"] = {**(stored.get("spec") or {}), "finalizers": (new.get("spec") or {}).get("finalizers") or []}
    if "finalizers" in metadata.of(new) or "finalizers" in stored["metadata"]:
        stored["metadata"]["finalizers"] = metadata.of(new).get("finalizers") or []
