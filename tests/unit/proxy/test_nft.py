"""The rendered table: golden texts, and that differences add up to the whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from proa.proxy.nft import Renderer
from proa.proxy.plan import ProxyOptions, Ruleset, ServiceKey, ServicePort, Target

GOLDEN = Path(__file__).parents[2] / "golden" / "proxy"
OPTIONS = ProxyOptions("node", "10.244.0.0/16")
WEB, DB = ServiceKey("default", "web"), ServiceKey("default", "db")
ONE, TWO = Target("10.244.0.1", 8080), Target("10.244.1.1", 8080)


def port(service: ServiceKey = WEB, **more: object) -> ServicePort:
    values = {"targets": (ONE, TWO), "local_targets": (ONE,), **more}
    return ServicePort(service, "http", "TCP", 80, "10.96.0.20", **values)  # type: ignore[arg-type]


CASES = {
    "empty": (),
    "cluster-ip": (port(),),
    "no-endpoints": (port(targets=(), local_targets=(), node_port=30080, external_ips=("203.0.113.9",)),),
    "node-port": (port(node_port=30080),),
    "local-policies": (port(node_port=30080, internal_local=True, external_local=True),),
    "affinity": (port(affinity_seconds=60),),
    "load-balancer": (port(load_balancer_ips=("203.0.113.5",), source_ranges=("198.51.100.0/24",)),),
}


@pytest.mark.parametrize("name", CASES)
def test_a_ruleset_is_rendered_as_in_the_golden_file(name: str) -> None:
    text = Renderer("proa-test-services", OPTIONS).replace(Ruleset({WEB: CASES[name]} if CASES[name] else {}))
    path = GOLDEN / f"{name}.nft"
    if os.environ.get("PROA_REWRITE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()


def change(before: Ruleset, after: Ruleset) -> str:
    renderer = Renderer("t", OPTIONS)
    renderer.commit(before)
    return renderer.change(after)


def test_a_new_endpoint_is_one_refilled_chain() -> None:
    before, after = Ruleset({WEB: (port(targets=(ONE,)),)}), Ruleset({WEB: (port(),)})
    assert change(before, after).splitlines() == [
        "flush chain ip t all-default/web/tcp/http",
        "add rule ip t all-default/web/tcp/http meta l4proto tcp dnat ip to numgen random mod 2 map "
        "{ 0 : 10.244.0.1 . 8080, 1 : 10.244.1.1 . 8080 }",
        "add element ip t hairpin { 10.244.1.1 . 10.244.1.1 }",
    ]


def test_what_two_services_share_stays_until_both_are_gone() -> None:
    both = Ruleset({WEB: (port(),), DB: (port(DB),)})
    one = both.with_services({DB: ()})
    assert "delete element ip t cluster-ips" not in change(both, one)
    assert "delete element ip t hairpin" not in change(both, one)
    assert "delete element ip t cluster-ips { 10.96.0.20 }" in change(both, Ruleset())


def test_no_difference_is_no_text() -> None:
    ruleset = Ruleset({WEB: (port(),)})
    assert change(ruleset, Ruleset({WEB: (port(),)})) == ""
    assert change(Ruleset(), Ruleset()) == ""


def test_chains_come_before_what_leads_to_them_and_go_after() -> None:
    lines = change(Ruleset(), Ruleset({WEB: (port(node_port=30080),)})).splitlines()
    verbs = [line.split()[0] + " " + line.split()[1] for line in lines]
    assert verbs == sorted(verbs, key=["add chain", "add rule", "add element"].index)
    lines = change(Ruleset({WEB: (port(node_port=30080),)}), Ruleset()).splitlines()
    verbs = [line.split()[0] + " " + line.split()[1] for line in lines]
    assert verbs == sorted(verbs, key=["delete element", "flush chain", "delete chain"].index)
