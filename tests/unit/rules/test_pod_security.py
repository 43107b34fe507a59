from __future__ import annotations

from typing import Any

import msgspec
import pytest

from proa.api.core_v1 import PodSpec
from proa.rules.pod_security import (
    BASELINE,
    CONTROLS,
    PRIVILEGED,
    RESTRICTED,
    Level,
    Policy,
    Subject,
    details,
    evaluate,
    policy_of,
    reasons,
)

GOOD: dict[str, Any] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
GOOD_POD: dict[str, Any] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def subject(
    *contexts: dict[str, Any] | None, annotations: dict[str, str] | None = None, container: Any = None, **spec: Any
) -> Subject:
    """A pod that keeps to every control, but for what is said: a security context each container, a pod's field."""
    containers = [
        {"name": name, "image": "x", "securityContext": {**GOOD, **(context or {})}, **(container or {})}
        for name, context in zip("abc", contexts or (None,), strict=False)
    ]
    spec["securityContext"] = {**GOOD_POD, **(spec.get("securityContext") or {})}
    return Subject(annotations or {}, msgspec.convert({"containers": containers, **spec}, PodSpec))


def said(level: str, pod: Subject, version: str = "latest") -> str:
    return details(evaluate(Level(level, version), pod))


@pytest.mark.parametrize("version", ["latest", "v1.0", "v1.8", "v1.19", "v1.22", "v1.25", "v1.34", "v1.36", "v1.99"])
def test_a_careful_pod_keeps_to_every_version(version: str) -> None:
    assert said(RESTRICTED, subject(), version) == ""


BASELINE_VIOLATIONS = [
    (
        subject({"appArmorProfile": {"type": "Unconfined"}}),
        'forbidden AppArmor profile (container "a" must not set AppArmor profile type to "Unconfined")',
    ),
    (
        subject(annotations={"container.apparmor.security.beta.kubernetes.io/a": "unconfined"}),
        'forbidden AppArmor profile (annotation must not set AppArmor profile type to "container.apparmor.security.'
        'beta.kubernetes.io/a="unconfined"")',
    ),
    (
        subject({"capabilities": {"add": ["NET_RAW", "CHOWN"]}}, {"capabilities": {"add": ["BPF"]}}),
        'non-default capabilities (containers "a", "b" must not include "BPF", "NET_RAW" in '
        "securityContext.capabilities.add)",
    ),
    (subject(hostNetwork=True, hostIPC=True), "host namespaces (hostNetwork=true, hostIPC=true)"),
    (subject(volumes=[{"name": "v", "hostPath": {"path": "/"}}]), 'hostPath volumes (volume "v")'),
    (
        subject(container={"ports": [{"containerPort": 1, "hostPort": 12345}, {"containerPort": 2, "hostPort": 80}]}),
        'hostPort (container "a" uses hostPorts 12345, 80)',
    ),
    (
        subject(container={"livenessProbe": {"httpGet": {"port": 1, "host": "evil"}}}),
        'probe or lifecycle host (container "a" uses probe or lifecycle host "evil")',
    ),
    (
        subject(container={"lifecycle": {"preStop": {"tcpSocket": {"port": 1, "host": "evil"}}}}),
        'probe or lifecycle host (container "a" uses probe or lifecycle host "evil")',
    ),
    (
        subject({"privileged": True}),
        'privileged (container "a" must not set securityContext.privileged=true)',
    ),
    (
        subject({"procMount": "Unmasked"}),
        'procMount (container "a" must not set securityContext.procMount to "Unmasked")',
    ),
    (
        subject({"seLinuxOptions": {"type": "foo", "user": "u"}}, securityContext={"seLinuxOptions": {"role": "r"}}),
        'seLinuxOptions (pod and container "a" set forbidden securityContext.seLinuxOptions: type "foo"; '
        "user may not be set; role may not be set)",
    ),
    (
        subject({"seccompProfile": {"type": "Unconfined"}}),
        'seccompProfile (container "a" must not set securityContext.seccompProfile.type to "Unconfined")',
    ),
    (
        subject(securityContext={"sysctls": [{"name": "a.b", "value": "1"}]}),
        "forbidden sysctls (a.b)",
    ),
    (
        subject(securityContext={"windowsOptions": {"hostProcess": True}}),
        "hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)",
    ),
]


@pytest.mark.parametrize(("pod", "message"), BASELINE_VIOLATIONS)
def test_baseline_refuses_what_reaches_out_of_a_container(pod: Subject, message: str) -> None:
    assert said(BASELINE, pod) == message
    assert said(PRIVILEGED, pod) == ""
    assert said(RESTRICTED, pod) != ""


RESTRICTED_VIOLATIONS = [
    (
        subject({"allowPrivilegeEscalation": None}, {"allowPrivilegeEscalation": True}),
        'allowPrivilegeEscalation != false (containers "a", "b" must set '
        "securityContext.allowPrivilegeEscalation=false)",
    ),
    (
        subject({"capabilities": {"drop": ["CHOWN"], "add": ["CHOWN", "NET_BIND_SERVICE"]}}),
        'unrestricted capabilities (container "a" must set securityContext.capabilities.drop=["ALL"]; container "a" '
        'must not include "CHOWN" in securityContext.capabilities.add)',
    ),
    (
        subject(volumes=[{"name": "v", "nfs": {"server": "s", "path": "/"}}, {"name": "w", "emptyDir": {}}]),
        'restricted volume types (volume "v" uses restricted volume type "nfs")',
    ),
    (
        subject(securityContext={"runAsNonRoot": None}),
        'runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true)',
    ),
    (
        subject({"runAsNonRoot": False}, None),
        'runAsNonRoot != true (container "a" must not set securityContext.runAsNonRoot=false)',
    ),
    (subject({"runAsUser": 0}), 'runAsUser=0 (container "a" must not set runAsUser=0)'),
    (
        subject(securityContext={"seccompProfile": None}),
        'seccompProfile (pod or container "a" must set securityContext.seccompProfile.type to "RuntimeDefault" or '
        '"Localhost")',
    ),
]


@pytest.mark.parametrize(("pod", "message"), RESTRICTED_VIOLATIONS)
def test_restricted_demands_that_a_pod_gives_up_what_it_does_not_need(pod: Subject, message: str) -> None:
    assert said(RESTRICTED, pod) == message
    assert said(BASELINE, pod) == ""


def test_every_control_is_tried_above() -> None:
    tried = {reasons(evaluate(Level(BASELINE), pod)) for pod, _ in BASELINE_VIOLATIONS}
    tried |= {reasons(evaluate(Level(RESTRICTED), pod)) for pod, _ in RESTRICTED_VIOLATIONS}
    # seccomp and procMount are said by two controls each, in the same words.
    assert len(tried) == len(CONTROLS) - 2


@pytest.mark.parametrize(
    ("level", "pod", "before", "since"),
    [
        (RESTRICTED, subject({"allowPrivilegeEscalation": None}), "v1.7", "v1.8"),
        (BASELINE, subject(container={"livenessProbe": {"tcpSocket": {"port": 1, "host": "h"}}}), "v1.33", "v1.34"),
        (RESTRICTED, subject(securityContext={"runAsUser": 0}), "v1.22", "v1.23"),
        (RESTRICTED, subject({"capabilities": {}}), "v1.21", "v1.22"),
    ],
)
def test_a_control_holds_since_its_version(level: str, pod: Subject, before: str, since: str) -> None:
    assert said(level, pod, before) == ""
    assert said(level, pod, since) != ""


@pytest.mark.parametrize(
    ("level", "pod", "strict", "relaxed"),
    [
        (RESTRICTED, subject(hostUsers=False, securityContext={"runAsUser": 0}), "v1.34", "v1.35"),
        (RESTRICTED, subject(hostUsers=False, securityContext={"runAsNonRoot": None}), "v1.34", "v1.35"),
        (BASELINE, subject({"procMount": "Unmasked"}, hostUsers=False), "v1.34", "v1.35"),
        (BASELINE, subject(securityContext={"seLinuxOptions": {"type": "container_engine_t"}}), "v1.30", "v1.31"),
        (
            BASELINE,
            subject(securityContext={"sysctls": [{"name": "net.ipv4.tcp_rmem", "value": "1"}]}),
            "v1.31",
            "v1.32",
        ),
        (RESTRICTED, subject({"allowPrivilegeEscalation": None}, os={"name": "windows"}), "v1.24", "v1.25"),
    ],
)
def test_a_control_is_relaxed_by_a_later_version(level: str, pod: Subject, strict: str, relaxed: str) -> None:
    assert said(level, pod, strict) != ""
    assert said(level, pod, relaxed) == ""


def test_unmasked_proc_stays_forbidden_to_the_restricted_even_in_a_user_namespace() -> None:
    assert said(RESTRICTED, subject({"procMount": "Unmasked"}, hostUsers=False)).startswith("procMount (")


def test_labels_say_what_is_enforced_audited_and_warned_of() -> None:
    labels = {
        "pod-security.kubernetes.io/enforce": "baseline",
        "pod-security.kubernetes.io/enforce-version": "v1.30",
        "pod-security.kubernetes.io/audit": "restricted",
    }
    policy, errors = policy_of(labels, Policy())
    assert errors == ()
    assert policy == Policy(Level("baseline", "v1.30"), Level("restricted"), Level("baseline", "v1.30"))


def test_a_label_that_makes_no_sense_enforces_the_strictest_and_warns_of_nothing() -> None:
    labels = {
        "pod-security.kubernetes.io/enforce": "strict",
        "pod-security.kubernetes.io/warn": "strict",
        "pod-security.kubernetes.io/audit-version": "1.2",
    }
    policy, errors = policy_of(labels, Policy())
    assert policy == Policy(Level("restricted"), Level("privileged"), Level("privileged"))
    assert [each.why for each in errors] == [
        "must be one of privileged, baseline, restricted",
        'must be "latest" or "v1.x"',
        "must be one of privileged, baseline, restricted",
    ]
