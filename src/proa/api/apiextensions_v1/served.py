"""How a client sees the objects of a custom resource of which it knows the definition and nothing more."""

from __future__ import annotations

from typing import Any

from proa.api.apiextensions_v1 import CustomResourceDefinition
from proa.machinery.resource import Resource
from proa.machinery.structural.form import StructuralForm
from proa.machinery.unstructured import Unstructured


def resource_of(crd: CustomResourceDefinition | None) -> Resource[Any] | None:
    """The resource in the version it is stored in, or else the first that is served; None while none is."""
    if crd is None or not any(each.type == "Established" and each.status == "True" for each in crd.status.conditions):
        return None
    served = sorted((each for each in crd.spec.versions if each.served), key=lambda each: not each.storage)
    if not served:
        return None
    group, names, version = crd.spec.group, crd.status.acceptedNames, served[0].name
    return Resource(
        group=group,
        version=version,
        plural=names.plural,
        type=Unstructured,
        namespaced=crd.spec.scope == "Namespaced",
        kind_name=names.kind,
        list_kind_name=names.listKind,
        custom_form=lambda: StructuralForm(lambda: None, (group, version, names.kind)),
    )
