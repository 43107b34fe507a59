"""Checks the expressions of one admission policy when it is written: each compiles and has the type it must have.

Errors name the field and quote the expression. Not here: which field has which expression (strategies).
"""

from __future__ import annotations

from proa.lang.cel import types
from proa.lang.cel.environment import Environment
from proa.lang.cel.errors import CelError
from proa.lang.cel.types import BOOL, NULL, STRING, Type
from proa.machinery.expressions.admission import admission_environment, compile_to, composed
from proa.machinery.expressions.patches import PATCH_TYPES, with_patches
from proa.machinery.fields import ErrorList, Path


class Checker:
    """params: whether the policy has parameters. Variables are added in their order; expressions may refer to them."""

    def __init__(self, *, params: bool) -> None:
        self._full = admission_environment(params=params)
        self._bare = admission_environment(params=params, authorizer=False)
        self._variables: dict[str, Type] = {}

    def variable(self, name: str, source: str, path: Path, errors: ErrorList) -> None:
        """Of any type."""
        try:
            found = compile_to(self._composed(self._full), source).result
        except CelError as error:
            errors.invalid(path, source, str(error))
            found = types.DYN
        self._variables[name] = found

    def condition(self, source: str, path: Path, errors: ErrorList) -> None:
        _check(self._composed(self._full), source, path, errors, BOOL)

    def message(self, source: str, path: Path, errors: ErrorList) -> None:
        """Messages may not ask the authorizer."""
        _check(self._composed(self._bare), source, path, errors, STRING)

    def annotation(self, source: str, path: Path, errors: ErrorList) -> None:
        _check(self._composed(self._full), source, path, errors, STRING, NULL)

    def mutation(self, kind: str, source: str, path: Path, errors: ErrorList) -> None:
        """kind: of patch."""
        _check(with_patches(self._composed(self._full)), source, path, errors, PATCH_TYPES[kind])

    def _composed(self, environment: Environment) -> Environment:
        return composed(environment, self._variables) if self._variables else environment


def _check(environment: Environment, source: str, path: Path, errors: ErrorList, *results: Type) -> None:
    try:
        compile_to(environment, source, *results)
    except CelError as error:
        errors.invalid(path, source, str(error))
