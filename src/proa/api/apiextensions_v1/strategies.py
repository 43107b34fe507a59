"""What is special to definitions of custom resources: defaulted names, what a delete marks, stored versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proa.api.apiextensions_v1 import CustomResourceDefinition, validation
from proa.api.apiextensions_v1.nested import settle
from proa.machinery.fields import ErrorList, Path, quoted
from proa.machinery.strategy import DefaultStrategy

FINALIZER = "customresourcecleanup.apiextensions.k8s.io"


class CustomResourceDefinitionStrategy(DefaultStrategy):
    unconditional_update = False

    def default(self, document: dict[str, Any]) -> None:
        spec = document.get("spec") or {}
        names = spec.get("names")
        if names is not None:
            kind = names.get("kind", "")
            if not names.get("singular"):
                names["singular"] = kind.lower()
            if not names.get("listKind") and kind:
                names["listKind"] = kind + "List"
        for position, version in enumerate(spec.get("versions") or ()):
            schema = (version.get("schema") or {}).get("openAPIV3Schema")
            if schema is not None:
                settle(schema, Path("spec", "versions").index(position).child("schema", "openAPIV3Schema"))

    def prepare_for_create(self, document: dict[str, Any]) -> None:
        document["status"] = {"storedVersions": _storage(document)}

    def prepare_for_update(self, document: dict[str, Any], old: Mapping[str, Any]) -> None:
        super().prepare_for_update(document, old)
        status = dict(document.get("status") or {})
        stored = list(status.get("storedVersions") or ())
        status["storedVersions"] = stored + [each for each in _storage(document) if each not in stored]
        document["status"] = status

    def prepare_for_delete(self, document: dict[str, Any], now: str) -> None:
        """Its instances go first: the object stays until somebody has seen to that."""
        metadata = document["metadata"]
        if FINALIZER not in metadata.get("finalizers", ()):
            metadata["finalizers"] = [*metadata.get("finalizers", ()), FINALIZER]
        status = document.get("status") or {}
        said = {
            "type": "Terminating",
            "status": "True",
            "lastTransitionTime": now,
            "reason": "InstanceDeletionPending",
            "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
        }
        conditions = [each for each in status.get("conditions") or () if each["type"] != "Terminating"]
        document["status"] = {**status, "conditions": [*conditions, said]}

    def validate(self, new: CustomResourceDefinition, errors: ErrorList) -> None:
        validation.validate(new, errors)

    def validate_create(self, new: CustomResourceDefinition, errors: ErrorList) -> None:
        _validate_schemas(new, None, errors)
        validation.validate_approval(new, None, errors)

    def validate_update(self, new: CustomResourceDefinition, old: CustomResourceDefinition, errors: ErrorList) -> None:
        _validate_schemas(new, old, errors)
        validation.validate_approval(new, old, errors)
        validation.validate_update(new, old, errors)

    def warnings(self, new: CustomResourceDefinition, old: CustomResourceDefinition | None) -> list[str]:
        from proa.api.apiextensions_v1.schemas import unrecognized_formats

        before = unrecognized_formats(old) if old is not None else []
        found = [each for each in unrecognized_formats(new) if each not in before]
        return [f"unrecognized format {quoted(each)}" for each in found]


def _validate_schemas(new: CustomResourceDefinition, old: CustomResourceDefinition | None, errors: ErrorList) -> None:
    # Imported with the first definition: no cluster should wait for it when it starts.
    from proa.api.apiextensions_v1.schemas import validate_schemas

    validate_schemas(new, old, errors)


def _storage(document: Mapping[str, Any]) -> list[str]:
    versions = (document.get("spec") or {}).get("versions") or ()
    return [each.get("name", "") for each in versions if each.get("storage")][:1]
