"""Small rules of the node: security, resources, admission, pull secrets, host paths of probes."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from proa.api.core_v1 import (
    Capabilities,
    Container,
    ContainerPort,
    HTTPGetAction,
    HTTPHeader,
    PodSecurityContext,
    Probe,
    ResourceRequirements,
    SeccompProfile,
    Secret,
    SecurityContext,
    Sysctl,
    TCPSocketAction,
)
from proa.kubelet.admission import admit
from proa.kubelet.host import HostFacts, Pressure, host_facts, pressure
from proa.kubelet.httpget import HttpGetError, http_get, http_target
from proa.kubelet.images import credentials
from proa.kubelet.node import allocatable, node_conditions
from proa.kubelet.prober import NetworkProber
from proa.kubelet.probing import Tally
from proa.kubelet.resources import container_resources, cpu_quota, cpu_shares, oom_score_adj, sandbox_resources
from proa.kubelet.security import security_context
from proa.kubelet.services import StepError
from proa.kubelet.state import ProbeKind
from proa.kubelet.steps.images import pull_policy
from proa.machinery.meta import ObjectMeta


def container(**fields: Any) -> Container:
    return Container(name="app", image="app:1", **fields)


# Security


def test_a_containers_settings_go_before_its_pods(make_pod: Any) -> None:
    shared = PodSecurityContext(
        runAsUser=1, runAsGroup=2, fsGroup=5, supplementalGroups=(7,), seccompProfile=SeccompProfile(type="Unconfined")
    )
    own = SecurityContext(
        runAsUser=9,
        allowPrivilegeEscalation=False,
        readOnlyRootFilesystem=True,
        capabilities=Capabilities(add=("NET_ADMIN",), drop=("ALL",)),
    )
    found = security_context(make_pod(securityContext=shared), container(securityContext=own), "")
    assert (found.user, found.group, found.supplemental_groups) == (9, 2, (7, 5))
    assert (found.no_new_privileges, found.readonly_rootfs, found.seccomp) == (True, True, "Unconfined")
    assert (found.add_capabilities, found.drop_capabilities) == (("NET_ADMIN",), ("ALL",))


def test_without_a_profile_the_runtimes_seccomp_filter_applies_unless_privileged(make_pod: Any) -> None:
    assert security_context(make_pod(), container(), "").seccomp == "RuntimeDefault"
    privileged = security_context(make_pod(), container(securityContext=SecurityContext(privileged=True)), "")
    assert (privileged.seccomp, privileged.masked_paths) == ("Unconfined", ())


@pytest.mark.parametrize(
    ("user", "image_user", "message"),
    [
        (0, "", "breaks non-root policy"),
        (None, "", "image will run as root"),
        (None, "0:5", "image will run as root"),
        (None, "nginx", "non-numeric user"),
        (None, "1000", ""),
        (5, "", ""),
    ],
)
def test_run_as_non_root_is_checked(make_pod: Any, user: int | None, image_user: str, message: str) -> None:
    subject = container(securityContext=SecurityContext(runAsNonRoot=True, runAsUser=user))
    if not message:
        security_context(make_pod(), subject, image_user)
        return
    with pytest.raises(StepError, match=message) as caught:
        security_context(make_pod(), subject, image_user)
    assert caught.value.reason == "CreateContainerConfigError"


# Resources


def test_cpu_in_kernel_units() -> None:
    assert (cpu_shares(0), cpu_shares(1000), cpu_shares(250)) == (2, 1024, 256)
    assert (cpu_quota(0), cpu_quota(500), cpu_quota(1)) == (None, 50_000, 1_000)


def test_who_is_killed_first(make_pod: Any) -> None:
    gib = 1 << 30
    some = container(resources=ResourceRequirements(requests={"memory": "1Gi"}))
    all_of_it = {"cpu": "1", "memory": "1Gi"}
    guaranteed = container(resources=ResourceRequirements(requests=all_of_it, limits=all_of_it))
    assert oom_score_adj(make_pod(container()), 0, 10 * gib) == 1000
    assert oom_score_adj(make_pod(some), gib, 10 * gib) == 900
    assert oom_score_adj(make_pod(some), 10 * gib, 10 * gib) == 3
    assert oom_score_adj(make_pod(guaranteed), gib, 10 * gib) == -997


def test_a_limit_is_also_a_request_and_a_pod_is_limited_only_as_a_whole(make_pod: Any) -> None:
    limited = container(resources=ResourceRequirements(limits={"cpu": "500m", "memory": "64Mi"}))
    found = container_resources(make_pod(limited), limited, 1 << 30)
    assert (found.cpu_shares, found.cpu_quota, found.memory_limit) == (512, 50_000, 64 << 20)
    assert sandbox_resources(make_pod(limited)).memory_limit == 64 << 20
    free = Container(name="free", image="app:1")
    assert sandbox_resources(make_pod(limited, free)).memory_limit is None


# Admission


def test_a_pod_must_fit_and_belong_here(make_pod: Any) -> None:
    big = make_pod(container(resources=ResourceRequirements(requests={"cpu": "2"})))
    room = {"cpu": "3", "pods": "2"}
    assert admit(big, {}, room, []) is None
    refused = admit(big, {}, room, [{"cpu": 1500}])
    assert refused is not None
    assert refused.reason == "OutOfcpu"
    assert "requested: 2000, used: 1500, capacity: 3000" in refused.message
    full = admit(make_pod(), {}, room, [{}, {}])
    assert full is not None
    assert full.reason == "OutOfpods"
    picky = admit(make_pod(nodeSelector={"disk": "ssd"}), {"disk": "hdd"}, room, [])
    assert picky is not None
    assert picky.reason == "NodeAffinity"


@pytest.mark.parametrize(
    ("name", "host", "refused"),
    [
        ("kernel.shm_rmid_forced", {}, ""),
        ("net.ipv4.tcp_syncookies", {}, ""),
        ("net/ipv4/tcp_syncookies", {"hostIPC": True}, ""),
        ("net.ipv4.tcp_syncookies", {"hostNetwork": True}, 'forbidden sysctl: "net.ipv4.tcp_syncookies" not allowed'),
        ("kernel.shm_rmid_forced", {"hostIPC": True}, 'forbidden sysctl: "kernel.shm_rmid_forced" not allowed with'),
        ("kernel.core_pattern", {}, 'forbidden sysctl: "kernel.core_pattern" not allowlisted'),
        ("kernel/core_pattern", {}, 'forbidden sysctl: "kernel.core_pattern" not allowlisted'),
        ("net.ipv4.ip_forward", {}, 'forbidden sysctl: "net.ipv4.ip_forward" not allowlisted'),
    ],
)
def test_a_pod_sets_only_sysctls_of_its_own_namespaces(
    make_pod: Any, name: str, host: dict[str, bool], refused: str
) -> None:
    context = PodSecurityContext(sysctls=(Sysctl(name=name, value="1"),))
    found = admit(make_pod(securityContext=context, **host), {}, {}, [])
    assert (found.message if found else "").startswith(refused)
    assert (found is None) is (not refused)


# Images


def test_the_pull_policy_follows_the_tag() -> None:
    def of(image: str) -> str:
        return pull_policy(Container(name="a", image=image))

    assert [of(each) for each in ("a", "a:latest", "r:5000/a", "a:1", "a@sha256:0")] == [
        "Always",
        "Always",
        "Always",
        "IfNotPresent",
        "IfNotPresent",
    ]


def test_pull_secrets_are_matched_by_registry_and_path() -> None:
    def secret(auths: dict[str, Any]) -> Secret:
        data = {".dockerconfigjson": json.dumps({"auths": auths}).encode()}
        meta = ObjectMeta(name="s", namespace="default")
        return Secret(metadata=meta, type="kubernetes.io/dockerconfigjson", data=data)

    both = base64.b64encode(b"u:p").decode()
    found = secret({"https://index.docker.io/v1/": {"auth": both}, "r.io/team": {"username": "t", "password": "x"}})
    assert [each.username for each in credentials("nginx", [found])] == ["u"]
    assert [each.username for each in credentials("r.io/team/app:1", [found])] == ["t"]
    assert credentials("r.io/teamster/app:1", [found]) == ()
    assert credentials("other.io/app", [found]) == ()


# Probes


def test_thresholds_count_results_in_a_row() -> None:
    tally = Tally.of(ProbeKind.READINESS, Probe(successThreshold=2, failureThreshold=3))
    verdicts = []
    for result in (True, False, True, True, False, False, True, False, False, False):
        tally = tally.counted(result)
        verdicts.append(tally.verdict)
    assert verdicts == [None, None, None, True, True, True, True, True, True, False]


@pytest.fixture
async def web() -> Any:
    seen: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        seen.append(head)
        path = head.split()[1]
        replies = {
            b"/ok": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine",
            b"/down": b"HTTP/1.1 503 Service Unavailable\r\n\r\nno",
            b"/moved": b"HTTP/1.1 302 Found\r\nLocation: /ok\r\n\r\n",
            b"/away": b"HTTP/1.1 302 Found\r\nLocation: http://example.com/\r\n\r\n",
            b"/odd": b"SSH-2.0\r\n\r\n",
        }
        writer.write(replies[path])
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], seen
    server.close()
    await server.wait_closed()


async def test_an_http_probe(web: Any) -> None:
    port, seen = web
    prober = NetworkProber(None)  # type: ignore[arg-type]
    subject = container(ports=(ContainerPort(name="http", containerPort=port),))

    async def probe(path: str) -> tuple[bool, str]:
        action = HTTPGetAction(path=path, port="http", httpHeaders=(HTTPHeader(name="X-A", value="b"),))
        return await prober.probe(None, subject, None, Probe(httpGet=action), "127.0.0.1")  # type: ignore[arg-type]

    assert await probe("/ok") == (True, "fine")
    assert b"X-A: b\r\n" in seen[0]
    assert b"kube-probe/1.36" in seen[0]
    assert await probe("/down") == (False, "HTTP probe failed with statuscode: 503")
    assert (await probe("/moved"))[0]
    assert (await probe("/away"))[0], "a redirect elsewhere is an answer, and is not followed"
    assert not (await probe("/odd"))[0]
    tcp = Probe(tcpSocket=TCPSocketAction(port=port))
    assert await prober.probe(None, subject, None, tcp, "127.0.0.1") == (True, "")  # type: ignore[arg-type]


async def test_a_probe_of_a_closed_port_fails_and_says_so() -> None:
    prober = NetworkProber(None)  # type: ignore[arg-type]
    tcp = Probe(tcpSocket=TCPSocketAction(port=1))
    success, seen = await prober.probe(None, container(), None, tcp, "127.0.0.1")  # type: ignore[arg-type]
    assert not success
    assert seen.startswith("dial tcp 127.0.0.1:1: ")


async def test_an_unknown_port_name_is_named() -> None:
    with pytest.raises(HttpGetError, match="couldn't find port: web"):
        await http_get(http_target(HTTPGetAction(port="web"), container(), "127.0.0.1"))


# The node


def test_allocatable_is_what_is_not_reserved() -> None:
    assert allocatable({"cpu": "2", "memory": "1Gi"}, {"cpu": "500m", "memory": "2Gi"}) == {
        "cpu": "1500m",
        "memory": "0",
    }


def test_node_conditions_say_what_is_wrong_and_since_when() -> None:
    well = node_conditions((), {}, Pressure(), "2026-01-01T00:00:00Z")
    assert {each.type: each.status for each in well} == {
        "MemoryPressure": "False",
        "DiskPressure": "False",
        "PIDPressure": "False",
        "Ready": "True",
    }
    ill = node_conditions(well, {"NetworkReady": "no bridge"}, Pressure(disk=True), "2026-01-01T01:00:00Z")
    changed = {each.type for each in ill if each.lastTransitionTime == "2026-01-01T01:00:00Z"}
    assert changed == {"DiskPressure", "Ready"}
    ready = next(each for each in ill if each.type == "Ready")
    assert (ready.reason, ready.message) == ("KubeletNotReady", "NetworkReady: no bridge")


def test_this_machine_has_facts(tmp_path: Any) -> None:
    facts = host_facts(tmp_path / "not" / "there")
    assert isinstance(facts, HostFacts)
    assert int(facts.capacity["cpu"]) >= 1
    assert facts.capacity["memory"].endswith("Ki")
    assert facts.boot_id
    assert pressure(tmp_path).memory is False
