"""The command: `python -m benches NAME [OPTIONS]`. Figures go to stdout, everything else to stderr."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Iterator

import uvloop

from benches import measure
from benches.clusters import UnusableError
from benches.load import LoadError
from benches.subject import EndedError
from proa.base.errors import ProaError

BENCHES = (
    # name, module, one line for --help
    ("api", "benches.api", "GET, create and LIST a second, beside a bare handler"),
    ("crds", "benches.crds", "a server with 1,000 custom resource definitions: its start, discovery, OpenAPI, memory"),
    ("watch", "benches.watch", "how long a created object takes to reach 100 watchers"),
    ("schedule", "benches.schedule", "pods bound a second, many nodes"),
    ("pods", "benches.pods", "a pod's life: Running, answering, logs, exec, gone; rollouts"),
    ("start", "benches.start", "`proa up` on empty state, step by step"),
    ("memory", "benches.memory", "resident memory, idle and with a full store"),
    ("idle", "benches.idle", "CPU of a cluster that has nothing to do"),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    names = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    modules = {}
    # Only the asked module is imported, unless --help wants the options of all.
    for name, module, text in BENCHES:
        each = names.add_parser(name, help=text, description=text)
        each.add_argument("--kubeconfig", metavar="FILE", default="", help="measure the cluster of this file")
        each.add_argument("-o", "--output", choices=("table", "json"), default="table")
        if name in sys.argv[1:2]:
            modules[name] = importlib.import_module(module)
            modules[name].add_options(each)
    options = parser.parse_args()
    print(measure.machine(), file=sys.stderr, flush=True)
    try:
        report = uvloop.run(modules[options.name].run(options))
    except* (ProaError, LoadError, EndedError, UnusableError) as group:
        for error in _leaves(group):
            print(f"bench {options.name}: {error}", file=sys.stderr)
        sys.exit(1)
    print(measure.as_json([report]) if options.output == "json" else measure.as_table([report]))


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error


if __name__ == "__main__":
    main()
