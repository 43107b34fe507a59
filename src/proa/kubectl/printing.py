"""What users see: server-side Tables in kubectl's columns, and the -o formats.

A printer is chosen once by the -o flag and given objects or Tables; it writes text. Not here: asking the server.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import click

from proa.kubectl.session import FlagError

GAP = 3
"""Spaces between columns."""

FORMATS = "json|yaml|name|wide|jsonpath=...|custom-columns=..."
Object = Mapping[str, Any]


class TablePrinter:
    """Prints Tables as columns. Keeps widths, so that what a watch adds later stands below what came first."""

    def __init__(
        self,
        *,
        wide: bool = False,
        headers: bool = True,
        namespaces: bool = False,
        labels: bool = False,
        prefix: Callable[[str], str] | None = None,
    ) -> None:
        """`prefix` turns a name into what stands in its column (`pod/web`), where several types are shown together."""
        self._wide = wide
        self._headers = headers
        self._namespaces = namespaces
        self._labels = labels
        self._prefix = prefix
        self._columns: list[Mapping[str, Any]] = []
        self._widths: list[int] = []

    def render(self, table: Mapping[str, Any]) -> list[str]:
        """The lines; the heading comes once."""
        lines: list[list[str]] = []
        # A watch's later Tables come without definitions.
        if table.get("columnDefinitions"):
            fresh = not self._columns
            self._columns = table["columnDefinitions"]
            if fresh and self._headers:
                lines.append(self._heading())
        lines += [self._row(row) for row in table.get("rows") or ()]
        return self._aligned(lines)

    def _shown(self) -> list[int]:
        return [index for index, column in enumerate(self._columns) if self._wide or not column.get("priority")]

    def _heading(self) -> list[str]:
        names = [str(self._columns[index]["name"]).upper() for index in self._shown()]
        return [*(["NAMESPACE"] if self._namespaces else []), *names, *(["LABELS"] if self._labels else [])]

    def _row(self, row: Mapping[str, Any]) -> list[str]:
        metadata = (row.get("object") or {}).get("metadata", {})
        cells = []
        for index in self._shown():
            text = _cell(row["cells"][index])
            if self._prefix is not None and self._columns[index].get("format") == "name":
                text = self._prefix(text)
            cells.append(text)
        if self._namespaces:
            cells.insert(0, metadata.get("namespace") or "")
        if self._labels:
            found = metadata.get("labels") or {}
            cells.append(",".join(f"{key}={value}" for key, value in sorted(found.items())) or "<none>")
        return cells

    def _aligned(self, lines: list[list[str]]) -> list[str]:
        for line in lines:
            self._widths += [0] * (len(line) - len(self._widths))
            for index, cell in enumerate(line):
                self._widths[index] = max(self._widths[index], len(cell))
        return [
            "".join(cell.ljust(width + GAP) for cell, width in zip(line[:-1], self._widths, strict=False)) + line[-1]
            for line in lines
            if line
        ]


def columns(rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows of text as aligned lines; the first may be a heading."""
    table = TablePrinter()
    return table._aligned([list(row) for row in rows])


def _cell(value: Any) -> str:
    if value is None:
        return "<none>"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).replace("\n", "\\n")


def is_table_format(output: str) -> bool:
    return output in ("", "wide")


def formatter(output: str, *, managed_fields: bool = False) -> Callable[[Object], str]:
    """From an object to its text in the format. Raises FlagError for one we do not know."""
    name, _, argument = output.partition("=")

    def plain(value: Object) -> Any:
        return value if managed_fields else _without_managed_fields(value)

    if name == "json":
        return lambda value: json.dumps(plain(value), indent=4, sort_keys=True, ensure_ascii=False) + "\n"
    if name == "yaml":
        from proa.lang import yaml

        return lambda value: yaml.dump(plain(value))
    if name in ("jsonpath", "jsonpath-as-json") and argument:
        from proa.lang import jsonpath

        template = jsonpath.parse(argument)
        if name == "jsonpath":
            return lambda value: template.render(plain(value))
        return lambda value: json.dumps(template.find(plain(value)), indent=4) + "\n"
    if name == "custom-columns" and argument:
        return _custom_columns(argument)
    raise FlagError(f'unable to match a printer suitable for the output format "{output}", allowed: {FORMATS}')


def _custom_columns(specification: str) -> Callable[[Object], str]:
    from proa.lang import jsonpath

    parsed = []
    for part in specification.split(","):
        heading, colon, expression = part.partition(":")
        if not colon:
            raise FlagError(f"custom-columns: expected HEADER:path, got {part!r}")
        parsed.append((heading, jsonpath.parse(jsonpath.relaxed(expression))))

    def render(value: Object) -> str:
        objects = value["items"] if "items" in value and str(value.get("kind", "")).endswith("List") else [value]
        rows = [[heading for heading, _ in parsed]]
        rows += [
            [",".join(_cell(found) for found in path.find(each)) or "<none>" for _, path in parsed] for each in objects
        ]
        return "\n".join(columns(rows)) + "\n"

    return render


def _without_managed_fields(value: Object) -> Object:
    if isinstance(value.get("items"), list):
        return {**value, "items": [_without_managed_fields(each) for each in value["items"]]}
    metadata = value.get("metadata")
    if isinstance(metadata, Mapping) and "managedFields" in metadata:
        return {**value, "metadata": {key: each for key, each in metadata.items() if key != "managedFields"}}
    return value


def show_change(display: str, verb: str, output: str, value: Object | None = None) -> None:
    """What a command did to an object: `deployment.apps/web created`, or the object in the -o format."""
    if not output:
        click.echo(f"{display} {verb}")
    elif output == "name":
        click.echo(display)
    elif value is not None:
        click.echo(formatter(output)(value), nl=False)
