"""Which requests an audit policy writes down."""

from __future__ import annotations

from pathlib import Path

import pytest

from proa.apiserver.audit.policy import METADATA, NONE, REQUEST, REQUEST_RESPONSE, Coverage, Policy, PolicyError, load
from proa.apiserver.identity import User
from proa.apiserver.requestinfo import parse

ANN = User("ann", groups=("team", "system:authenticated"))


def policy(tmp_path: Path, text: str) -> Policy:
    path = tmp_path / "policy.yaml"
    path.write_text("apiVersion: audit.k8s.io/v1\nkind: Policy\n" + text)
    return load(path)


def level(policy: Policy, method: str, path: str, user: User = ANN) -> int:
    return policy.coverage(user, parse(method, path)).level


@pytest.mark.parametrize(
    ("rule", "fits", "does_not"),
    [
        ("users: [ann]", ("GET", "/api/v1/pods"), None),
        ("users: [bob]", None, ("GET", "/api/v1/pods")),
        ("userGroups: [x, team]", ("GET", "/healthz"), None),
        ("userGroups: [x]", None, ("GET", "/healthz")),
        ("verbs: [list, watch]", ("GET", "/api/v1/pods"), ("GET", "/api/v1/namespaces/a/pods/b")),
        ("verbs: [post]", ("POST", "/healthz"), ("GET", "/healthz")),
        ("namespaces: [a]", ("GET", "/api/v1/namespaces/a/pods"), ("GET", "/api/v1/namespaces/b/pods")),
        ('namespaces: [""]', ("GET", "/api/v1/nodes"), ("GET", "/api/v1/namespaces/b/pods")),
        ("resources: [{group: apps}]", ("GET", "/apis/apps/v1/deployments"), ("GET", "/api/v1/pods")),
        ('resources: [{group: "*"}]', ("GET", "/api/v1/pods"), ("GET", "/healthz")),
        ("resources: [{resources: [pods]}]", ("GET", "/api/v1/pods"), ("GET", "/api/v1/namespaces/a/pods/b/log")),
        ("resources: [{resources: [pods/log]}]", ("GET", "/api/v1/namespaces/a/pods/b/log"), ("GET", "/api/v1/pods")),
        ("resources: [{resources: [pods/*]}]", ("GET", "/api/v1/namespaces/a/pods/b/log"), ("GET", "/api/v1/nodes")),
        ('resources: [{resources: ["*/log"]}]', ("GET", "/api/v1/namespaces/a/pods/b/log"), ("GET", "/api/v1/pods")),
        ('resources: [{resources: ["*"]}]', ("GET", "/api/v1/namespaces/a/pods/b/log"), ("GET", "/apis/apps/v1/x")),
        (
            "resources: [{resources: [pods], resourceNames: [b]}]",
            ("GET", "/api/v1/namespaces/a/pods/b"),
            ("GET", "/api/v1/namespaces/a/pods/c"),
        ),
        ('nonResourceURLs: ["/health*"]', ("GET", "/healthz"), ("GET", "/readyz")),
        ("nonResourceURLs: [/healthz]", ("GET", "/healthz"), ("GET", "/api/v1/pods")),
        ('nonResourceURLs: ["*"]', ("GET", "/metrics"), ("GET", "/api/v1/pods")),
    ],
)
def test_a_rule_fits_what_it_says(
    tmp_path: Path, rule: str, fits: tuple[str, str] | None, does_not: tuple[str, str] | None
) -> None:
    made = policy(tmp_path, f"rules:\n- level: Metadata\n  {rule}\n")
    if fits is not None:
        assert level(made, *fits) == METADATA
    if does_not is not None:
        assert level(made, *does_not) == NONE


def test_the_first_rule_that_fits_counts(tmp_path: Path) -> None:
    made = policy(
        tmp_path,
        "rules:\n- level: None\n  users: [ann]\n- level: RequestResponse\n  verbs: [create]\n- level: Request\n",
    )
    assert level(made, "POST", "/api/v1/nodes") == NONE
    assert level(made, "POST", "/api/v1/nodes", User("bob")) == REQUEST_RESPONSE
    assert level(made, "GET", "/api/v1/nodes", User("bob")) == REQUEST


def test_stages_and_managed_fields_can_be_left_out_for_all_or_for_one_rule(tmp_path: Path) -> None:
    text = (
        "omitStages: [RequestReceived]\nomitManagedFields: true\nrules:\n"
        "- level: Request\n  verbs: [get]\n  omitStages: [Panic]\n  omitManagedFields: false\n- level: Metadata\n"
    )
    made = policy(tmp_path, text)
    one, rest = (made.coverage(ANN, parse("GET", path)) for path in ("/healthz", "/api/v1/pods"))
    assert one == Coverage(REQUEST, frozenset({"RequestReceived", "Panic"}), False)
    assert rest == Coverage(METADATA, frozenset({"RequestReceived"}), True)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "rules: Required value"),
        ("rules: [{}]", r"rules\[0\].level: Required value"),
        ("rules: [{level: Loud}]", "Unsupported value"),
        ("rules: [{level: None, verb: x}]", "unknown field"),
        ("rules: [{level: None, omitStages: [Late]}]", "allowed stages are"),
        ("rules: [{level: None, nonResourceURLs: [/x], namespaces: [a]}]", "both regular resources and non-resource"),
        ("rules: [{level: None, nonResourceURLs: [x]}]", "must begin with a '/'"),
        ("rules: [{level: None, nonResourceURLs: ['/x*y']}]", "must be the final character"),
        ("rules: [{level: None, resources: [{group: A}]}]", r"resources\[0\].group: Invalid value"),
        ("rules: [{level: None, resources: [{resourceNames: [a]}]}]", "requires at least one resource"),
        ("rules: [", "policy.yaml"),
    ],
)
def test_a_policy_that_says_nothing_sensible_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(PolicyError, match=why):
        policy(tmp_path, text)


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("apiVersion: v1\nkind: Policy\nrules: [{level: None}]\n")
    with pytest.raises(PolicyError, match=r"apiVersion must be audit.k8s.io/v1"):
        load(path)
