"""What the strategies of all workloads share: pod template defaults, selectors that must match and may not change, and
counts in a status that add up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import to_builtins

from proa.api.core_v1.pod_defaults import default_pod_template
from proa.api.core_v1.pod_validation import validate_pod_template
from proa.api.core_v1.pod_warnings import name_warnings, template_warnings
from proa.api.core_v1.template import PodTemplateSpec
from proa.machinery.checks import check_not_negative
from proa.machinery.fields import ErrorList, Path
from proa.machinery.meta import LabelSelector
from proa.machinery.object_meta import validate_label_selector
from proa.machinery.selectors import label_selector
from proa.machinery.strategy import DefaultStrategy, is_other

Document = dict[str, Any]
SPEC = Path("spec")
SELECTOR = SPEC.child("selector")
TEMPLATE = SPEC.child("template")
_STATUS = Path("status")


class WorkloadStrategy(DefaultStrategy):
    """Deployments, replica sets, daemon sets and stateful sets."""

    restart_policies = ("Always",)
    names_pods = False
    """Whether its pods' names begin with its own, as it is."""
    # The counts of a status that are part of another one.
    parts: Mapping[str, str] = {}

    def default(self, document: Document) -> None:
        default_pod_template(document)

    def template_of(self, new: Any) -> PodTemplateSpec:
        """The template as its pods will be."""
        template: PodTemplateSpec = new.spec.template
        return template

    def validate(self, new: Any, errors: ErrorList) -> None:
        selector, template = new.spec.selector, self.template_of(new)
        if selector is None:
            errors.required(SELECTOR)
        elif not selector.matchLabels and not selector.matchExpressions:
            errors.invalid(SELECTOR, {}, f"empty selector is invalid for {new.kind.lower()}")
        elif _is_selector(selector, errors) and not label_selector(selector).matches(template.metadata.labels):
            errors.invalid(
                TEMPLATE.child("metadata", "labels"),
                dict(template.metadata.labels),
                "`selector` does not match template `labels`",
            )
        validate_pod_template(template, TEMPLATE, errors)
        if template.spec.restartPolicy not in self.restart_policies:
            errors.unsupported(
                TEMPLATE.child("spec", "restartPolicy"), template.spec.restartPolicy, self.restart_policies
            )
        if template.spec.activeDeadlineSeconds is not None:
            at = TEMPLATE.child("spec", "activeDeadlineSeconds")
            errors.forbidden(at, f"activeDeadlineSeconds in {new.kind} is not Supported")

    def warnings(self, new: Any, old: Any) -> list[str]:
        found = name_warnings(new.metadata.name) if self.names_pods and old is None else []
        return found + (template_warnings(new.spec.template, TEMPLATE) if is_other(new, old) else [])

    def validate_update(self, new: Any, old: Any, errors: ErrorList) -> None:
        if new.spec.selector != old.spec.selector:
            errors.immutable(SELECTOR, _plain(new.spec.selector))
        if new.status != old.status:
            self.validate_status(new.status, old.status, errors)

    def validate_status(self, new: Any, old: Any, errors: ErrorList) -> None:
        for field in new.__struct_fields__:
            count = getattr(new, field)
            if isinstance(count, int):
                check_not_negative(errors, _STATUS.child(field), count)
        for field, whole in self.parts.items():
            count = getattr(new, field)
            if count > getattr(new, whole):
                errors.invalid(_STATUS.child(field), count, f"cannot be greater than status.{whole}")
        before, after = (getattr(each, "collisionCount", None) for each in (old, new))
        if before is not None and (after is None or after < before):
            errors.invalid(_STATUS.child("collisionCount"), after or 0, "cannot be decremented")


def _is_selector(selector: LabelSelector, errors: ErrorList) -> bool:
    """Whether it is well-formed; what is wrong with it is among the errors."""
    known = len(errors)
    validate_label_selector(selector, errors, SELECTOR)
    return len(errors) == known


def _plain(selector: Any) -> Mapping[str, Any] | None:
    return to_builtins(selector) if selector is not None else None


def is_zero(value: int | str | None) -> bool:
    return value in (0, "0%")
