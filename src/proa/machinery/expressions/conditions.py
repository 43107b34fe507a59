"""Validation of match conditions, which webhooks and policies have alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from proa.machinery import names
from proa.machinery.fields import ErrorList, Path

_MOST = 64


def validate_match_conditions(
    conditions: Sequence[Any], path: Path, errors: ErrorList, *, params: bool = False
) -> None:
    """Each MatchCondition has a name of its own and an expression that is true or false.

    params: whether the expressions may refer to `params`.
    """
    if len(conditions) > _MOST:
        errors.too_many(path, len(conditions), _MOST)
    seen: set[str] = set()
    for position, each in enumerate(conditions):
        at = path.index(position)
        _validate_expression(each.expression.strip(), at.child("expression"), errors, params)
        if not each.name:
            errors.required(at.child("name"))
            continue
        for wrong in names.qualified_name(each.name):
            errors.invalid(at.child("name"), each.name, wrong)
        if each.name in seen:
            errors.duplicate(at.child("name"), each.name)
        seen.add(each.name)


def _validate_expression(source: str, path: Path, errors: ErrorList, params: bool) -> None:
    if not source:
        errors.required(path)
        return
    # Not before there is an expression: the language is not loaded for nothing.
    from proa.lang.cel.errors import CelError
    from proa.lang.cel.types import BOOL
    from proa.machinery.expressions.admission import admission_environment, compile_to

    try:
        compile_to(admission_environment(params=params), source, BOOL)
    except CelError as error:
        errors.invalid(path, source, str(error))
