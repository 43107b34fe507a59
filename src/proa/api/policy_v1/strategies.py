"""How pod disruption budgets differ from the generic registry: what they may ask for."""

from __future__ import annotations

from proa.api.policy_v1.disruption_budget import PodDisruptionBudget
from proa.machinery.checks import check_amount, check_at_most_all, check_not_negative
from proa.machinery.fields import ErrorList, Path
from proa.machinery.object_meta import validate_conditions, validate_label_selector
from proa.machinery.strategy import DefaultStrategy

_SPEC, _STATUS = Path("spec"), Path("status")
_COUNTS = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")


class PodDisruptionBudgetStrategy(DefaultStrategy):
    unconditional_update = False

    def validate(self, new: PodDisruptionBudget, errors: ErrorList) -> None:
        spec = new.spec
        if spec.minAvailable is not None and spec.maxUnavailable is not None:
            errors.invalid(_SPEC, spec, "minAvailable and maxUnavailable cannot be both set")
        for field in ("minAvailable", "maxUnavailable"):
            check_amount(errors, _SPEC.child(field), getattr(spec, field))
            check_at_most_all(errors, _SPEC.child(field), getattr(spec, field))
        validate_label_selector(spec.selector, errors, _SPEC.child("selector"))

    def validate_update(self, new: PodDisruptionBudget, old: PodDisruptionBudget, errors: ErrorList) -> None:
        if new.status != old.status:
            validate_conditions(new.status.conditions, errors, _STATUS.child("conditions"))
            for field in _COUNTS:
                check_not_negative(errors, _STATUS.child(field), getattr(new.status, field))
