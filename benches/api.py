"""api: GET, create and LIST a second, each beside the same load on the bare handler in the same run."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benches import custom, load, objects, subject
from benches.load import Endpoint
from benches.measure import Figure, Report, median
from benches.subject import Subject

# In this order, because the LIST is of a namespace that has those pods and no others.
KINDS = ("get", "configmap", "custom", "list", "pod")
# Above this share of a core the load generator is what limits, and a ratio says little.
BUSY = 0.9


@dataclass(frozen=True, slots=True)
class Case:
    """requests: ever new bytes for an endpoint. answer: what the subject answers to one, for bare to answer too."""

    name: str
    connections: int
    requests: Callable[[Endpoint], Iterator[bytes]]
    answer: bytes


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, default=1.5, help="how long a round lasts")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each load; the median counts")
    parser.add_argument("--only", default=",".join(KINDS), help=f"which of {','.join(KINDS)}")
    parser.add_argument("--pods", type=int, default=16_000, help="pods in the LIST")
    parser.add_argument("--profile", default="", help="write a cProfile of our own server here (figures suffer)")


async def run(options: argparse.Namespace) -> Report:
    kinds = options.only.split(",")
    figures: list[Figure] = []
    notes: list[str] = []
    async with AsyncExitStack() as stack:
        directory = await stack.enter_async_context(subject.directory())
        under_test = await stack.enter_async_context(
            subject.given(Path(options.kubeconfig))
            if options.kubeconfig
            else subject.own("api", directory, options.profile)
        )
        bare = await stack.enter_async_context(subject.bare(directory / "pki"))
        for kind in KINDS:
            if kind in kinds:
                case = await _case(kind, under_test, options.pods, kinds)
                found, note = await _compare(case, under_test.endpoint, bare, options.seconds, options.rounds)
                figures += found
                notes += note
    return Report(tuple(figures), tuple(notes))


async def _case(kind: str, under_test: Subject, pods: int, kinds: Sequence[str]) -> Case:
    endpoint = under_test.endpoint
    pod_path, map_path = under_test.path("pods"), under_test.path("configmaps")
    if kind == "get":
        path = f"{pod_path}/{objects.name_of(0)}"
        await load.once(endpoint, _creation(endpoint, pod_path, objects.unscheduled_pod(objects.name_of(0))), 201)
        return Case(
            "GET one pod, 32 connections",
            32,
            lambda each: itertools.repeat(each.request("GET", path)),
            await load.once(endpoint, endpoint.request("GET", path)),
        )
    if kind == "list":
        await fill(under_test, range(1 if "get" in kinds else 0, pods))
        whole = await load.once(endpoint, endpoint.request("GET", pod_path))
        return Case(
            f"LIST {pods:,} pods ({len(whole) / 1e6:.0f} MB), 2 connections",
            2,
            lambda each: itertools.repeat(each.request("GET", pod_path)),
            whole,
        )
    if kind == "custom":
        await custom.define(under_test.client, custom.definition(0))
    name, path, document = {
        "configmap": ("ConfigMap", map_path, objects.config_map),
        "custom": ("custom resource", custom.path(0, under_test.namespace), custom.thing),
        "pod": ("Pod", pod_path, objects.unscheduled_pod),
    }[kind]
    numbers = itertools.count(pods)
    return Case(
        f"create {name}, 64 connections",
        64,
        lambda each: objects.posts(each, path, document(), numbers),
        await load.once(endpoint, _creation(endpoint, path, document("n-a-sample")), 201),
    )


def _creation(endpoint: Endpoint, path: str, document: objects.Document) -> bytes:
    return endpoint.request("POST", path, msgspec.json.encode(document))


async def _compare(
    case: Case, endpoint: Endpoint, bare: Endpoint, seconds: float, rounds: int
) -> tuple[list[Figure], list[str]]:
    """Rounds of both in turn, so that what else the machine does meets both; the ratio is the median of the rounds'."""
    await load.once(bare, bare.request("PUT", "/", case.answer))
    ours = [await load.connect(endpoint) for _ in range(case.connections)]
    theirs = [await load.connect(bare) for _ in range(case.connections)]
    pairs: list[tuple[load.Rate, load.Rate]] = []
    for number in range(rounds + 1):
        length = seconds if number else min(seconds, 0.5)
        pair = (
            await load.run(ours, case.requests(endpoint), length),
            await load.run(theirs, case.requests(bare), length),
        )
        if number:  # the first is the warm-up
            pairs.append(pair)
    load.close([*ours, *theirs])
    answers = median([our.answers / bare.answers for our, bare in pairs])
    figures = [
        Figure(case.name, median([our.answers for our, _ in pairs]), "/s", answers),
        Figure("  its bodies", median([our.bytes for our, _ in pairs]) / 1e6, "MB/s"),
        Figure("  bare handler", median([bare.answers for _, bare in pairs]), "/s", 1.0),
    ]
    busy = median([max(each.busy for each in pair) for pair in pairs])
    notes = [f"{case.name}: the load itself used {busy:.0%} of a core and may have been the limit"]
    return figures, notes if busy > BUSY else []


async def fill(under_test: Subject, numbers: Iterable[int]) -> load.Rate:
    """Create pods of these numbers in the load's namespace, for no scheduler to touch."""
    endpoint = under_test.endpoint
    lanes = [await load.connect(endpoint) for _ in range(64)]
    try:
        requests = objects.posts(endpoint, under_test.path("pods"), objects.unscheduled_pod(), iter(numbers))
        return await load.run(lanes, requests)
    finally:
        load.close(lanes)
