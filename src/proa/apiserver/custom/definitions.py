"""One definition as resources: for each served version what the rest of the server knows of a resource.

Schemas are only read when a version is first used. Not here: whether names are accepted (`conditions`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec
from msgspec import structs

from proa.api.apiextensions_v1 import (
    CustomResourceColumnDefinition,
    CustomResourceDefinition,
    CustomResourceDefinitionVersion,
)
from proa.api.autoscaling_v1 import Scale
from proa.apiserver.codec import codec_of
from proa.apiserver.conversion import View
from proa.apiserver.custom.conversion import Converter
from proa.apiserver.custom.strategy import CustomStrategy
from proa.apiserver.custom.view import CustomView
from proa.lang.jsonpath import JsonPathError, parse
from proa.machinery.columns import AGE, NAME
from proa.machinery.resource import STATUS, VERBS, Column, Resource, ScalePaths, Subresource
from proa.machinery.status import GroupPlural
from proa.machinery.structural.form import Rules, StructuralForm
from proa.machinery.structural.tree import Node
from proa.machinery.unstructured import Unstructured
from proa.machinery.versions import priority

MakeRules = Callable[[Node, Mapping[str, Any]], Rules]

_GOING_VERBS = ("delete", "deletecollection", "get", "list", "watch")
"""What discovery says of a resource whose definition is being deleted. Updates are served, too: they end finalizers."""

_SCALE = Subresource("scale", ("get", "patch", "update"), type=Scale, group="autoscaling", version="v1", kind="Scale")


class Definition(msgspec.Struct, frozen=True):
    """What a CustomResourceDefinition defines: resources, newest version first, and how each sees what is stored.

    unserved: what the objects of a definition that goes are deleted through when none of its versions is served.
    """

    resources: tuple[Resource[Any], ...]
    views: Mapping[Resource[Any], View]
    unserved: Resource[Any] | None = None

    @property
    def all(self) -> tuple[Resource[Any], ...]:
        return self.resources if self.unserved is None else (*self.resources, self.unserved)


def define(crd: CustomResourceDefinition, converter: Converter, rules: MakeRules) -> Definition:
    """The resources of a definition whose names are accepted."""
    group = crd.spec.group
    forms = {
        f"{group}/{version.name}": StructuralForm(
            partial(_schema_document, version), (group, version.name, crd.spec.names.kind), rules=rules
        )
        for version in crd.spec.versions
    }
    stored = next(version for version in crd.spec.versions if version.storage)
    storage = f"{group}/{stored.name}"
    served = sorted((each for each in crd.spec.versions if each.served), key=lambda each: priority(each.name))
    resources = tuple(_resource(crd, version, forms[f"{group}/{version.name}"]) for version in served)
    going = crd.metadata.deletionTimestamp is not None
    unserved = _resource(crd, stored, forms[storage]) if going and not served else None
    views: dict[Resource[Any], View] = {
        each: CustomView(each.api_version, storage, forms, converter, codec_of(each), whole=not each.fields)
        for each in (resources if unserved is None else (unserved,))
    }
    return Definition(resources, views, unserved)


def _resource(
    crd: CustomResourceDefinition, version: CustomResourceDefinitionVersion, form: StructuralForm
) -> Resource[Any]:
    names = crd.status.acceptedNames
    subresources = version.subresources
    status = subresources is not None and subresources.status is not None
    scale = None
    if subresources is not None and subresources.scale is not None:
        paths = subresources.scale
        scale = ScalePaths(
            _plain(paths.specReplicasPath), _plain(paths.statusReplicasPath), _plain(paths.labelSelectorPath or "")
        )
    going = crd.metadata.deletionTimestamp is not None
    return Resource(
        group=crd.spec.group,
        version=version.name,
        plural=names.plural,
        type=Unstructured,
        singular=names.singular,
        short_names=names.shortNames,
        categories=names.categories,
        namespaced=crd.spec.scope == "Namespaced",
        verbs=_GOING_VERBS if going else VERBS,
        subresources=((STATUS,) if status else ()) + ((_SCALE,) if scale is not None else ()),
        scale=scale,
        columns=_columns(version.additionalPrinterColumns),
        fields=tuple(_plain(each.jsonPath) for each in version.selectableFields),
        strategy=CustomStrategy(
            status=status, scale=scale, going=GroupPlural(crd.spec.group, names.plural) if going else None
        ),
        has_generation=True,
        kind_name=names.kind,
        list_kind_name=names.listKind,
        custom_form=lambda: form,
        deprecated=_deprecation(crd, version) if version.deprecated else "",
    )


def _schema_document(version: CustomResourceDefinitionVersion) -> dict[str, Any] | None:
    """The schema as written."""
    if version.schema is None or version.schema.openAPIV3Schema is None:
        return None
    document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(version.schema.openAPIV3Schema))
    return document


def _plain(path: str) -> str:
    """`.spec.replicas` as the dotted path it is."""
    return path.removeprefix(".")


def _deprecation(crd: CustomResourceDefinition, version: CustomResourceDefinitionVersion) -> str:
    if version.deprecationWarning is not None:
        return version.deprecationWarning
    group, kind = crd.spec.group, crd.spec.names.kind
    said = f"{group}/{version.name} {kind} is deprecated"
    better = [
        each.name
        for each in crd.spec.versions
        if each.served and not each.deprecated and priority(each.name) < priority(version.name)
    ]
    return f"{said}; use {group}/{min(better, key=priority)} {kind}" if better else said


# --- printer columns ---

_COLUMN = "Custom resource definition column (in JSONPath format): "


def _columns(declared: tuple[CustomResourceColumnDefinition, ...]) -> tuple[Column, ...]:
    if not declared:
        return (NAME, structs.replace(AGE, type="date"))
    return (NAME, *(_column(each) for each in declared))


def _column(declared: CustomResourceColumnDefinition) -> Column:
    return Column(
        declared.name,
        _cell(declared.jsonPath, declared.type),
        type=declared.type,
        format=declared.format,
        priority=declared.priority,
        description=declared.description or _COLUMN + declared.jsonPath,
    )


def _cell(path: str, type: str) -> Callable[[Mapping[str, Any]], Any]:
    """What a column shows: the first value its path finds, if it is of the column's type."""
    try:
        find = parse("{" + path + "}").find
    except JsonPathError:
        return lambda document: None

    def cell(document: Mapping[str, Any]) -> Any:
        try:
            found = find(document)
        except JsonPathError:
            return None
        if not found or found[0] is None:
            return None
        return _text(found[0]) if type == "string" else _typed(found[0], type)

    return cell


def _typed(value: Any, type: str) -> Any:
    """The value as a cell of that type; None where it is of another."""
    if type == "date":
        return value if isinstance(value, str) else None
    if isinstance(value, bool):
        return value if type == "boolean" else None
    if type == "integer" and isinstance(value, int | float):
        return int(value)
    if type == "number" and isinstance(value, int | float):
        return value
    return None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return msgspec.json.encode(value).decode()
