"""Where in a document something is wrong, and what: paths, field errors and their list.

The wording is what clients and people know from Kubernetes (`spec.port: Invalid value: 0: must be between 1 and 65535,
inclusive`). Here: the values and their rendering. Not here: the rules that find errors (`validate`, strategies).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from proa.machinery.meta import StatusCause

_OMITTED: Any = msgspec.UNSET


def quoted(text: str) -> str:
    """The text as a double-quoted Go string, which is how messages quote names and values."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\a": "\\a", "\b": "\\b"}
    escapes |= {"\f": "\\f", "\v": "\\v"}

    def one(character: str) -> str:
        if character in escapes:
            return escapes[character]
        if character.isprintable():
            return character
        code = ord(character)
        return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

    return '"' + "".join(map(one, text)) + '"'


_new = object.__new__


class Path:
    """An immutable field path: `Path("spec").child("containers").index(0).child("name")` is `spec.containers[0].name`.

    Cheap to extend: a path is a link to its parent and is only rendered when an error is.
    """

    __slots__ = ("_parent", "_text")

    def __init__(self, *names: str) -> None:
        self._parent: Path | None = None
        # What this link adds: text as it is, or names that go below. Joined late: nearly no path is ever rendered.
        self._text: str | tuple[str, ...] = ".".join(names)

    def child(self, *names: str) -> Path:
        """A field below this one; several names go several levels down."""
        made = _new(Path)
        made._parent = self
        made._text = names
        return made

    def index(self, position: int) -> Path:
        """An item of a list."""
        made = _new(Path)
        made._parent = self
        made._text = f"[{position}]"
        return made

    def key(self, key: str) -> Path:
        """The value of a map under `key`."""
        made = _new(Path)
        made._parent = self
        made._text = f"[{key}]"
        return made

    def __str__(self) -> str:
        parts = []
        at: Path | None = self
        while at is not None:
            text = at._text
            parts.append(text if isinstance(text, str) else "." + ".".join(text))
            at = at._parent
        parts.reverse()
        return "".join(parts) if parts[0] else "".join(parts).removeprefix(".")

    def __repr__(self) -> str:
        return f"Path({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Path) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


ROOT = Path()

# reason of the cause: how the message begins
_TITLES = {
    "FieldValueRequired": "Required value",
    "FieldValueInvalid": "Invalid value",
    "FieldValueTypeInvalid": "Invalid value",
    "FieldValueNotSupported": "Unsupported value",
    "FieldValueDuplicate": "Duplicate value",
    "FieldValueForbidden": "Forbidden",
    "FieldValueTooLong": "Too long",
    "FieldValueTooShort": "Too short",
    "FieldValueTooMany": "Too many",
    "FieldValueTooFew": "Too few",
    "FieldValueNotFound": "Not found",
    "InternalError": "Internal error",
}


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one field. reason: the `StatusCause` reason (`FieldValueInvalid`). value: what was found."""

    reason: str
    field: str
    value: Any = _OMITTED
    detail: str = ""

    @property
    def message(self) -> str:
        """Everything but the field: `Invalid value: "x": must be lower case`."""
        text = _TITLES[self.reason]
        if self.value is not _OMITTED:
            text += ": " + _shown(self.value)
        return f"{text}: {self.detail}" if self.detail else text

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, float):
        return repr(value)
    return msgspec.json.encode(value).decode()


def aggregated(errors: Iterable[str]) -> str:
    """One error as itself, several as `[a, b]`; a repeated one is said once."""
    texts = list(dict.fromkeys(errors))
    return texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]" if texts else ""


class ErrorList(list[FieldError]):
    """Collects field errors, so that a user sees all of them at once; each method takes the path first.

    A list of its own kind and no wrapper of one: every write makes one, and nearly all stay empty.
    """

    __slots__ = ("_tolerated",)

    def add(self, error: FieldError) -> None:
        self.append(error)

    def tolerate(self, *errors: FieldError) -> None:
        """What is wrong and may stay, since it was so before: no error of the list, but the client is warned of it."""
        self._tolerated = (*self.tolerated, *errors)

    @property
    def tolerated(self) -> tuple[FieldError, ...]:
        found: tuple[FieldError, ...] = getattr(self, "_tolerated", ())
        return found

    def required(self, path: Path, detail: str = "") -> None:
        """A value must be given (an empty string, list or null is not one)."""
        self.add(FieldError("FieldValueRequired", str(path), detail=detail))

    def invalid(self, path: Path, value: Any, detail: str = "") -> None:
        """A malformed value: failed pattern, out of bounds, contradicts another field."""
        self.add(FieldError("FieldValueInvalid", str(path), value, detail))

    def type_invalid(self, path: Path, value: Any, detail: str = "") -> None:
        """A value of another type than the schema's (custom resources)."""
        self.add(FieldError("FieldValueTypeInvalid", str(path), value, detail))

    def unsupported(self, path: Path, value: Any, supported: Iterable[str] = ()) -> None:
        """A value outside a closed set."""
        names = ", ".join(quoted(each) for each in supported)
        self.add(FieldError("FieldValueNotSupported", str(path), value, f"supported values: {names}" if names else ""))

    def duplicate(self, path: Path, value: Any) -> None:
        """A value that must be unique and is not."""
        self.add(FieldError("FieldValueDuplicate", str(path), value))

    def forbidden(self, path: Path, detail: str) -> None:
        """A value that would be accepted under other conditions."""
        self.add(FieldError("FieldValueForbidden", str(path), detail=detail))

    def too_long(self, path: Path, maximum: int, unit: str = "byte") -> None:
        """A text longer than `maximum` units; the value is not repeated."""
        plural = "" if maximum == 1 else "s"
        self.add(FieldError("FieldValueTooLong", str(path), detail=f"may not be more than {maximum} {unit}{plural}"))

    def too_short(self, path: Path, minimum: int, unit: str = "byte") -> None:
        """A text shorter than `minimum` units."""
        plural = "" if minimum == 1 else "s"
        self.add(FieldError("FieldValueTooShort", str(path), detail=f"must be at least {minimum} {unit}{plural}"))

    def too_many(self, path: Path, count: int, maximum: int) -> None:
        """A list with more than `maximum` items."""
        plural = "" if maximum == 1 else "s"
        self.add(FieldError("FieldValueTooMany", str(path), count, f"must have at most {maximum} item{plural}"))

    def too_few(self, path: Path, count: int, minimum: int) -> None:
        """A list with fewer than `minimum` items."""
        plural = "" if minimum == 1 else "s"
        self.add(FieldError("FieldValueTooFew", str(path), count, f"must have at least {minimum} item{plural}"))

    def not_found(self, path: Path, value: Any) -> None:
        """A reference to something that does not exist."""
        self.add(FieldError("FieldValueNotFound", str(path), value))

    def internal(self, path: Path, error: object) -> None:
        """The check itself failed; not the user's fault."""
        self.add(FieldError("InternalError", str(path), detail=str(error)))

    def immutable(self, path: Path, value: Any, detail: str = "field is immutable") -> None:
        """A changed value that may not change."""
        self.invalid(path, value, detail)

    def causes(self) -> tuple[StatusCause, ...]:
        """The list as the `details.causes` of a Status."""
        return tuple(StatusCause(reason=each.reason, message=each.message, field=each.field) for each in self)

    @property
    def message(self) -> str:
        """One error as itself, several as `[a, b]`; a repeated one is said once."""
        return aggregated(map(str, self))

    def __repr__(self) -> str:
        return f"ErrorList({super().__repr__()})"
