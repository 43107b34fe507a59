"""`kubectl wait`: until a condition, a field or an object's absence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from proa.kubectl.client import StatusError
from proa.kubectl.selection import manifests, targets
from proa.kubectl.session import FlagError, Session, seconds, session_options
from proa.kubectl.watching import WaitTimeoutError, Watching

Done = Callable[[dict[str, Any] | None], bool]


@click.command()
@click.argument("words", nargs=-1, metavar="TYPE/NAME... | TYPE NAME... | TYPE")
@session_options
@click.option(
    "--for", "condition", required=True, help="condition=NAME[=VALUE], delete, create, jsonpath={...}[=VALUE]."
)
@click.option("--timeout", default="30s", show_default=True, help="0: look once; negative: a week.")
@click.option("-f", "--filename", "files", multiple=True)
@click.option("-l", "--selector", default="")
@click.option("--all", "every", is_flag=True)
@click.option("-A", "--all-namespaces", is_flag=True)
def command(
    session: Session,
    words: tuple[str, ...],
    condition: str,
    timeout: str,
    files: tuple[str, ...],
    selector: str,
    every: bool,
    all_namespaces: bool,
) -> int:
    """Wait until objects are as said."""
    done = parse(condition)
    patience = seconds(timeout)
    watching = Watching(session.client, 7 * 86400 if patience < 0 else patience or 0.001)
    objects = []
    if files:
        for each in manifests(files):
            resource = session.discovery.of_kind(each["apiVersion"], each["kind"])
            namespace = each["metadata"].get("namespace") or session.namespace
            objects.append((resource, namespace if resource.namespaced else "", each["metadata"]["name"]))
    else:
        for target in targets(session.discovery, words):
            resource = target.resource
            namespace = session.namespace if resource.namespaced else ""
            if target.name:
                objects.append((resource, namespace, target.name))
                continue
            if not (selector or every):
                raise FlagError("resource(s) were provided, but no name was specified; use --all or -l")
            query = {"labelSelector": selector} if selector else {}
            listed = session.client.get(resource.path("" if all_namespaces else namespace), query)["items"]
            objects += [(resource, each["metadata"].get("namespace", ""), each["metadata"]["name"]) for each in listed]
    if not objects:
        if condition == "delete":
            return 0
        raise FlagError("no matching resources found")
    late = 0
    for resource, namespace, name in objects:
        if condition not in ("delete", "create"):
            session.client.get(resource.path(namespace, name))  # what is not there is an error, not waited for
        try:
            watching.until(resource, namespace, name, done)
        except WaitTimeoutError as error:
            click.echo(f"error: {error}", err=True)
            late += 1
            continue
        except StatusError as error:
            click.echo(str(error), err=True)
            late += 1
            continue
        click.echo(f"{resource.display(name)} {'deleted' if condition == 'delete' else 'condition met'}")
    return 1 if late else 0


def parse(condition: str) -> Done:
    """What --for means. Raises FlagError, JsonPathError."""
    if condition == "delete":
        return lambda found: found is None
    if condition == "create":
        return lambda found: found is not None
    kind, equals, rest = condition.partition("=")
    if kind == "condition" and rest:
        name, _, value = rest.partition("=")
        return _has_condition(name, value or "True")
    if kind == "jsonpath" and equals:
        return _has_value(rest)
    raise FlagError(
        f"unrecognized condition: {condition!r}: say condition=NAME[=VALUE], delete, create or "
        "jsonpath={.path}[=VALUE]"
    )


def _has_condition(name: str, value: str) -> Done:
    def done(found: dict[str, Any] | None) -> bool:
        if found is None:
            return False
        status = found.get("status") or {}
        generation = found["metadata"].get("generation", 0)
        if status.get("observedGeneration", generation) < generation:
            return False
        return any(
            each["type"].lower() == name.lower()
            and each["status"].lower() == value.lower()
            and each.get("observedGeneration", generation) >= generation
            for each in status.get("conditions") or ()
        )

    return done


def _has_value(rest: str) -> Done:
    from proa.lang import jsonpath

    expression, value = rest, None
    end = rest.rfind("}")
    if end >= 0:
        expression, tail = rest[: end + 1], rest[end + 1 :]
        if tail.startswith("="):
            value = tail[1:].strip("'\"")
    elif "=" in rest:
        expression, _, value = rest.partition("=")
    template = jsonpath.parse(jsonpath.relaxed(expression.strip("'\"")))

    def done(found: dict[str, Any] | None) -> bool:
        if found is None:
            return False
        values = template.find(found)
        if value is None:
            return bool(values)
        return len(values) == 1 and template.render(found) == value

    return done
