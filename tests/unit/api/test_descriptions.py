"""What `kubectl explain` says: every type and field has a sentence, and none tells of what there is not."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any, get_origin, get_type_hints

import msgspec
import pytest

from proa.machinery.declare import Object
from proa.machinery.descriptions import of_package, package_of

PACKAGES = (
    "proa.machinery",
    "proa.api.admissionregistration_v1",
    "proa.api.apiextensions_v1",
    "proa.api.apiregistration_v1",
    "proa.api.apps_v1",
    "proa.api.authentication_v1",
    "proa.api.authorization_v1",
    "proa.api.autoscaling_v1",
    "proa.api.autoscaling_v2",
    "proa.api.batch_v1",
    "proa.api.certificates_v1",
    "proa.api.coordination_v1",
    "proa.api.core_v1",
    "proa.api.discovery_v1",
    "proa.api.events_v1",
    "proa.api.flowcontrol_v1",
    "proa.api.networking_v1",
    "proa.api.node_v1",
    "proa.api.policy_v1",
    "proa.api.rbac_v1",
    "proa.api.resource_v1",
    "proa.api.scheduling_v1",
    "proa.api.storage_v1",
)

# What means the same in every object, and is said once for all of them (`metadata` by its type).
ENVELOPE = {"apiVersion", "kind", "metadata"}


def declared(package: str) -> dict[str, type[Object]]:
    """The types of a package, by name."""
    module: Any = import_module("proa.machinery.meta" if package == "proa.machinery" else package)
    return {
        each.__name__: each
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Object) and each is not Object and package_of(each) == package
    }


def fields(type_: type[Object]) -> set[str]:
    """The fields that need a sentence of their own; a `kind` with a wire number is not the object's own kind."""
    hints = get_type_hints(type_, include_extras=True)
    return {
        each.encode_name
        for each in msgspec.structs.fields(type_)
        if each.encode_name not in ENVELOPE
        or (each.encode_name != "metadata" and get_origin(hints[each.name]) is Annotated)
    }


def keys(package: str) -> set[str]:
    """What there is to describe; lists are the same everywhere."""
    found: set[str] = set()
    for name, type_ in declared(package).items():
        if name.endswith("List") and "items" in type_.__struct_fields__:
            continue
        found |= {name} | {f"{name}.{field}" for field in fields(type_)}
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_every_type_and_field_has_a_sentence(package: str) -> None:
    assert sorted(keys(package) - of_package(package).keys()) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_sentence_is_about_what_is_not_declared(package: str) -> None:
    assert sorted(of_package(package).keys() - keys(package)) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_sentences_are_sentences(package: str) -> None:
    wrong = [key for key, text in of_package(package).items() if text[0].islower() or not text.endswith(".")]
    assert wrong == []
