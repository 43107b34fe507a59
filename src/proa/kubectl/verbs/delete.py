"""`kubectl delete`: objects by name, label or file, waiting until they are gone."""

from __future__ import annotations

from typing import Any

import click

from proa.kubectl.client import StatusError
from proa.kubectl.discovery import Resource
from proa.kubectl.selection import SelectionError, manifests, targets
from proa.kubectl.session import FlagError, Session, seconds, session_options
from proa.kubectl.watching import Watching

_PROPAGATION = {"background": "Background", "foreground": "Foreground", "orphan": "Orphan"}


@click.command()
@click.argument("words", nargs=-1, metavar="TYPE NAME... | TYPE/NAME...")
@session_options
@click.option("-f", "--filename", "files", multiple=True, help="The objects of a file, a directory, or - for stdin.")
@click.option("-R", "--recursive", is_flag=True)
@click.option("-l", "--selector", default="")
@click.option("--field-selector", default="")
@click.option("--all", "every", is_flag=True, help="All objects of the type in the namespace.")
@click.option("-A", "--all-namespaces", is_flag=True)
@click.option("--wait/--no-wait", default=True, help="Return when they are gone.  [default: wait]")
@click.option("--timeout", default="0", help="How long to wait; 0: for ever.")
@click.option("--grace-period", type=int, default=-1, help="Seconds a pod gets to end; 0 needs --force.")
@click.option("--force", is_flag=True, help="Remove from the API at once, whether it has ended or not.")
@click.option("--now", is_flag=True, help="The same as --grace-period=1.")
@click.option("--cascade", type=click.Choice(tuple(_PROPAGATION)), default="background")
@click.option("--ignore-not-found", is_flag=True)
@click.option("--dry-run", type=click.Choice(("none", "server")), default="none")
@click.option("-o", "--output", type=click.Choice(("", "name")), default="")
def command(session: Session, words: tuple[str, ...], files: tuple[str, ...], **options: Any) -> int:
    """Delete objects."""
    tolerant = options["ignore_not_found"]
    found = _found(session, words, files, options)
    if not found:
        if not tolerant:
            click.echo("No resources found", err=True)
        return 0
    body, query, verb = _request(options)
    failed = 0
    going: list[tuple[Resource, str, str, str]] = []
    for resource, namespace, name in found:
        try:
            answer = session.client.request("DELETE", resource.path(namespace, name), query, body)
        except StatusError as error:
            if error.code == 404 and tolerant:
                continue
            click.echo(str(error), err=True)
            failed += 1
            continue
        display = resource.display(name)
        if options["output"] == "name":
            click.echo(display)
        else:
            kind, _, short = display.partition("/")
            where = f" from {namespace} namespace" if namespace else ""
            click.echo(f'{kind} "{short}" {verb}{where}')
        going.append((resource, namespace, name, _uid(answer)))
    if options["wait"] and options["dry_run"] == "none":
        watching = Watching(session.client, seconds(options["timeout"]))
        for resource, namespace, name, uid in going:
            watching.until_gone(resource, namespace, name, uid)
    return 1 if failed else 0


def _found(
    session: Session, words: tuple[str, ...], files: tuple[str, ...], options: dict[str, Any]
) -> list[tuple[Resource, str, str]]:
    """(resource, namespace, name) of each. Raises SelectionError, FlagError."""
    if files:
        found = []
        for each in manifests(files, recursive=options["recursive"]):
            resource = session.discovery.of_kind(each["apiVersion"], each["kind"])
            namespace = each["metadata"].get("namespace") or session.namespace
            found.append((resource, namespace if resource.namespaced else "", each["metadata"]["name"]))
        return found
    wanted = targets(session.discovery, words)
    query = {
        key: value
        for key, value in (("labelSelector", options["selector"]), ("fieldSelector", options["field_selector"]))
        if value
    }
    found = []
    for target in wanted:
        resource = target.resource
        if target.name:
            if query or options["every"]:
                raise FlagError("name cannot be provided when a selector or --all is specified")
            found.append((resource, session.namespace if resource.namespaced else "", target.name))
            continue
        if not query and not options["every"]:
            raise SelectionError("resource(s) were provided, but no name was specified; say --all to mean every one")
        namespace = "" if options["all_namespaces"] or not resource.namespaced else session.namespace
        for each in session.client.get(resource.path(namespace), query)["items"]:
            metadata = each["metadata"]
            found.append((resource, metadata.get("namespace", ""), metadata["name"]))
    return found


def _request(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str], str]:
    """The DeleteOptions, the query, and what it is called."""
    grace = 1 if options["now"] else options["grace_period"]
    if grace == 0 and not options["force"]:
        raise FlagError("--grace-period=0 needs --force: the object goes before what it stands for has ended")
    if options["force"] and grace > 0:
        raise FlagError("--force and --grace-period greater than 0 cannot be specified together")
    if options["force"]:
        grace = 0
        click.echo(
            "Warning: Immediate deletion does not wait for confirmation that the running resource has been "
            "terminated. The resource may continue to run on the cluster indefinitely.",
            err=True,
        )
    body: dict[str, Any] = {"kind": "DeleteOptions", "apiVersion": "v1"}
    body["propagationPolicy"] = _PROPAGATION[options["cascade"]]
    if grace >= 0:
        body["gracePeriodSeconds"] = grace
    query = {"dryRun": "All"} if options["dry_run"] == "server" else {}
    verb = "force deleted" if options["force"] else "deleted"
    return body, query, f"{verb} (server dry run)" if query else verb


def _uid(answer: dict[str, Any]) -> str:
    """Of the object that is going, or of the Status that says it is gone."""
    if answer.get("kind") == "Status":
        return str((answer.get("details") or {}).get("uid") or "")
    return str(answer["metadata"].get("uid", ""))
