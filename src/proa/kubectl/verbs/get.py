"""`kubectl get`: objects as tables or documents, once or as they change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from proa.kubectl.client import JSON, TABLE, StatusError
from proa.kubectl.discovery import Resource
from proa.kubectl.printing import TablePrinter, formatter, is_table_format
from proa.kubectl.selection import Target, manifests, targets
from proa.kubectl.session import FlagError, Session, session_options

CHUNK = 500


@click.command()
@click.argument("words", nargs=-1, metavar="TYPE [NAME...] | TYPE/NAME...")
@session_options
@click.option("-A", "--all-namespaces", is_flag=True)
@click.option("-l", "--selector", default="", help="Labels to match, e.g. app=web,tier!=db.")
@click.option("--field-selector", default="", help="Fields to match, e.g. status.phase=Running.")
@click.option("-o", "--output", default="", help="wide, json, yaml, name, jsonpath=..., custom-columns=...")
@click.option("-w", "--watch", is_flag=True, help="After listing, show changes.")
@click.option("--watch-only", is_flag=True, help="Show changes only.")
@click.option("-f", "--filename", "files", multiple=True, help="The objects of a file, a directory, or - for stdin.")
@click.option("--no-headers", is_flag=True)
@click.option("--show-labels", is_flag=True)
@click.option("--show-managed-fields", is_flag=True)
@click.option("--ignore-not-found", is_flag=True)
def command(session: Session, words: tuple[str, ...], files: tuple[str, ...], **options: Any) -> None:
    """Show one or many objects."""
    request = _Request(session, **options)
    if files:
        found = []
        for each in manifests(files):
            resource = session.discovery.of_kind(each["apiVersion"], each["kind"])
            found.append(Target(resource, each["metadata"]["name"]))
    else:
        found = targets(session.discovery, words)
    if options["watch"] or options["watch_only"]:
        if len(found) != 1:
            raise FlagError("you may only specify a single resource type or object to watch")
        request.watch(found[0], list_first=not options["watch_only"])
    elif is_table_format(options["output"]):
        request.show_tables(found)
    else:
        request.show_documents(found)


class _Request:
    def __init__(
        self,
        session: Session,
        *,
        all_namespaces: bool,
        selector: str,
        field_selector: str,
        output: str,
        no_headers: bool,
        show_labels: bool,
        show_managed_fields: bool,
        ignore_not_found: bool,
        watch: bool,
        watch_only: bool,
    ) -> None:
        self._session = session
        self._everywhere = all_namespaces
        self._query = {
            name: value for name, value in (("labelSelector", selector), ("fieldSelector", field_selector)) if value
        }
        self._output = output
        self._headers = not no_headers
        self._labels = show_labels
        self._managed = show_managed_fields
        self._tolerant = ignore_not_found

    def show_tables(self, found: list[Target]) -> None:
        several = len({each.resource for each in found}) > 1
        shown = 0
        for resource, names in _grouped(found):
            table = self._merged([self._fetch(Target(resource, name), TABLE) for name in names])
            if table is None or not table["rows"]:
                continue
            if shown:
                click.echo()
            for line in self._printer(resource, several=several).render(table):
                click.echo(line)
            shown += 1
        if not shown and not self._tolerant:
            where = f" in {self._session.namespace} namespace." if self._is_narrow(found) else ""
            click.echo(f"No resources found{where}", err=True)

    def show_documents(self, found: list[Target]) -> None:
        if self._output == "name":
            for target in found:
                for each in _items(self._fetch(target, JSON)):
                    click.echo(target.resource.display(each["metadata"]["name"]))
            return
        render = formatter(self._output, managed_fields=self._managed)
        documents = [each for target in found if (each := self._fetch(target, JSON)) is not None]
        if len(documents) == 1 and len(found) == 1 and found[0].name:
            click.echo(render(documents[0]), nl=False)
            return
        if not documents and self._tolerant:
            return
        items = [
            {"apiVersion": target.resource.api_version, "kind": target.resource.kind, **each}
            for target, document in zip(found, documents, strict=False)
            for each in _items(document)
        ]
        metadata = {"resourceVersion": ""}
        click.echo(render({"apiVersion": "v1", "items": items, "kind": "List", "metadata": metadata}), nl=False)

    def watch(self, target: Target, *, list_first: bool) -> None:
        table_format = is_table_format(self._output)
        accept = TABLE if table_format else JSON
        query = dict(self._query)
        if target.name:
            query["fieldSelector"] = ",".join(
                each for each in (query.get("fieldSelector", ""), f"metadata.name={target.name}") if each
            )
        path = target.resource.path(self._namespace(target.resource))
        listed = self._session.client.get(path, query, accept=accept)
        printer = self._printer(target.resource, several=False)
        render = None if table_format else self._object_formatter(target.resource)
        if list_first and target.name and not (listed.get("rows") or listed.get("items")):
            self._session.client.get(target.resource.path(self._namespace(target.resource), target.name))
        if list_first:
            for text in self._texts(listed, printer, render):
                click.echo(text)
        version = listed["metadata"]["resourceVersion"]
        events = self._session.client.lines(path, {**query, "watch": "true", "resourceVersion": version}, accept=accept)
        for event in events:
            if event["type"] == "ERROR":
                raise StatusError(int(event["object"].get("code", 500)), event["object"])
            if event["type"] != "BOOKMARK":
                for text in self._texts(event["object"], printer, render):
                    click.echo(text)

    def _texts(self, value: Mapping[str, Any], printer: TablePrinter, render: Any) -> Iterator[str]:
        if render is None:
            yield from printer.render(value)
            return
        for each in _items(value):
            yield render(each).removesuffix("\n")

    def _object_formatter(self, resource: Resource) -> Any:
        if self._output == "name":
            return lambda value: resource.display(value["metadata"]["name"])
        plain = formatter(self._output, managed_fields=self._managed)
        return lambda value: plain({"apiVersion": resource.api_version, "kind": resource.kind, **value})

    def _printer(self, resource: Resource, *, several: bool) -> TablePrinter:
        return TablePrinter(
            wide=self._output == "wide",
            headers=self._headers,
            namespaces=self._everywhere and resource.namespaced,
            labels=self._labels,
            prefix=resource.display if several else None,
        )

    def _fetch(self, target: Target, accept: str) -> dict[str, Any] | None:
        """One object, or a whole list in chunks; None for one that is not there and may be missing."""
        client, resource = self._session.client, target.resource
        if target.name:
            if self._everywhere and resource.namespaced:
                raise FlagError("a resource cannot be retrieved by name across all namespaces")
            try:
                return client.get(resource.path(self._namespace(resource), target.name), accept=accept)
            except StatusError as error:
                if error.code == 404 and self._tolerant:
                    return None
                raise
        path, query = resource.path(self._namespace(resource)), {**self._query, "limit": str(CHUNK)}
        whole = client.get(path, query, accept=accept)
        rows = "rows" if whole.get("kind") == "Table" else "items"
        whole[rows] = whole.get(rows) or []
        more = whole["metadata"].get("continue")
        while more:
            part = client.get(path, {**query, "continue": more}, accept=accept)
            whole[rows] += part.get(rows) or []
            more = part["metadata"].get("continue")
        return whole

    def _merged(self, tables: list[dict[str, Any] | None]) -> dict[str, Any] | None:
        present = [each for each in tables if each is not None]
        if not present:
            return None
        return {**present[0], "rows": [row for table in present for row in table.get("rows") or ()]}

    def _namespace(self, resource: Resource) -> str:
        return "" if self._everywhere or not resource.namespaced else self._session.namespace

    def _is_narrow(self, found: list[Target]) -> bool:
        return not self._everywhere and all(each.resource.namespaced for each in found)


def _grouped(found: list[Target]) -> Iterator[tuple[Resource, list[str]]]:
    groups: dict[Resource, list[str]] = {}
    for each in found:
        groups.setdefault(each.resource, []).append(each.name)
    yield from groups.items()


def _items(value: Mapping[str, Any] | None) -> list[Any]:
    if value is None:
        return []
    if "items" in value and str(value.get("kind", "List")).endswith("List"):
        return value["items"] or []
    return [value]
