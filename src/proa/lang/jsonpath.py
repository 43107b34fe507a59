r"""kubectl's JSONPath templates: text with `{expressions}` in it, for -o jsonpath, custom columns and wait.

    {.items[*].metadata.name}   {.metadata.labels.app\.kubernetes\.io/name}   {['a','b']}   {[-1]}   {[0:2]}   {..name}
    {range .items[*]}{.metadata.name}{"\n"}{end}   {.items[?(@.status.phase=="Running")].metadata.name}   {@}   {$}

Source: the dialect as the Kubernetes documentation describes it (reference/kubectl/jsonpath): no scripts, no regular
expressions. A template is parsed once and evaluated often; both are pure.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from proa.base.errors import ProaError

Select = Callable[[list[Any], Any], list[Any]]
"""From (values, root) to what one step finds in them."""

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "/": "/"}
_OPERATORS: tuple[tuple[str, Callable[[Any, Any], bool]], ...] = (
    ("==", operator.eq),
    ("!=", operator.ne),
    ("<=", operator.le),
    (">=", operator.ge),
    ("<", operator.lt),
    (">", operator.gt),
)


class JsonPathError(ProaError):
    """The template is not well formed, or it names what is not there and that is not allowed."""


@dataclass(frozen=True, slots=True)
class Path:
    """One expression: steps from the current value, or from the root when it starts with `$`."""

    text: str
    steps: tuple[Select, ...]
    from_root: bool = False

    def find(self, value: Any, root: Any) -> list[Any]:
        """What the expression selects. Raises JsonPathError for a key or an index that is not there."""
        values = [root if self.from_root else value]
        for step in self.steps:
            values = step(values, root)
        return values


@dataclass(frozen=True, slots=True)
class _Range:
    path: Path
    body: tuple[str | Path | _Range, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template. allow_missing: what is not there is nothing, rather than an error."""

    nodes: tuple[str | Path | _Range, ...]
    allow_missing: bool = True

    def render(self, value: Any) -> str:
        """The text. Raises JsonPathError."""
        return "".join(self._render(self.nodes, value, value))

    def find(self, value: Any) -> list[Any]:
        """What the template's expressions select, without its text."""
        return [each for node in self.nodes if isinstance(node, Path) for each in self._find(node, value, value)]

    def _render(self, nodes: Sequence[str | Path | _Range], value: Any, root: Any) -> Iterator[str]:
        for node in nodes:
            if isinstance(node, str):
                yield node
            elif isinstance(node, Path):
                yield " ".join(_text(each) for each in self._find(node, value, root))
            else:
                for each in self._find(node.path, value, root):
                    yield from self._render(node.body, each, root)

    def _find(self, path: Path, value: Any, root: Any) -> list[Any]:
        try:
            return path.find(value, root)
        except _NotFoundError:
            if self.allow_missing:
                return []
            raise


def parse(template: str, *, allow_missing: bool = True) -> Template:
    """Raises JsonPathError."""
    return Template(_Parser(template).nodes(), allow_missing)


def relaxed(expression: str) -> str:
    """An expression that lacks its braces or its dot, made whole: `spec.nodeName` is `{.spec.nodeName}`."""
    text = expression.strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    return "{" + (text if text.startswith((".", "[", "$", "@")) else f".{text}") + "}"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


class _NotFoundError(JsonPathError):
    pass


# Steps


def _field(name: str) -> Select:
    def select(values: list[Any], root: Any) -> list[Any]:
        found = [value[name] for value in values if isinstance(value, dict) and name in value]
        if not found:
            raise _NotFoundError(f"{name} is not found")
        return found

    return select


def _every(values: list[Any], root: Any) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if isinstance(value, dict):
            found += value.values()
        elif isinstance(value, list):
            found += value
    return found


def _descend(values: list[Any], root: Any) -> list[Any]:
    """The values and everything below them, outermost first."""
    found: list[Any] = []
    for value in values:
        found.append(value)
        found += _descend(_every([value], root), root)
    return found


def _everywhere(name: str) -> Select:
    def select(values: list[Any], root: Any) -> list[Any]:
        return [value[name] for value in _descend(values, root) if isinstance(value, dict) and name in value]

    return select


def _items(start: int | None, stop: int | None, step: int | None) -> Select:
    def select(values: list[Any], root: Any) -> list[Any]:
        return [each for value in values if isinstance(value, list) for each in value[start:stop:step]]

    return select


def _item(index: int) -> Select:
    def select(values: list[Any], root: Any) -> list[Any]:
        found = []
        for value in values:
            if not isinstance(value, list):
                raise JsonPathError(f"[{index}]: the value is no array but {_text(value)[:80]}")
            if not -len(value) <= index < len(value):
                raise _NotFoundError(f"array index out of bounds: index {index}, length {len(value)}")
            found.append(value[index])
        return found

    return select


def _union(parts: Sequence[Select]) -> Select:
    def select(values: list[Any], root: Any) -> list[Any]:
        found: list[Any] = []
        for part in parts:
            try:
                found += part(values, root)
            except _NotFoundError:
                continue
        return found

    return select


def _filter(left: Path, compare: Callable[[Any, Any], bool] | None, right: Path | None) -> Select:
    def matches(value: Any, root: Any) -> bool:
        try:
            a = left.find(value, root)
            if compare is None or right is None:
                return bool(a)
            b = right.find(value, root)
        except _NotFoundError:
            return False
        if len(a) != 1 or len(b) != 1:
            raise JsonPathError("a filter can only compare one value with one value")
        try:
            return compare(a[0], b[0])
        except TypeError as error:
            raise JsonPathError(f"cannot compare {_text(a[0])} with {_text(b[0])}") from error

    def select(values: list[Any], root: Any) -> list[Any]:
        for value in values:
            if not isinstance(value, list):
                raise JsonPathError(f"only an array can be filtered, not {_text(value)[:80]}")
        return [each for value in values for each in value if matches(each, root)]

    return select


def _constant(value: Any) -> Select:
    return lambda values, root: [value]


class _Parser:
    """Recursive descent over the template's text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def nodes(self, *, inside: bool = False) -> tuple[str | Path | _Range, ...]:
        found: list[str | Path | _Range] = []
        while self._at < len(self._text):
            opening = self._text.find("{", self._at)
            end = len(self._text) if opening < 0 else opening
            if end > self._at:
                found.append(self._text[self._at : end])
            if opening < 0:
                self._at = end
                break
            action = self._action(opening)
            if action == "end":
                if not inside:
                    raise JsonPathError("{end} without {range}")
                return tuple(found)
            if action.startswith("range ") or action == "range":
                path = _path(action.removeprefix("range").strip())
                found.append(_Range(path, self.nodes(inside=True)))
            else:
                found += _expressions(action)
        if inside:
            raise JsonPathError("{range} without {end}")
        return tuple(found)

    def _action(self, opening: int) -> str:
        """What stands between the braces; quotes may hold braces."""
        end = _closing(self._text, opening, "{", "}")
        self._at = end + 1
        return self._text[opening + 1 : end].strip()


def _closing(text: str, opening: int, left: str, right: str) -> int:
    depth, quote, at = 0, "", opening
    while at < len(text):
        character = text[at]
        if character == "\\":
            at += 1
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == left:
            depth += 1
        elif character == right:
            depth -= 1
            if not depth:
                return at
        at += 1
    raise JsonPathError(f"unclosed {'quote' if quote else left} in {text[opening:]!r}")


def _expressions(action: str) -> list[str | Path | _Range]:
    """Quoted text and paths in one pair of braces; a path after a path goes on where that ended."""
    found: list[str | Path | _Range] = []
    for part in _split(action, " "):
        if part[:1] in "'\"" and part:
            found.append(_unquote(part))
        elif part:
            path, before = _path(part), found[-1] if found else ""
            if isinstance(before, Path):
                found[-1] = Path(f"{before.text} {part}", (*before.steps, *path.steps), before.from_root)
            else:
                found.append(path)
    return found


def _split(text: str, separator: str) -> list[str]:
    """Split where the separator is neither quoted nor in brackets."""
    parts, depth, quote, start, at = [], 0, "", 0, 0
    while at < len(text):
        character = text[at]
        if character == "\\":
            at += 1
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "[(":
            depth += 1
        elif character in "])":
            depth -= 1
        elif character == separator and not depth:
            parts.append(text[start:at])
            start = at + 1
        at += 1
    return [*parts, text[start:]]


def _unquote(text: str) -> str:
    if len(text) < 2 or text[-1] != text[0]:
        raise JsonPathError(f"unclosed quote in {text!r}")
    found, escaped = [], False
    for character in text[1:-1]:
        if escaped:
            found.append(_ESCAPES.get(character, f"\\{character}"))
            escaped = False
        elif character == "\\":
            escaped = True
        else:
            found.append(character)
    return "".join(found)


def _path(text: str) -> Path:
    steps: list[Select] = []
    at = 0
    from_root = text.startswith("$")
    if text[:1] in ("$", "@"):
        at = 1
    elif text[:1] not in (".", "["):
        raise JsonPathError(f"unrecognized expression {text!r}: a path starts with '.', '[', '$' or '@'")
    while at < len(text):
        if text[at] == "[":
            end = _closing(text, at, "[", "]")
            steps.append(_bracket(text[at + 1 : end].strip()))
            at = end + 1
        elif text.startswith("..", at):
            name, at = _name(text, at + 2)
            if name in ("", "*"):
                raise JsonPathError(f"'..' must be followed by a field's name in {text!r}")
            steps.append(_everywhere(name))
        elif text[at] == ".":
            name, at = _name(text, at + 1)
            if name == "*":
                steps.append(_every)
            elif name:
                steps.append(_field(name))
        else:
            raise JsonPathError(f"unexpected {text[at:]!r} in {text!r}")
    return Path(text, tuple(steps), from_root)


def _name(text: str, at: int) -> tuple[str, int]:
    """A field's name up to the next '.' or '['; a backslash takes the meaning off what follows it."""
    found = []
    while at < len(text) and text[at] not in ".[":
        if text[at] == "\\" and at + 1 < len(text):
            at += 1
        elif text[at].isspace():
            raise JsonPathError(f"unexpected space in {text!r}")
        found.append(text[at])
        at += 1
    return "".join(found), at


def _bracket(text: str) -> Select:
    if text == "*":
        return _every
    if text.startswith("?"):
        return _condition(text[1:].strip())
    parts = [part.strip() for part in _split(text, ",")]
    return _part(parts[0]) if len(parts) == 1 else _union([_part(part) for part in parts])


def _part(text: str) -> Select:
    if text[:1] == "'" and text:
        # What is quoted is a path of its own, so a dot in a key needs its backslash here, too.
        steps = _path(f".{text[1:-1]}").steps
        return lambda values, root: reduce(lambda found, step: step(found, root), steps, values)
    try:
        bounds = [int(each) if each.strip() else None for each in text.split(":")]
    except ValueError:
        raise JsonPathError(f"invalid array index {text!r}") from None
    if len(bounds) == 1 and bounds[0] is not None:
        return _item(bounds[0])
    if len(bounds) in (2, 3) and bounds[2:] != [0]:
        return _items(*bounds, *[None] * (3 - len(bounds)))
    raise JsonPathError(f"invalid array index {text!r}")


def _condition(text: str) -> Select:
    if not (text.startswith("(") and text.endswith(")")):
        raise JsonPathError(f"a filter is written [?(expression)], not [?{text}]")
    inner = text[1:-1].strip()
    quote = ""
    for at, character in enumerate(inner):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "=!<>":
            for sign, compare in _OPERATORS:
                if inner.startswith(sign, at):
                    return _filter(_operand(inner[:at]), compare, _operand(inner[at + len(sign) :]))
            raise JsonPathError(f"unrecognized filter operator in {inner!r}")
    return _filter(_operand(inner), None, None)


def _operand(text: str) -> Path:
    text = text.strip()
    if text[:1] in ("@", "$", "."):
        return _path(text)
    if text[:1] in "'\"" and text:
        return Path(text, (_constant(_unquote(text)),))
    try:
        return Path(text, (_constant(json.loads(text)),))
    except ValueError:
        raise JsonPathError(f"{text!r} in a filter is neither a path, nor a string, nor a number") from None
