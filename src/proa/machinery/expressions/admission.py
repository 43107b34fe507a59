"""What expressions of admission are compiled with: the variables of a request, and what they must evaluate to.

Not here: the values (`apiserver.expressions`), which field has which expression (strategies, policies).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from proa.lang.cel import types
from proa.lang.cel.environment import Environment, Program
from proa.lang.cel.errors import CelError, CompileError, InstantiationError
from proa.lang.cel.types import BOOL, DYN, INT, STRING, TIMESTAMP, Type, list_of, map_of, struct
from proa.machinery.expressions.authorization import AUTHORIZER_TYPE, RESOURCE_TYPE
from proa.machinery.expressions.environment import with_variables

OBJECT, OLD_OBJECT, REQUEST, NAMESPACE = "object", "oldObject", "request", "namespaceObject"
PARAMS, AUTHORIZER, REQUEST_RESOURCE, VARIABLES = "params", "authorizer", "authorizer.requestResource", "variables"

_STRINGS = list_of(STRING)
_KIND = struct("kubernetes.GroupVersionKind", dict.fromkeys(("group", "version", "kind"), STRING))
_RESOURCE = struct("kubernetes.GroupVersionResource", dict.fromkeys(("group", "version", "resource"), STRING))
_USER = struct(
    "kubernetes.UserInfo", {"username": STRING, "uid": STRING, "groups": _STRINGS, "extra": map_of(STRING, _STRINGS)}
)
REQUEST_TYPE = struct(
    "kubernetes.AdmissionRequest",
    {
        "kind": _KIND,
        "resource": _RESOURCE,
        "subResource": STRING,
        "requestKind": _KIND,
        "requestResource": _RESOURCE,
        "requestSubResource": STRING,
        "name": STRING,
        "namespace": STRING,
        "operation": STRING,
        "userInfo": _USER,
        "dryRun": BOOL,
        "options": DYN,
    },
)
_CONDITION = struct(
    "kubernetes.NamespaceCondition",
    {"status": STRING, "type": STRING, "lastTransitionTime": TIMESTAMP, "message": STRING, "reason": STRING},
)
_METADATA = struct(
    "kubernetes.NamespaceMetadata",
    {
        "name": STRING,
        "generateName": STRING,
        "namespace": STRING,
        "labels": map_of(STRING, STRING),
        "annotations": map_of(STRING, STRING),
        "UID": STRING,
        "creationTimestamp": TIMESTAMP,
        "deletionGracePeriodSeconds": INT,
        "deletionTimestamp": TIMESTAMP,
        "generation": INT,
        "resourceVersion": STRING,
        "finalizers": _STRINGS,
    },
)
NAMESPACE_TYPE = struct(
    "kubernetes.Namespace",
    {
        "metadata": _METADATA,
        "spec": struct("kubernetes.NamespaceSpec", {"finalizers": _STRINGS}),
        "status": struct("kubernetes.NamespaceStatus", {"conditions": list_of(_CONDITION), "phase": STRING}),
    },
)


@lru_cache(maxsize=16)
def admission_environment(*, params: bool = False, authorizer: bool = True) -> Environment:
    """What an expression of admission may refer to."""
    variables: dict[str, Type] = {OBJECT: DYN, OLD_OBJECT: DYN, NAMESPACE: NAMESPACE_TYPE, REQUEST: REQUEST_TYPE}
    if params:
        variables[PARAMS] = DYN
    if authorizer:
        variables |= {AUTHORIZER: AUTHORIZER_TYPE, REQUEST_RESOURCE: RESOURCE_TYPE}
    return with_variables(variables)


def compile_to(environment: Environment, source: str, *results: Type) -> Program:
    """The program of an expression that evaluates to one of these types; none: to any. Raises CelError."""
    try:
        program = environment.compile(source)
    except InstantiationError:
        raise
    except CompileError as error:
        raise CompileError(f"compilation failed: {error}") from None
    if results and program.result not in results:
        names = [_shown(each) for each in results]
        wanted = names[0] if len(names) == 1 else f"one of [{' '.join(names)}]"
        raise CelError(f"must evaluate to {wanted} but got {_shown(program.result)}")
    return program


def _shown(of: Type) -> str:
    return types.runtime_name(of) if of.kind == "null" else str(of)


def composed(environment: Environment, variables: Mapping[str, Type]) -> Environment:
    """An environment in which `variables.<name>` are known."""
    return environment.extended({VARIABLES: struct("kubernetes.variables", dict(variables))})
