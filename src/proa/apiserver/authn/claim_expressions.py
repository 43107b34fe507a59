"""Expressions of an AuthenticationConfiguration: users made of claims, and rules about both, in CEL.

Imported only where a configuration has expressions. Not here: claims by name (`claims`), files (`configuration`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from proa.apiserver.authn.claims import ClaimError, Claims
from proa.apiserver.identity import User
from proa.lang.cel.environment import Environment, Program
from proa.lang.cel.errors import CelError
from proa.lang.cel.types import BOOL, DYN, STRING, list_of, map_of, struct
from proa.machinery.expressions.admission import compile_to
from proa.machinery.expressions.environment import with_variables

_STRINGS = list_of(STRING)
_USER = struct(
    "kubernetes.UserInfo", {"username": STRING, "uid": STRING, "groups": _STRINGS, "extra": map_of(STRING, _STRINGS)}
)
_TEXTS = "expression must return a string or a list of strings"


@cache
def _environment(variable: str) -> Environment:
    return with_variables({variable: map_of(STRING, DYN) if variable == "claims" else _USER})


def text(source: str, what: str) -> Callable[[Claims], str]:
    """A text out of claims. Raises CelError."""
    program = compile_to(_environment("claims"), source, STRING, DYN)

    def value(claims: Claims) -> str:
        found = _evaluated(program, {"claims": claims}, f"error evaluating {what} claim expression")
        if not isinstance(found, str):
            raise ClaimError(f"oidc: error evaluating {what} claim expression: {what} expression must return a string")
        return found

    return value


def texts(source: str, what: str) -> Callable[[Claims], tuple[str, ...]]:
    """Texts out of claims, empty ones left out. Raises CelError."""
    program = compile_to(_environment("claims"), source, STRING, _STRINGS, list_of(DYN), DYN)

    def value(claims: Claims) -> tuple[str, ...]:
        found = _evaluated(program, {"claims": claims}, f"error evaluating {what} claim expression")
        listed = [found] if isinstance(found, str) else [] if found is None else found
        if isinstance(listed, Mapping) or not hasattr(listed, "__iter__"):
            raise ClaimError(f"oidc: error evaluating {what} claim expression: {_TEXTS}")
        values = tuple(listed)
        if not all(isinstance(each, str) for each in values):
            raise ClaimError(f"oidc: error evaluating {what} claim expression: {_TEXTS}")
        return tuple(each for each in values if each)

    return value


def claim_check(source: str, message: str) -> Callable[[Claims], None]:
    """A rule about claims. Raises CelError."""
    program = compile_to(_environment("claims"), source, BOOL)
    return lambda claims: _hold(program, {"claims": claims}, message, "claim validation expression")


def user_check(source: str, message: str) -> Callable[[User], None]:
    """A rule about the user that claims make. Raises CelError."""
    program = compile_to(_environment("user"), source, BOOL)

    def check(user: User) -> None:
        document = {
            "username": user.name,
            "uid": user.uid,
            "groups": list(user.groups),
            "extra": {key: list(values) for key, values in user.extra.items()},
        }
        _hold(program, {"user": document}, message, "user info validation rule")

    return check


def _hold(program: Program, variables: Mapping[str, Any], message: str, what: str) -> None:
    if _evaluated(program, variables, f"error evaluating {what}") is not True:
        why = message or "failed"
        raise ClaimError(f"oidc: error evaluating {what}: validation expression '{program.source}' failed: {why}")


def _evaluated(program: Program, variables: Mapping[str, Any], what: str) -> Any:
    try:
        return program.evaluate(variables)
    except CelError as error:
        raise ClaimError(f"oidc: {what}: expression '{program.source}' resulted in error: {error}") from error
