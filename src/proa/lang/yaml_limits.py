"""Bounds on YAML before it is read: nesting, which a recursive reader would follow to the end of its stack, and
aliases, with which a few lines can mean gigabytes.

Most texts are seen at a glance to be harmless; the others are run through the parser's events, which recurse nowhere.
Not here: what YAML means (`yaml`).
"""

from __future__ import annotations

import yaml

MAX_DEPTH = 150
"""Levels. Real objects use about 20; the reader takes a few frames of the stack for each."""
MAX_EXPANSION = 1_000_000
"""Values a document may have in all, where it uses aliases."""


def exceeded(text: str | bytes) -> str:
    """What is wrong with the text, '' for nothing. Raises yaml.YAMLError for what is no YAML."""
    if isinstance(text, bytes):
        text = text.decode()
    if _deepest_possible(text) <= MAX_DEPTH and not ("&" in text and "*" in text):
        return ""
    sizes: list[int] = [0]
    anchors: list[str | None] = [None]
    known: dict[str, int] = {}
    for event in yaml.parse(text, yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            if len(sizes) > MAX_DEPTH:
                return "exceeded max depth"
            sizes.append(0)
            anchors.append(event.anchor)
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            size, anchor = 1 + sizes.pop(), anchors.pop()
        elif isinstance(event, yaml.ScalarEvent):
            size, anchor = 1, event.anchor
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in known:
                return f"anchor {event.anchor!r} is not defined, or holds itself"
            size, anchor = known[event.anchor], None
        else:
            continue
        if anchor is not None:
            known[anchor] = size
        sizes[-1] += size
        if sizes[-1] > MAX_EXPANSION and known:
            return "document contains excessive aliasing"
    return ""


def _deepest_possible(text: str) -> int:
    """No text is nested deeper than this: flow collections have their brackets, block ones their indentation."""
    brackets = text.count("[") + text.count("{")
    return brackets + max((_indentation(line) for line in text.split("\n")), default=0)


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip(" -?:\t\r"))
