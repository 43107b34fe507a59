"""What every custom resource has in common beyond its schema: its status, its scale, and what each write may touch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proa.machinery.columns import dig
from proa.machinery.fields import ErrorList, Path, quoted
from proa.machinery.resource import ScalePaths
from proa.machinery.status import GroupPlural, forbidden
from proa.machinery.strategy import DefaultStrategy, keep
from proa.machinery.unstructured import Unstructured

_INT32_MAX = (1 << 31) - 1


class CustomStrategy(DefaultStrategy):
    """status: whether the status has a subresource of its own; without one it is a field like any other. going: the
    resource's name when its definition is being deleted; what is there may still change, or lose its finalizers."""

    unconditional_update = False

    def __init__(self, *, status: bool, scale: ScalePaths | None, going: GroupPlural | None = None) -> None:
        self._status = status
        self._scale = scale
        self._going = going

    def prepare_for_create(self, document: dict[str, Any]) -> None:
        """Raises StatusError 403 when its definition is being deleted."""
        if self._going is not None:
            why = "create not allowed while custom resource definition is terminating"
            raise forbidden(self._going, document["metadata"].get("name", ""), why)
        if self._status:
            document.pop("status", None)

    def prepare_for_update(self, document: dict[str, Any], old: Mapping[str, Any]) -> None:
        if self._status:
            keep(document, old, "status")

    def prepare_for_status_update(self, document: dict[str, Any], old: Mapping[str, Any]) -> None:
        """Only the status: of the metadata, nothing but who owns which field."""
        said = document["metadata"]
        kept = {name: value for name, value in old["metadata"].items() if name not in _SAID}
        document["metadata"] = kept | {name: said[name] for name in _SAID if name in said}

    def validate(self, new: Unstructured, errors: ErrorList) -> None:
        scale = self._scale
        if scale is None:
            return
        for path in (scale.spec, scale.status):
            value = dig(new.document, *path.split("."))
            at = Path("." + path)
            if value is None:
                continue
            if not isinstance(value, int) or isinstance(value, bool):
                errors.invalid(at, 0, f".{path} accessor error: {value} is of the type {_go_type(value)}, "
                                      "expected int64")  # fmt: skip
            elif value < 0:
                errors.invalid(at, value, "should be a non-negative integer")
            elif value > _INT32_MAX:
                errors.invalid(at, value, f"should be less than or equal to {_INT32_MAX}")
        if scale.selector:
            selector = dig(new.document, *scale.selector.split("."))
            if selector is not None and not isinstance(selector, str):
                detail = f".{scale.selector} accessor error: {selector} is of the type {_go_type(selector)}, "
                errors.invalid(Path("." + scale.selector), "", detail + "expected string")

    def warnings(self, new: Unstructured, old: Unstructured | None) -> list[str]:
        """Finalizers that other writers might use, too."""
        said = new.metadata.finalizers
        if not said:
            return []
        before = old.metadata.finalizers if old is not None else ()
        return [text for each in sorted({*said} - {*before}) for text in _finalizer_warnings(each)]


def _finalizer_warnings(name: str) -> list[str]:
    if "/" in name or name in _STANDARD_FINALIZERS:
        return []
    how = " including a path (/)" if "." in name else ""
    return [
        f"metadata.finalizers: {quoted(name)}: prefer a domain-qualified finalizer name{how} to avoid accidental "
        "conflicts with other finalizer writers"
    ]


_STANDARD_FINALIZERS = ("orphan", "foregroundDeletion", "kubernetes")
_SAID = ("managedFields", "resourceVersion")


def _go_type(value: Any) -> str:
    names = {str: "string", bool: "bool", float: "float64", int: "int64", list: "[]interface {}"}
    return names.get(type(value), "map[string]interface {}")
