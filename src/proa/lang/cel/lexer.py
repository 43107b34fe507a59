"""Source text to tokens: names, numbers, strings, operators, each with its offset in code points."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from proa.lang.cel.errors import CompileError, Issue, render
from proa.lang.cel.values import Uint

LONGEST_SOURCE = 100_000

_TOKEN = re.compile(
    r"""
      (?P<space>(?:[ \t\r\n\f]+|//[^\n]*)+)
    | (?P<string>[bB]?[rR]?(?:\"{3}|'{3}|\"|'))
    | (?P<float>[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|\.[0-9]+(?:[eE][+-]?[0-9]+)?)
    | (?P<int>0x[0-9a-fA-F]+[uU]?|[0-9]+[uU]?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<quoted>`[A-Za-z0-9_.\-/ ]+`)
    | (?P<operator>==|!=|<=|>=|&&|\|\||[-+*/%<>!?:.,()\[\]{}])
    """,
    re.VERBOSE,
)
_ESCAPE = re.compile(
    r"\\(?:(?P<simple>[abfnrtv\\?\"'`])|[xX](?P<hex>[0-9a-fA-F]{2})|u(?P<u4>[0-9a-fA-F]{4})|U(?P<u8>[0-9a-fA-F]{8})"
    r"|(?P<octal>[0-3][0-7]{2}))"
)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class Token(NamedTuple):
    """kind: name, quoted, literal, operator, end. text: as written, which errors quote."""

    kind: str
    text: str
    offset: int
    value: Any = None


def tokens(source: str) -> list[Token]:
    """All tokens, an `end` last. Raises CompileError."""
    if len(source) > LONGEST_SOURCE:
        what = f"expression code point size exceeds limit: size: {len(source)}, limit {LONGEST_SOURCE}"
        raise CompileError(render(source, [Issue(-1, what)]))
    found: list[Token] = []
    offset = 0
    while offset < len(source):
        match = _TOKEN.match(source, offset)
        kind = match.lastgroup if match else None
        if match is None or kind is None:
            raise _unrecognised(source, offset, offset + 1)
        text, end = match.group(), match.end()
        if kind == "string":
            token, end = _string(source, offset, text)
            found.append(token)
        elif kind in ("int", "float"):
            found.append(Token("literal", text, offset, _number(source, offset, text, kind)))
        elif kind == "quoted":
            found.append(Token("quoted", text, offset, text[1:-1]))
        elif kind != "space":
            found.append(Token(kind, text, offset, text))
        offset = end
    found.append(Token("end", "<EOF>", len(source)))
    return found


def _unrecognised(source: str, offset: int, end: int) -> CompileError:
    text = source[offset:end].replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return CompileError(render(source, [Issue(offset, f"Syntax error: token recognition error at: '{text}'")]))


def _number(source: str, offset: int, text: str, kind: str) -> int | float:
    if kind == "float":
        value = float(text)
        if value == float("inf"):
            raise CompileError(render(source, [Issue(offset, "invalid double literal")]))
        return value
    unsigned = text[-1] in "uU"
    digits = text[:-1] if unsigned else text
    number = int(digits, 16 if digits.startswith("0x") else 10) if len(digits) < 40 else 1 << 64
    # One more than the largest int: the parser lets it pass only behind a minus sign.
    if number > ((1 << 64) - 1 if unsigned else 1 << 63):
        raise CompileError(render(source, [Issue(offset, f"invalid {'u' if unsigned else ''}int literal")]))
    return Uint(number) if unsigned else number


def _string(source: str, offset: int, opening: str) -> tuple[Token, int]:
    quote = opening.lstrip("bBrR")
    prefix = opening[: -len(quote)].lower()
    start = at = offset + len(opening)
    while True:
        end = source.find(quote, at)
        line = source.find("\n", at)
        if end < 0 or (len(quote) == 1 and 0 <= line < end):
            stop = line if len(quote) == 1 and line >= 0 else len(source)
            raise _unrecognised(source, offset, max(stop, offset + 1))
        backslashes = _trailing_backslashes(source, start, end)
        if "r" in prefix or backslashes % 2 == 0:
            break
        at = end + 1
    raw = source[start:end].replace("\r\n", "\n").replace("\r", "\n")
    text = source[offset : end + len(quote)]
    if "r" in prefix:
        value: str | bytes = raw.encode() if "b" in prefix else raw
    else:
        value = _unescape(source, offset, raw, binary="b" in prefix)
    return Token("literal", text, offset, value), end + len(quote)


def _trailing_backslashes(source: str, start: int, end: int) -> int:
    at = end
    while at > start and source[at - 1] == "\\":
        at -= 1
    return end - at


def _unescape(source: str, offset: int, raw: str, *, binary: bool) -> str | bytes:
    parts: list[bytes] = []
    at = 0
    while (backslash := raw.find("\\", at)) >= 0:
        match = _ESCAPE.match(raw, backslash)
        if match is None or (binary and (match["u4"] or match["u8"])):
            raise _unrecognised(source, offset, min(offset + len(raw) + 2, len(source)))
        parts.append(raw[at:backslash].encode("utf-8", "surrogatepass"))
        if match["simple"]:
            parts.append(_SIMPLE.get(match["simple"], match["simple"]).encode())
        else:
            number = int(match["octal"], 8) if match["octal"] else int(match["hex"] or match["u4"] or match["u8"], 16)
            if number > 0x10FFFF or 0xD800 <= number < 0xE000:
                raise CompileError(render(source, [Issue(offset, "invalid unicode code point")]))
            parts.append(bytes([number]) if binary else chr(number).encode())
        at = match.end()
    parts.append(raw[at:].encode("utf-8", "surrogatepass"))
    joined = b"".join(parts)
    return joined if binary else joined.decode("utf-8", "surrogatepass")
