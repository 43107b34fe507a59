"""Environments compile expressions to programs; programs evaluate over values and spend from a budget.

An environment is variables with their types and libraries of functions. What it compiles it remembers. Not here: which
libraries and variables Kubernetes has (`machinery.expressions`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from functools import lru_cache
from typing import Any

from proa.lang.cel import types
from proa.lang.cel.ast import Node
from proa.lang.cel.checker import check
from proa.lang.cel.cost import UNLIMITED, Range
from proa.lang.cel.errors import BudgetError, CompileError, EvaluationError, Issue, render
from proa.lang.cel.estimate import Sizes, UnknownSizes, estimate
from proa.lang.cel.extensions.optionals import OPTIONALS
from proa.lang.cel.functions import Function, Library
from proa.lang.cel.parser import DEEPEST, parse
from proa.lang.cel.planner import Plan
from proa.lang.cel.standard import LITERALS, STANDARD
from proa.lang.cel.steps import EXCEEDED, Frame
from proa.lang.cel.types import Type

_REMEMBERED = 1024


class Budget:
    """What several evaluations may cost together."""

    __slots__ = ("remaining",)

    def __init__(self, limit: int) -> None:
        self.remaining = limit

    def spend(self, cost: int) -> None:
        """Raises BudgetError when it is used up."""
        self.remaining -= cost
        if self.remaining < 0:
            raise BudgetError(
                "validation failed due to running out of cost budget, no further validation rules will be run"
            )


class Program:
    """A compiled expression. result: its type. cost_of: what it may cost, given what is known of sizes."""

    __slots__ = ("_functions", "_plan", "_tree", "limit", "result", "source")

    def __init__(self, source: str, tree: Node, plan: Plan, functions: Mapping[str, Function], limit: int) -> None:
        self.source = source
        self.result = tree.type
        self.limit = limit
        self._tree = tree
        self._plan = plan
        self._functions = functions

    def evaluate(self, variables: Mapping[str, Any], budget: Budget | None = None) -> Any:
        """The value. Raises EvaluationError; BudgetError beyond the limit of one evaluation or of the budget."""
        frame = Frame(variables, self._plan.locals, self.limit)
        try:
            value = self._plan.step(frame)
        except RecursionError:
            raise EvaluationError("expression recursion limit exceeded") from None
        finally:
            if budget is not None:
                budget.spend(min(frame.cost, self.limit + 1))
        if frame.cost > self.limit:
            raise BudgetError(EXCEEDED)
        return value

    @property
    def names(self) -> Set[str]:
        """The variables it refers to."""
        return self._plan.names

    def cost_of(self, sizes: Sizes | None = None) -> Range:
        return estimate(self._tree, self._functions, sizes or UnknownSizes())


class Environment:
    """Variables, libraries, and the limit of cost of one evaluation."""

    def __init__(
        self, variables: Mapping[str, Type], libraries: Sequence[Library] = (), *, limit: int = UNLIMITED
    ) -> None:
        self.variables = dict(variables)
        self.libraries = tuple(libraries)
        self.limit = limit
        self._functions, self._types = _merged(self.libraries)
        self._programs: dict[str, Program | CompileError] = {}

    def extended(self, variables: Mapping[str, Type], libraries: Sequence[Library] = ()) -> Environment:
        """This one with more variables and libraries."""
        return Environment({**self.variables, **variables}, (*self.libraries, *libraries), limit=self.limit)

    def compile(self, source: str) -> Program:
        """Raises CompileError, whose text is that of the reference implementation."""
        found = self._programs.get(source)
        if found is None:
            if len(self._programs) >= _REMEMBERED:
                self._programs.clear()
            try:
                found = self._compile(source)
            except CompileError as error:
                found = error
            self._programs[source] = found
        if isinstance(found, CompileError):
            raise type(found)(str(found))
        return found

    def _names(self) -> Mapping[str, Type]:
        """What an identifier may mean: a variable, or a type."""
        known = {name: types.type_of(each) for name, each in self._types.items()} | self.variables
        families = [each.family for each in self.libraries if each.family is not None]
        return _Families(known, families) if families else known

    def _compile(self, source: str) -> Program:
        tree = parse(source, {key: each for library in self.libraries for key, each in library.macros.items()})
        try:
            issues = check(tree, self._names(), self._functions, LITERALS)
            if issues:
                raise CompileError(render(source, issues))
            constants = {name: each for name, each in self._types.items() if name not in self.variables}
            return Program(source, tree, Plan(tree, constants, self._functions), self._functions, self.limit)
        except RecursionError:
            raise CompileError(render(source, [Issue(-1, f"expression recursion limit exceeded: {DEEPEST}")])) from None


class _Families(dict[str, Type]):
    """Names that are known, and those of the types that a family finds."""

    def __init__(self, known: Mapping[str, Type], families: Sequence[Callable[[str], Type | None]]) -> None:
        super().__init__(known)
        self._families = families

    def get(self, name: str, default: Any = None) -> Any:
        found = super().get(name)
        if found is None:
            made = next((made for each in self._families if (made := each(name)) is not None), None)
            found = types.type_of(made) if made is not None else default
        return found


@lru_cache(maxsize=64)
def _merged(libraries: tuple[Library, ...]) -> tuple[Mapping[str, Function], Mapping[str, Type]]:
    functions: dict[str, Function] = {}
    named: dict[str, Type] = {}
    for library in (STANDARD, OPTIONALS, *libraries):
        for each in library.functions:
            known = functions.get(each.name)
            functions[each.name] = known.extended(each) if known is not None else each
        named.update(library.types)
    return functions, named
