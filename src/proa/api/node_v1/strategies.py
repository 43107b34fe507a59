"""How runtime classes differ from the generic registry: handlers, overhead, and where their pods may run."""

from __future__ import annotations

from proa.api.core_v1.container_resources import validate_amounts
from proa.api.core_v1.node_label_warnings import label_warning
from proa.api.core_v1.pod_placement import validate_tolerations
from proa.api.node_v1.types import RuntimeClass
from proa.machinery.checks import check_names, check_unchanged
from proa.machinery.fields import ErrorList, Path
from proa.machinery.names import dns1123_label
from proa.machinery.object_meta import validate_labels
from proa.machinery.strategy import DefaultStrategy

_HANDLER = Path("handler")


class RuntimeClassStrategy(DefaultStrategy):
    creates_on_update = True
    unconditional_update = False

    def validate(self, new: RuntimeClass, errors: ErrorList) -> None:
        if new.handler:
            check_names(errors, _HANDLER, new.handler, dns1123_label(new.handler))
        else:
            errors.required(_HANDLER)
        if new.overhead is not None:
            validate_amounts(new.overhead.podFixed, Path("overhead"), errors)
        scheduling = new.scheduling
        if scheduling is None:
            return
        validate_labels(scheduling.nodeSelector, errors, Path("scheduling", "nodeSelector"))
        path = Path("scheduling", "tolerations")
        validate_tolerations(scheduling.tolerations, path, errors)
        seen = set()
        for position, each in enumerate(scheduling.tolerations):
            identity = (each.key, each.operator, each.value, each.effect)
            if identity in seen:
                errors.duplicate(path.index(position), each)
            seen.add(identity)

    def validate_update(self, new: RuntimeClass, old: RuntimeClass, errors: ErrorList) -> None:
        check_unchanged(errors, _HANDLER, new.handler, old.handler)

    def warnings(self, new: RuntimeClass, old: RuntimeClass | None) -> list[str]:
        selected = map(label_warning, new.scheduling.nodeSelector) if new.scheduling is not None else ()
        return [f"scheduling.nodeSelector: {text}" for text in selected if text]
