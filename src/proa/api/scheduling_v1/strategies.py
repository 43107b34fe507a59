"""How priority classes differ from the generic registry: what is reserved for the system, and what stays."""

from __future__ import annotations

from proa.api.scheduling_v1.types import PriorityClass
from proa.machinery.checks import check_unchanged
from proa.machinery.fields import ErrorList, Path
from proa.machinery.strategy import DefaultStrategy

_PREEMPTION = ("Never", "PreemptLowerPriority")
_SYSTEM = "system-"
_SYSTEM_CLASSES = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
_HIGHEST = 1_000_000_000
"""Of the priorities that are not the system's."""


class PriorityClassStrategy(DefaultStrategy):
    def validate(self, new: PriorityClass, errors: ErrorList) -> None:
        name, value = new.metadata.name, new.value
        if name.startswith(_SYSTEM):
            problem = _system_problem(new)
            if problem:
                detail = (
                    f"priority class names with '{_SYSTEM}' prefix are reserved for system use only. error: {problem}"
                )
                errors.forbidden(Path("metadata", "name"), detail)
        elif value > _HIGHEST:
            errors.forbidden(Path("value"), f"maximum allowed value of a user defined priority is {_HIGHEST}")
        if new.preemptionPolicy not in (None, *_PREEMPTION):
            errors.unsupported(Path("preemptionPolicy"), new.preemptionPolicy, _PREEMPTION)

    def validate_update(self, new: PriorityClass, old: PriorityClass, errors: ErrorList) -> None:
        if new.value != old.value:
            errors.forbidden(Path("value"), "may not be changed in an update.")
        check_unchanged(errors, Path("preemptionPolicy"), new.preemptionPolicy, old.preemptionPolicy)


def _system_problem(new: PriorityClass) -> str:
    name = new.metadata.name
    value = _SYSTEM_CLASSES.get(name)
    if value is None:
        return f"{name} is not a known system priority class"
    if new.value != value:
        return f"value of {name} PriorityClass must be {value}"
    return f"globalDefault of {name} PriorityClass must be false" if new.globalDefault else ""
