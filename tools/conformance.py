"""`./dev conformance E2E_TEST [FOCUS]`: run upstream's end-to-end tests against a cluster; say what passed and failed.

E2E_TEST is the path of an e2e.test binary somebody has. Exit code: 0 when something ran and all of it passed, 1 when a
test failed, 2 when nothing could be run. What the binary prints goes to stderr, the result to stdout.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

CONFORMANCE = r"\[Conformance\]"
# What the tests name between brackets besides what they are about; a list reads better without.
_LABELS = re.compile(r"^\[It\] +")
_BEGIN, _END = "<!-- passing: begin -->", "<!-- passing: end -->"


class UnusableError(Exception):
    """Nothing could be run, or nothing can be read from what ran."""


@dataclass(frozen=True, slots=True)
class Results:
    """Names of tests, in the order they were reported. would_run: of a dry run, which runs nothing."""

    passed: tuple[str, ...]
    failed: tuple[str, ...]
    would_run: tuple[str, ...] = ()

    @property
    def code(self) -> int:
        return 1 if self.failed else 0 if self.passed or self.would_run else 2


def command(options: argparse.Namespace, reports: Path) -> list[str]:
    """The binary with its flags. The provider is `local`: a cluster that stands by itself, with no cloud around it."""
    flags = [
        f"--kubeconfig={options.kubeconfig}",
        "--provider=local",
        f"--ginkgo.focus={options.focus}",
        f"--report-dir={reports}",
        "--ginkgo.no-color",
        "--ginkgo.flake-attempts=1",
        f"--ginkgo.timeout={options.timeout}",
        "--allowed-not-ready-nodes=0",
        "--disable-log-dump",
    ]
    if options.skip:
        flags.append(f"--ginkgo.skip={options.skip}")
    if options.dry_run:
        flags.append("--ginkgo.dry-run")
    return [str(options.e2e_test), *flags, *options.arguments]


def read(reports: Path, *, dry_run: bool = False) -> Results:
    """What the JUnit reports in a directory say. Raises UnusableError when there are none or they are no JUnit."""
    files = sorted(reports.rglob("junit*.xml"))
    if not files:
        raise UnusableError("the tests wrote no JUnit report: see above why they ended")
    passed, failed, would_run = [], [], []
    for file in files:
        try:
            cases = list(ElementTree.parse(file).getroot().iter("testcase"))
        except ElementTree.ParseError as error:
            raise UnusableError(f"{file.name} is no JUnit report: {error}") from error
        for case in cases:
            name = case.get("name", "")
            if case.find("failure") is not None or case.find("error") is not None:
                failed.append(_LABELS.sub("", name))
            elif not name.startswith("[It]"):
                continue  # a set-up step of the whole run: of interest only when it fails
            elif case.find("skipped") is not None or case.get("status") in ("skipped", "pending"):
                continue
            elif dry_run:
                would_run.append(_LABELS.sub("", name))
            else:
                passed.append(_LABELS.sub("", name))
    return Results(tuple(passed), tuple(failed), tuple(would_run))


def write_list(path: Path, results: Results) -> None:
    """Bring the list of passing tests, between the marks of a page, up to date; a page without marks gets them last.

    What passed is on it, what failed is not, and what did not run stays as it was: a list may come from several runs.
    """
    text = path.read_text() if path.exists() else "# Conformance tests that pass\n"
    before, found, rest = text.partition(_BEGIN)
    listed, closed, after = rest.partition(_END) if found else ("", _END, "\n")
    if not closed:
        raise UnusableError(f"{path}: {_BEGIN} is not followed by {_END}")
    known = {line.removeprefix("- ") for line in listed.splitlines() if line.startswith("- ")}
    names = sorted((known | set(results.passed)) - set(results.failed))
    block = "\n".join([_BEGIN, f"{len(names)} tests:", "", *(f"- {name}" for name in names), _END])
    path.write_text((before if found else f"{text.rstrip()}\n\n") + block + after)


def run(options: argparse.Namespace) -> Results:
    """Raises UnusableError when the binary or the kubeconfig is not there or nothing comes out."""
    if not options.e2e_test.is_file():
        raise UnusableError(f"{options.e2e_test}: no such file: give the path of an e2e.test binary")
    if not Path(options.kubeconfig).is_file():
        raise UnusableError(f"{options.kubeconfig}: no such kubeconfig: start a cluster, or name one with --kubeconfig")
    with tempfile.TemporaryDirectory(prefix="conformance-") as directory:
        try:
            ended = subprocess.run(command(options, Path(directory)), stdout=2, check=False)
        except OSError as error:
            raise UnusableError(f"{options.e2e_test} cannot be run: {error.strerror}") from error
        results = read(Path(directory), dry_run=options.dry_run)
        if ended.returncode and not results.failed:
            raise UnusableError(f"e2e.test ended with code {ended.returncode}, and reports no failed test")
        return results


def default_kubeconfig() -> str:
    from proa.cluster.paths import DEFAULT_NAME, ClusterPaths

    return str(ClusterPaths.of(DEFAULT_NAME).kubeconfig())


def main() -> None:
    parser = argparse.ArgumentParser(prog="./dev conformance", description=__doc__)
    parser.add_argument("e2e_test", type=Path, metavar="E2E_TEST")
    parser.add_argument("focus", nargs="?", default=CONFORMANCE, metavar="FOCUS", help="regular expression of names")
    parser.add_argument("--skip", default="", help="regular expression of names to leave out")
    parser.add_argument("--kubeconfig", default=default_kubeconfig(), help="default: the running cluster's")
    parser.add_argument("--timeout", default="2h", help="for everything together, as Go writes durations")
    parser.add_argument("--dry-run", action="store_true", help="say which tests would run")
    parser.add_argument(
        "--list", type=Path, metavar="PAGE", help="bring the list of passing tests in this page up to date"
    )
    parser.add_argument("arguments", nargs="*", help="after --: more flags for the binary")
    options = parser.parse_args()
    try:
        results = run(options)
        if options.list is not None:
            if options.dry_run:
                raise UnusableError("--list needs results, and --dry-run has none")
            write_list(options.list, results)
    except UnusableError as error:
        print(f"conformance: {error}", file=sys.stderr)
        sys.exit(2)
    if options.dry_run:
        print(*results.would_run, f"{len(results.would_run)} would run", sep="\n")
    else:
        print(f"{len(results.passed)} passed, {len(results.failed)} failed")
        for name in results.failed:
            print(f"FAILED {name}")
    sys.exit(results.code)


if __name__ == "__main__":
    main()
