"""`kubectl logs`: what a container wrote, of a pod or of the pods of a workload."""

from __future__ import annotations

import sys
from typing import Any

import click

from proa.kubectl.pods import PODS, pod_of
from proa.kubectl.selection import SelectionError, single
from proa.kubectl.session import FlagError, Session, seconds, session_options


@click.command()
@click.argument("words", nargs=-1, metavar="POD | TYPE/NAME [CONTAINER]")
@session_options
@click.option("-f", "--follow", is_flag=True, help="Go on as it writes.")
@click.option("-c", "--container", default="")
@click.option("--all-containers", is_flag=True)
@click.option("-p", "--previous", is_flag=True, help="Of the container before its last restart.")
@click.option("--tail", type=int, default=-1, help="Only the last lines.")
@click.option("--since", default="", help="Only what is newer, e.g. 10m.")
@click.option("--since-time", default="", help="Only what is newer than this time (RFC 3339).")
@click.option("--timestamps", is_flag=True)
@click.option("--limit-bytes", type=int, default=0)
@click.option("--prefix", is_flag=True, help="Begin each line with its pod and container.")
@click.option("-l", "--selector", default="", help="Of every pod with these labels.")
def command(session: Session, words: tuple[str, ...], selector: str, **options: Any) -> None:
    """Print what a container wrote."""
    if options["since"] and options["since_time"]:
        raise FlagError("at most one of --since or --since-time may be specified")
    query = _query(options)
    container = options["container"]
    if selector:
        if words or options["follow"]:
            raise FlagError("-l stands alone, and cannot be followed here: name a pod to follow it")
        listed = session.client.get(PODS.path(session.namespace), {"labelSelector": selector})
        pods = [{"apiVersion": "v1", "kind": "Pod", **each} for each in listed["items"]]
        if not pods:
            click.echo(f"No resources found in {session.namespace} namespace.", err=True)
        if options["tail"] < 0:
            query["tailLines"] = "10"
    else:
        of = list(words)
        if len(of) == 2 and not container and "/" not in of[1]:
            container = of.pop()
        pods = [pod_of(session, single(session.discovery, of, "pods"))]
    for pod in pods:
        for name in _containers(pod, container, every=options["all_containers"]):
            _print(session, pod["metadata"]["name"], name, query, prefix=options["prefix"])


def _query(options: dict[str, Any]) -> dict[str, str]:
    query = {name: "true" for name in ("follow", "previous", "timestamps") if options[name]}
    if options["tail"] >= 0:
        query["tailLines"] = str(options["tail"])
    if options["since"]:
        query["sinceSeconds"] = str(max(1, round(seconds(options["since"]))))
    if options["since_time"]:
        query["sinceTime"] = options["since_time"]
    if options["limit_bytes"]:
        query["limitBytes"] = str(options["limit_bytes"])
    return query


def _containers(pod: dict[str, Any], wanted: str, *, every: bool) -> list[str]:
    spec = pod["spec"]
    init = [each["name"] for each in spec.get("initContainers") or ()]
    main = [each["name"] for each in spec["containers"]]
    if every:
        return init + main
    if wanted:
        if wanted not in init + main:
            raise SelectionError(f"container {wanted} is not valid for pod {pod['metadata']['name']}")
        return [wanted]
    annotations = pod["metadata"].get("annotations") or {}
    chosen = annotations.get("kubectl.kubernetes.io/default-container")
    if chosen in main:
        return [str(chosen)]
    if len(main) > 1:
        names = ", ".join(main + [f"{each} (init)" for each in init])
        click.echo(f'Defaulted container "{main[0]}" out of: {names}', err=True)
    return main[:1]


def _print(session: Session, pod: str, container: str, query: dict[str, str], *, prefix: bool) -> None:
    begin = f"[pod/{pod}/{container}] ".encode() if prefix else b""
    path = PODS.path(session.namespace, pod, "log")
    with session.client.stream(path, {**query, "container": container}, accept="*/*") as lines:
        for line in lines:
            sys.stdout.buffer.write(begin + line)
            if query.get("follow"):
                sys.stdout.buffer.flush()
    sys.stdout.buffer.flush()
