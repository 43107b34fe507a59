"""Checks a policy against the types of what it is about: warnings, since a policy may be right all the same.

Not here: where types come from (`typing`), and who writes the warnings into the policy's status.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from proa.lang.cel import types
from proa.lang.cel.environment import Environment
from proa.lang.cel.errors import CompileError
from proa.lang.cel.types import Type
from proa.machinery.expressions.admission import OBJECT, OLD_OBJECT, PARAMS, admission_environment, composed
from proa.machinery.fields import Path


class Kind(NamedTuple):
    group: str
    version: str
    kind: str

    def __str__(self) -> str:
        return f"{self.group}/{self.version}, Kind={self.kind}"


class Warned(NamedTuple):
    field: str
    warning: str


def warnings_of(spec: Any, objects: Mapping[Kind, Type | None], params: Type | None) -> Sequence[Warned]:
    """What may be wrong with a declared ValidatingAdmissionPolicySpec, for each of the kinds it is about."""
    environments = {kind: _environment(spec, of, params) for kind, of in sorted(objects.items())}
    found: list[Warned] = []
    for position, each in enumerate(spec.validations):
        path = Path("spec", "validations").index(position)
        for name in ("expression", "messageExpression"):
            source = getattr(each, name)
            said = [_said(kind, environment, source) for kind, environment in environments.items()] if source else []
            text = "\n".join(one for one in said if one)
            if text:
                found.append(Warned(str(path.child(name)), text))
    return found


def _environment(spec: Any, of: Type | None, params: Type | None) -> Environment:
    base = admission_environment(params=spec.paramKind is not None)
    typed: dict[str, Type] = {} if of is None else {OBJECT: of, OLD_OBJECT: of}
    if spec.paramKind is not None and params is not None:
        typed[PARAMS] = params
    environment = base.extended(typed)
    variables: dict[str, Type] = {}
    for each in spec.variables:
        try:
            variables[each.name] = composed(environment, variables).compile(each.expression).result
        except CompileError:
            variables[each.name] = types.DYN
    return composed(environment, variables) if variables else environment


def _said(kind: Kind, environment: Environment, source: str) -> str:
    try:
        environment.compile(source)
    except CompileError as error:
        return f"{kind}: {error}\n"
    return ""
