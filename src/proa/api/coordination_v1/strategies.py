"""How leases differ from the generic registry: who writes one has read it, and how a leader is chosen."""

from __future__ import annotations

from proa.api.coordination_v1.types import Lease
from proa.machinery.checks import check_names
from proa.machinery.fields import ErrorList, Path
from proa.machinery.names import qualified_name
from proa.machinery.strategy import DefaultStrategy

_SPEC = Path("spec")
_STRATEGIES = ("OldestEmulationVersion",)
"""The ones that are no outsider's, who must put a domain before theirs."""


class LeaseStrategy(DefaultStrategy):
    creates_on_update = True
    unconditional_update = False

    def validate(self, new: Lease, errors: ErrorList) -> None:
        seconds = new.spec.leaseDurationSeconds
        if seconds is not None and seconds <= 0:
            errors.invalid(_SPEC.child("leaseDurationSeconds"), seconds, "must be greater than 0")
        strategy, at = new.spec.strategy, _SPEC.child("strategy")
        if strategy:
            problems = qualified_name(strategy)
            check_names(errors, at, strategy, problems)
            if not problems and "/" not in strategy and strategy not in _STRATEGIES:
                errors.unsupported(at, strategy, _STRATEGIES)
        if new.spec.preferredHolder and not strategy:
            errors.forbidden(_SPEC.child("preferredHolder"), "may only be specified if `strategy` is defined")
