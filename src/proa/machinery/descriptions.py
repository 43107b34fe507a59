"""What types and fields mean, in a sentence each: for OpenAPI and with it `kubectl explain`.

The sentences stand beside the declarations, in a `descriptions.txt` of the declaring package, a line each: `Pod: ...`
for a type, `Pod.spec: ...` for a field. They are read when a document is made, so that a server that is never asked
never loads them. Not here: the schemas' shape (`openapi.definitions`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from proa.machinery.declare import Object

FILE = "descriptions.txt"


@cache
def of_package(package: str) -> Mapping[str, str]:
    """The sentences of a package by `Type` or `Type.field`; none where it has no file.

    Raises ValueError naming the line that is not a key, a colon and a sentence, or says a key again.
    """
    source = files(package) / FILE
    if not source.is_file():
        return {}
    found: dict[str, str] = {}
    for number, line in enumerate(source.read_text(encoding="utf-8").splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        key, colon, text = line.partition(": ")
        if not colon or not text or key in found:
            raise ValueError(f"{package}/{FILE}:{number}: want `Type.field: sentence`, each once, have {line!r}")
        found[key] = text
    return found


def description(declared: type[Object], field: str = "") -> str:
    """The sentence of a type, or of one of its fields; '' where nobody wrote one."""
    told = of_package(package_of(declared))
    return told.get(f"{declared.__name__}.{field}" if field else declared.__name__, "")


def package_of(declared: type[Object]) -> str:
    """The package that holds the sentences of a type: the one its module is in."""
    return declared.__module__.rpartition(".")[0]
