"""Tokens to a tree: the grammar of the expression language, macros expanded.

Source: the language definition of CEL. A tree deeper than `DEEPEST` is refused, so that whoever walks it may recurse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Never

from proa.lang.cel import macros
from proa.lang.cel.ast import Call, CreateList, CreateMap, CreateStruct, Entry, Ident, Literal, Node, Select
from proa.lang.cel.errors import CompileError, Issue, render
from proa.lang.cel.lexer import Token, tokens

DEEPEST = 250

_RELATIONS = ("<", "<=", ">", ">=", "==", "!=")
_SUMS = ("+", "-")
_PRODUCTS = ("*", "/", "%")
_WORDS = frozenset({"in", "true", "false", "null"})
_CONSTANTS = {"true": True, "false": False, "null": None}
_RESERVED = frozenset({
    "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package",
    "namespace", "return", "var", "void", "while",
})  # fmt: skip
_STARTS = (
    "'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER"
)
_CONTINUES = "{<EOF>, '==', '!=', 'in', '<', '<=', '>=', '>', '&&', '||', '[', '.', '-', '?', '+', '*', '/', '%'}"
_TOO_DEEP = f"expression recursion limit exceeded: {DEEPEST}"


def parse(source: str, more: Mapping[macros.MacroKey, macros.Expander] | None = None) -> Node:
    """The tree of an expression. more: macros beside those everybody has. Raises CompileError."""
    parser = _Parser(source, more or {})
    try:
        tree = parser.whole()
    except RecursionError:
        raise CompileError(render(source, [Issue(-1, _TOO_DEEP)])) from None
    if parser.issues:
        raise CompileError(render(source, parser.issues))
    return tree


class _Parser:
    def __init__(self, source: str, more: Mapping[macros.MacroKey, macros.Expander]) -> None:
        self._more = more
        self.issues: list[Issue] = []
        self._source = source
        self._tokens = tokens(source)
        self._at = 0
        self._nesting = 0

    def whole(self) -> Node:
        tree = self._expression()
        if self._token.kind != "end":
            self._unexpected(_CONTINUES, extra=self._tokens[self._at + 1].kind == "end")
        return tree

    # Tokens

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def _is(self, *texts: str) -> bool:
        token = self._token
        return token.text in texts and token.kind in ("operator", "name")

    def _next(self) -> Token:
        token = self._token
        self._at += 1
        return token

    def _take(self, text: str) -> Token | None:
        return self._next() if self._is(text) else None

    def _expect(self, text: str) -> Token:
        if not self._is(text):
            self._unexpected(f"'{text}'")
        return self._next()

    def _unexpected(self, expected: str, *, extra: bool = False) -> Never:
        raise self._problem(expected, extra=extra)

    def _problem(self, expected: str, *, extra: bool = False) -> CompileError:
        token = self._token
        text = token.text.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
        how = "extraneous" if extra else "mismatched"
        found = Issue(token.offset, f"Syntax error: {how} input '{text}' expecting {expected}")
        return CompileError(render(self._source, [*self.issues, found]))

    def _refuse(self, offset: int, message: str) -> Node:
        self.issues.append(Issue(offset, message))
        return Literal(offset, None)

    def _sound(self, node: Node) -> Node:
        if node.depth > DEEPEST:
            raise CompileError(render(self._source, [Issue(-1, _TOO_DEEP)]))
        return node

    def _call(self, offset: int, function: str, args: Sequence[Node], target: Node | None = None) -> Node:
        try:
            expanded = macros.expand(offset, function, target, args, self._more)
        except macros.MacroError as error:
            return self._refuse(error.offset, error.message)
        return self._sound(Call(offset, function, args, target) if expanded is None else expanded)

    # Operators, the loosest first

    def _expression(self) -> Node:
        self._nesting += 1
        if self._nesting > DEEPEST:
            raise CompileError(render(self._source, [Issue(-1, _TOO_DEEP)]))
        condition = self._logical("||")
        if mark := self._take("?"):
            then = self._logical("||")
            self._expect(":")
            condition = self._call(mark.offset, "_?_:_", [condition, then, self._expression()])
        self._nesting -= 1
        return condition

    def _logical(self, operator: str) -> Node:
        terms, offsets = [self._logical("&&") if operator == "||" else self._relation()], []
        while mark := self._take(operator):
            offsets.append(mark.offset)
            terms.append(self._logical("&&") if operator == "||" else self._relation())
        return self._balanced(f"_{operator}_", terms, offsets)

    def _balanced(self, function: str, terms: Sequence[Node], offsets: Sequence[int]) -> Node:
        """A flat tree of what is associative, so that long chains are not deep."""
        if len(terms) == 1:
            return terms[0]
        middle = (len(terms) + 1) // 2
        left = self._balanced(function, terms[:middle], offsets[: middle - 1])
        right = self._balanced(function, terms[middle:], offsets[middle:])
        return self._sound(Call(offsets[middle - 1], function, [left, right]))

    def _relation(self) -> Node:
        left = self._arithmetic(_SUMS)
        while self._is(*_RELATIONS, "in"):
            mark = self._next()
            function = "@in" if mark.text == "in" else f"_{mark.text}_"
            left = self._call(mark.offset, function, [left, self._arithmetic(_SUMS)])
        return left

    def _arithmetic(self, operators: tuple[str, ...]) -> Node:
        left = self._arithmetic(_PRODUCTS) if operators is _SUMS else self._unary()
        while self._is(*operators):
            mark = self._next()
            right = self._arithmetic(_PRODUCTS) if operators is _SUMS else self._unary()
            left = self._call(mark.offset, f"_{mark.text}_", [left, right])
        return left

    def _unary(self) -> Node:
        first = self._token
        for text, function in (("!", "!_"), ("-", "-_")):
            count = 0
            while self._is(text):
                if text == "-" and self._number_follows():
                    break
                self._next()
                count += 1
            if count:
                operand = self._member()
                return operand if count % 2 == 0 else self._call(first.offset, function, [operand])
        return self._member()

    def _number_follows(self) -> bool:
        after = self._tokens[self._at + 1]
        return after.kind == "literal" and type(after.value) in (int, float)

    # Members: selections, calls and indices behind a primary

    def _member(self) -> Node:
        node = self._primary()
        while True:
            if mark := self._take("."):
                node = self._selection(node, mark.offset)
            elif mark := self._take("["):
                function = "_[?_]" if self._take("?") else "_[_]"
                index = self._expression()
                self._expect("]")
                node = self._call(mark.offset, function, [node, index])
            else:
                return node

    def _selection(self, operand: Node, offset: int) -> Node:
        optional = self._take("?") is not None
        token = self._token
        if token.kind not in ("name", "quoted") or token.text in _WORDS:
            self._unexpected("IDENTIFIER")
        self._next()
        if not optional and token.kind == "name" and self._is("("):
            opening = self._next()
            return self._call(opening.offset, token.text, self._arguments(), operand)
        return self._sound(Select(offset, operand, token.value, optional=optional))

    def _arguments(self) -> list[Node]:
        args: list[Node] = []
        if not self._is(")"):
            args.append(self._expression())
            while self._take(","):
                args.append(self._expression())
        self._expect(")")
        return args

    # Primaries

    def _primary(self) -> Node:
        token = self._token
        if token.kind == "literal":
            self._next()
            if type(token.value) is int and token.value == 1 << 63:
                return self._refuse(token.offset, "invalid int literal")
            return Literal(token.offset, token.value)
        if self._is("-") and self._number_follows():
            self._next()
            number = self._next()
            return Literal(token.offset, -number.value)
        if token.kind == "name" and token.text in _CONSTANTS:
            self._next()
            return Literal(token.offset, _CONSTANTS[token.text])
        if (token.kind == "name" and token.text != "in") or self._is("."):
            return self._named()
        if self._take("("):
            inner = self._expression()
            self._expect(")")
            return inner
        if self._take("["):
            return self._list(token.offset)
        if self._take("{"):
            return self._map(token.offset)
        raise self._problem(f"{{{_STARTS}}}")

    def _named(self) -> Node:
        start = self._token.offset
        dot = "." if self._take(".") else ""
        token = self._token
        if token.kind != "name" or token.text in _WORDS:
            self._unexpected("IDENTIFIER")
        if self._struct_follows():
            return self._struct(dot)
        self._next()
        if token.text in _RESERVED:
            return self._refuse(start, f"reserved identifier: {token.text}")
        if opening := self._take("("):
            return self._call(opening.offset, token.text, self._arguments())
        return Ident(token.offset, dot + token.text)

    def _struct_follows(self) -> bool:
        """Whether names and dots lead to an opening brace."""
        at = self._at + 1
        while self._tokens[at].text == "." and self._tokens[at + 1].kind == "name":
            at += 2
        return self._tokens[at].text == "{" and self._tokens[at].kind == "operator"

    def _struct(self, dot: str) -> Node:
        name = dot
        while not self._is("{"):
            name += self._next().text
        opening = self._next()
        entries: list[Entry] = []
        while not self._is("}"):
            optional = self._take("?") is not None
            token = self._token
            if token.kind not in ("name", "quoted") or token.text in _WORDS:
                self._unexpected("{'}', ',', '?', IDENTIFIER, ESC_IDENTIFIER}")
            self._next()
            colon = self._expect(":")
            entries.append(Entry(colon.offset, None, token.value, self._expression(), optional))
            if not self._take(","):
                break
        self._expect("}")
        return self._sound(CreateStruct(opening.offset, name, entries))

    def _list(self, offset: int) -> Node:
        elements: list[Node] = []
        optional: set[int] = set()
        while not self._is("]"):
            if self._take("?"):
                optional.add(len(elements))
            elements.append(self._expression())
            if not self._take(","):
                break
        self._expect("]")
        return self._sound(CreateList(offset, elements, frozenset(optional)))

    def _map(self, offset: int) -> Node:
        entries: list[Entry] = []
        while not self._is("}"):
            optional = self._take("?") is not None
            key = self._expression()
            colon = self._expect(":")
            entries.append(Entry(colon.offset, key, "", self._expression(), optional))
            if not self._take(","):
                break
        self._expect("}")
        return self._sound(CreateMap(offset, entries))
