"""What works today, as a table: from the outcomes of a test run, never from memory.

    python -m pytest --junitxml=FILE; python tools/works.py FILE

reads the report into docs/works.json, and writes docs/works.md (every behaviour, by area) and the table in README.md
(the counts) from that. Without FILE the two are written anew. A test belongs to the first row of `ROWS` whose path it
starts with; its name is the sentence that is shown. Not here: running tests, figures of speed (docs/benchmarks.md).
"""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- works: begin -->", "<!-- works: end -->"

# area, row, where its tests are
ROWS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("API", "verbs, watches, paging, errors over HTTP", ("unit/apiserver/test_registry", "unit/apiserver/test_http")),
    ("API", "the same in process and over HTTPS", ("contract/test_client",)),
    ("API", "subresources, connections to kubelets", ("unit/apiserver/test_sub", "unit/apiserver/handlers")),
    (
        "API",
        "who asks, and what they may; certificates, audit",
        (
            "unit/apiserver/authn",
            "unit/apiserver/authz",
            "unit/apiserver/audit",
            "unit/pki",
            "sim/test_certificates",
            "sim/test_clusterrole",
            "sim/test_bootstrap_tokens",
            "sim/test_service_account_tokens",
            "sim/test_cluster_access",
        ),
    ),
    (
        "API",
        "admission plugins, quota, pod security",
        (
            "unit/apiserver/plugins",
            "unit/rules/test_pod",
            "unit/rules/test_quota",
            "unit/rules/test_limit_ranges",
            "sim/test_admission.py",
            "e2e/test_admission",
            "sim/test_quota",
            "sim/test_limit_ranges",
            "sim/test_pod_security",
        ),
    ),
    (
        "API",
        "webhooks: admission and conversion",
        ("unit/apiserver/webhooks", "sim/test_webhooks", "e2e/test_webhooks"),
    ),
    (
        "API",
        "custom resources",
        (
            "unit/apiserver/custom",
            "unit/machinery/structural",
            "sim/test_custom",
            "e2e/test_custom",
        ),
    ),
    (
        "API",
        "CEL, rules, policies",
        (
            "unit/lang/cel",
            "unit/machinery/rules",
            "unit/machinery/expressions",
            "unit/apiserver/expressions",
            "sim/test_admission_policies",
        ),
    ),
    (
        "API",
        "aggregation, priority and fairness, proxies",
        (
            "unit/apiserver/aggregation",
            "unit/apiserver/fairness",
            "unit/apiserver/proxying",
        ),
    ),
    ("API", "requests as they come: options, negotiation, limits", ("unit/apiserver",)),
    ("API", "defaults and validation of resources", ("unit/api/",)),
    ("API", "patches and server-side apply", ("unit/machinery/patch", "unit/machinery/apply")),
    ("API", "any request its own documents allow", ("e2e/test_schemathesis",)),
    (
        "clients",
        "unmodified: Python, asyncio, kr8s, lightkube, kopf, Helm 4, client-node, kubectl 1.37",
        ("e2e/clients",),
    ),
    ("API", "types, decoding, selectors, OpenAPI, discovery, tables, protobuf", ("unit/machinery",)),
    ("API", "stores (memory, SQLite) and the watch cache", ("contract/test_store", "unit/store")),
    ("kubectl", "stock kubectl, reading", ("e2e/test_kubectl_reading",)),
    ("kubectl", "stock kubectl, changing", ("e2e/test_kubectl_writing", "e2e/test_kubectl_api")),
    ("kubectl", "stock kubectl, rollouts", ("e2e/test_rollouts",)),
    ("kubectl", "stock kubectl, sessions", ("e2e/test_sessions",)),
    ("kubectl", "`proa kubectl`, JSONPath, YAML", ("unit/kubectl", "e2e/test_own", "unit/lang")),
    ("controllers", "Deployment and ReplicaSet", ("sim/test_deployment", "sim/test_scale")),
    ("controllers", "Job", ("sim/test_jobs",)),
    ("controllers", "disruption budgets and evictions", ("sim/test_disruption",)),
    ("controllers", "DaemonSet", ("sim/test_daemon_sets",)),
    ("controllers", "EndpointSlice and Endpoints, and the mirror of one in the other", ("sim/test_endpoints",)),
    ("controllers", "garbage collection, namespaces, service accounts", ("sim/test_garbage",)),
    ("controllers", "nodes: leases, taints, eviction, addresses, pod GC", ("sim/test_nodes",)),
    ("controllers", "decisions, the harness, over HTTP", ("unit/controllers", "unit/control/", "sim/test_remote")),
    ("scheduler", "plugins, queue, columns", ("unit/scheduler",)),
    ("node", "container runtimes (embedded and simulated), one contract", ("contract/test_runtime", "unit/runtime")),
    ("node", "isolation of containers", ("root/test_runtime_isolation", "unit/linux")),
    ("node", "pods of a whole cluster", ("e2e/test_pods",)),
    ("node", "containers outlive agents", ("root/test_runtime_survival",)),
    ("node", "kubelet", ("unit/kubelet",)),
    ("node", "simulated nodes", ("sim/test_kubelet",)),
    ("node", "images: pull, import, pack, unpack", ("unit/oci", "root/test_oci")),
    ("network", "pod network", ("root/network/test_net", "unit/net")),
    ("network", "DNS", ("root/network/test_dns", "unit/dns")),
    ("network", "Services", ("root/network/", "unit/proxy", "e2e/test_network")),
    ("tests", "pytest fixtures, clusters in virtual time", ("unit/testing", "sim/test_cluster")),
    ("lifecycle", "up, stop, down, kill -9, journals, settings", ("unit/cluster", "e2e/", "root/", "sim/")),
    ("ground", "tasks, queues, virtual time, client, rules, tools", ("",)),
)

COMMANDS = (
    "annotate api-resources api-versions apply attach auth autoscale cluster-info config cordon cp create debug delete "
    "describe diff drain edit events exec explain expose get label logs patch port-forward proxy replace rollout run "
    "scale set taint top uncordon wait"
)
"""kubectl's: a sentence that begins with one shows that it works."""


@dataclass(slots=True)
class Row:
    """passed: sentence to how many cases of it passed. others: tests of the row that did not pass, and why."""

    passed: dict[str, int] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)


def read(report: Path) -> dict[str, dict[str, int | str]]:
    """A JUnit report as {file: {test: cases passed, or 'failed' or 'skipped'}}; one bad case makes a test bad."""
    found: dict[str, dict[str, int | str]] = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        file = case.get("classname", "").replace(".", "/") + ".py"
        name = case.get("name", "").partition("[")[0]
        tests = found.setdefault(file, {})
        before = tests.get(name, 0)
        if case.find("failure") is not None or case.find("error") is not None or before == "failed":
            tests[name] = "failed"
        elif case.find("skipped") is not None or isinstance(before, str):
            tests[name] = "skipped"
        else:
            tests[name] = before + 1
    return {file: dict(sorted(tests.items())) for file, tests in sorted(found.items())}


def rows(outcomes: Mapping[str, Mapping[str, int | str]]) -> dict[tuple[str, str], Row]:
    """Every row that has tests, in the order of ROWS."""
    found: dict[tuple[str, str], Row] = {(area, title): Row() for area, title, _ in ROWS}
    for file, tests in outcomes.items():
        path = file.removeprefix("tests/")
        area, title, _ = next(row for row in ROWS if path.startswith(row[2]))
        row = found[area, title]
        for test, outcome in tests.items():
            sentence = test.removeprefix("test_").replace("_", " ")
            if isinstance(outcome, int):
                row.passed[sentence] = row.passed.get(sentence, 0) + outcome
            else:
                row.others[sentence] = outcome
    return {key: row for key, row in found.items() if row.passed or row.others}


def table(outcomes: Mapping[str, Mapping[str, int | str]]) -> str:
    """The README's table."""
    lines = ["| area | what | behaviours shown | cases |", "|---|---|---:|---:|"]
    behaviours = cases = 0
    for (area, title), row in rows(outcomes).items():
        bad = f" (and {len(row.others)} not)" if row.others else ""
        about = f"{title}: {', '.join(commands)}" if (commands := _commands(row)) and area == "kubectl" else title
        lines.append(f"| {area} | {about} | {len(row.passed)}{bad} | {sum(row.passed.values())} |")
        behaviours += len(row.passed)
        cases += sum(row.passed.values())
    return "\n".join([*lines, f"| **all** | | **{behaviours:,}** | **{cases:,}** |"])


def _commands(row: Row) -> list[str]:
    """The kubectl commands a row's sentences are about."""
    return [
        each
        for each in COMMANDS.split()
        if any(f"{one} ".startswith(each.replace("-", " ") + " ") for one in row.passed)
    ]


def page(outcomes: Mapping[str, Mapping[str, int | str]]) -> str:
    """docs/works.md."""
    return "\n".join(_page(outcomes)) + "\n"


def _page(outcomes: Mapping[str, Mapping[str, int | str]]) -> Iterator[str]:
    yield "# What works today"
    yield ""
    yield "Each line is a test that passed, with its number of cases where it has several. Written by `tools/works.py`"
    yield "from a test run; do not edit."
    area = ""
    for (each, title), row in rows(outcomes).items():
        if each != area:
            area = each
            yield f"\n## {area}"
        yield f"\n### {title}\n"
        for sentence, cases in row.passed.items():
            yield f"- {sentence}{f' ({cases} cases)' if cases > 1 else ''}"
        for sentence, outcome in row.others.items():
            yield f"- {outcome.upper()}: {sentence}"


def placed(readme: str, content: str) -> str:
    """The README with the table between its marks. Raises ValueError when it has none."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the README needs the lines {BEGIN} and {END}, between which the table is put")
    return f"{before}{BEGIN}\n{content}\n{END}{after}"


def main(arguments: list[str]) -> int:
    data, readme = ROOT / "docs/works.json", ROOT / "README.md"
    if arguments:
        data.write_text(json.dumps(read(Path(arguments[0])), indent=1) + "\n")
    outcomes = json.loads(data.read_text())
    (ROOT / "docs/works.md").write_text(page(outcomes))
    readme.write_text(placed(readme.read_text(), table(outcomes)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
