"""What can go wrong with an expression, worded as clients of Kubernetes read it.

Here: the exceptions and the rendering of a problem with its place in the source. Not here: what the problems are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from proa.base.errors import ProaError


class CelError(ProaError):
    """An expression does not compile, or does not evaluate to a value."""


class CompileError(CelError):
    """The expression is not well formed or does not agree with the types. The text has one block for each problem."""


class InstantiationError(CompileError):
    """The expression is right, but something it is made with is not."""


class EvaluationError(CelError):
    """No value: a missing key, a division by zero. `&&`, `||` and the quantifiers may still find an answer."""


class BudgetError(CelError):
    """The evaluation costs more than it may. Nothing absorbs this."""


def no_such_overload() -> EvaluationError:
    return EvaluationError("no such overload")


def no_such_key(key: object) -> EvaluationError:
    return EvaluationError(f"no such key: {key}")


@dataclass(frozen=True, slots=True)
class Issue:
    """One problem at an offset in code points; -1 when it concerns the whole."""

    offset: int
    message: str


def render(source: str, issues: Sequence[Issue]) -> str:
    """The issues in the order of their places, each with its line and a mark under the place."""
    located = sorted((_place(source, each.offset), each.message) for each in issues)
    return "\n".join(dict.fromkeys(_block(source, line, column, message) for (line, column), message in located))


def _place(source: str, offset: int) -> tuple[int, int]:
    if offset < 0:
        return -1, -1
    line = source.count("\n", 0, offset)
    return line + 1, offset - (source.rfind("\n", 0, offset) + 1)


def _block(source: str, line: int, column: int, message: str) -> str:
    head = f"ERROR: <input>:{line}:{column + 1}: {message}"
    if line < 0:
        return head
    snippet = source.split("\n")[line - 1].replace("\t", " ")
    return f"{head}\n | {snippet}\n | {_marks(snippet, column)}"


def _marks(snippet: str, column: int) -> str:
    dots = "".join("." if each < "\x80" else "\uff0e" for each in snippet[:column])
    wide = column < len(snippet) and snippet[column] >= "\x80"
    return dots + ("\uff3e" if wide else "^")
