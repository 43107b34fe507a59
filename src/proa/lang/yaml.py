"""YAML as Kubernetes reads it: version 1.1 as Go's sigs.k8s.io/yaml has it, into what JSON can hold.

PyYAML's defaults make dates of strings and 45045 of 12:30:45, leave 1e3 a string, let the last of two equal keys win.
Here a scalar is null, a boolean, an integer, a float or a string; a key is a string; a key given twice is an error.
Writing is what kubectl prints: keys sorted, lists not indented. Not here: what a document means.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterator
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from proa.base.errors import ProaError
from proa.lang import yaml_limits

_PREFIX = "tag:yaml.org,2002:"
_BOOLEANS = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9][0-9_]*|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?")
# Base 60 and dates: strings to us, not to every reader.
_OLD_FORMS = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?")
_INFINITE = re.compile(r"([-+]?)\.(?:inf|Inf|INF)")
_NAN = re.compile(r"\.(?:nan|NaN|NAN)")


class YamlError(ProaError):
    """The text is not YAML, or not YAML that JSON could say; the message has line and column."""


class _Loader(yaml.CSafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        if not isinstance(node, yaml.MappingNode):
            raise ConstructorError(None, None, "expected a mapping", node.start_mark)
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag == f"{_PREFIX}merge":
                continue
            name = _key(self.construct_object(key, deep=True), key)
            if name in seen:
                line = key.start_mark.line + 1
                raise ConstructorError(problem=f'unmarshal errors:\n  line {line}: key "{name}" already set in map')
            seen.add(name)
        self.flatten_mapping(node)
        # Merged entries stand first, so that the mapping's own win.
        return {
            _key(self.construct_object(k, deep=True), k): self.construct_object(v, deep=True) for k, v in node.value
        }


def _key(value: Any, node: yaml.Node) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise ConstructorError(
        "while constructing a mapping", node.start_mark, f"a key must be a string, not {value!r}", node.start_mark
    )


def _boolean(loader: _Loader, node: yaml.ScalarNode) -> bool:
    try:
        return _BOOLEANS[loader.construct_scalar(node)]
    except KeyError:
        raise ConstructorError(None, None, f"{node.value!r} is no boolean", node.start_mark) from None


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node).replace("_", "")
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-")
    for prefix, base in (("0b", 2), ("0o", 8), ("0x", 16), ("0", 8)):
        if digits.startswith(prefix) and len(digits) > len(prefix):
            return sign * int(digits[len(prefix) :], base)
    return sign * int(digits)


def _float(loader: _Loader, node: yaml.ScalarNode) -> float | int:
    text = loader.construct_scalar(node)
    if _NAN.fullmatch(text) or _INFINITE.fullmatch(text):
        raise ConstructorError(None, None, f"JSON has no number {text}", node.start_mark)
    number = float(text.replace("_", ""))
    if math.isinf(number):
        raise ConstructorError(None, None, f"{text} is too large for a number", node.start_mark)
    # JSON does not tell 1e3 from 1000, and Go writes the shorter.
    return int(number) if number.is_integer() and math.fabs(number) < 1e15 and "." not in text else number


def _binary(loader: _Loader, node: yaml.ScalarNode) -> str:
    """Go's reader gives the bytes as a string; JSON can hold them only where they are text."""
    try:
        return base64.b64decode(loader.construct_scalar(node), validate=False).decode()
    except ValueError as error:
        raise ConstructorError(
            None, None, f"!!binary holds no base64 of UTF-8 text: {error}", node.start_mark
        ) from None


def _null(loader: _Loader, node: yaml.ScalarNode) -> None:
    return None


_Loader.yaml_constructors = {
    **yaml.CSafeLoader.yaml_constructors,
    f"{_PREFIX}bool": _boolean,
    f"{_PREFIX}int": _integer,
    f"{_PREFIX}float": _float,
    f"{_PREFIX}null": _null,
    f"{_PREFIX}binary": _binary,
    # A date, or a merge key where a value stands, is a string.
    f"{_PREFIX}timestamp": yaml.CSafeLoader.construct_scalar,
    f"{_PREFIX}merge": yaml.CSafeLoader.construct_scalar,
}
_RESOLVERS = (
    # tag, pattern, first characters it may have ("" for nothing at all)
    ("bool", "|".join(_BOOLEANS), list("tTfFyYnNoO")),
    ("int", _INTEGER.pattern, list("-+0123456789")),
    ("float", f"{_FLOAT.pattern}|{_INFINITE.pattern}|{_NAN.pattern}", list("-+0123456789.")),
    ("null", "~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", "<<", ["<"]),
)
for _tag, _pattern, _first in _RESOLVERS:
    _Loader.add_implicit_resolver(f"{_PREFIX}{_tag}", re.compile(f"^(?:{_pattern})$"), _first)


class _Dumper(yaml.CSafeDumper):
    """Strings are quoted where our loader, or one by the letter of YAML 1.1, would take them for something else."""


def _represent_string(dumper: _Dumper, value: str) -> yaml.Node:
    style = None
    if "\n" in value:
        style = None if any(line.endswith(" ") for line in value.split("\n")) else "|"
    elif _looks_otherwise(value) or _OLD_FORMS.fullmatch(value):
        style = '"'
    return dumper.represent_scalar(f"{_PREFIX}str", value, style=style)


def _looks_otherwise(value: str) -> bool:
    candidates = _Loader.yaml_implicit_resolvers.get(value[:1], ())
    return any(pattern.match(value) for _, pattern in candidates)


_Dumper.add_representer(str, _represent_string)


def documents(text: str | bytes) -> Iterator[Any]:
    """Every document of the text that is not empty. Raises YamlError."""
    try:
        problem = yaml_limits.exceeded(text)
        if problem:
            raise YamlError(problem)
        for document in yaml.load_all(text, _Loader):
            if document is not None:
                yield document
    except RecursionError:
        raise YamlError("exceeded max depth") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise YamlError(" ".join(str(error).split())) from error


def load(text: str | bytes) -> Any:
    """The only document of the text. Raises YamlError."""
    found = list(documents(text))
    if len(found) > 1:
        raise YamlError(f"expected one document, found {len(found)}")
    return found[0] if found else None


def dump(value: Any) -> str:
    """What JSON can hold, as kubectl prints it."""
    text: str = yaml.dump(
        value, Dumper=_Dumper, sort_keys=True, default_flow_style=False, allow_unicode=True, width=1 << 16
    )
    return text
