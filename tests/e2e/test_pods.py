"""Pods on a real node: restarts and probes, what containers see of the API, and what they may do."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.conftest import Cluster
from tests.e2e.kubectl import SERVE, Failed, Kubectl, config_map, container, eventually, pod, service


def sh(script: str) -> tuple[str, ...]:
    return ("sh", "-c", script)


def stays(script: str) -> tuple[str, ...]:
    """Run a script, then go on until asked to end."""
    return sh(f"{script}; trap 'exit 0' TERM; while :; do sleep 0.1; done")


def restarts(kubectl: Kubectl, name: str = "web") -> int:
    return int(kubectl.value("{.status.containerStatuses[0].restartCount}", "pod", name) or 0)


def test_a_crashing_container_is_restarted_with_a_growing_pause(kubectl: Kubectl) -> None:
    kubectl.apply(pod("web", container(command=sh("exit 3"))))
    kubectl.wait("jsonpath={.status.containerStatuses[0].restartCount}=1", "pod/web")
    kubectl.wait("jsonpath={.status.containerStatuses[0].state.waiting.reason}=CrashLoopBackOff", "pod/web")
    state = kubectl.object("pod", "web")["status"]["containerStatuses"][0]
    assert state["lastState"]["terminated"]["exitCode"] == 3
    assert state["lastState"]["terminated"]["reason"] == "Error"
    assert "back-off 10s restarting failed container" in state["state"]["waiting"]["message"]
    assert "CrashLoopBackOff" in kubectl("get", "pod", "web")
    assert "BackOff" in kubectl("events", "--for=pod/web")


@pytest.mark.parametrize(
    ("policy", "script", "phase"),
    [("Never", "exit 0", "Succeeded"), ("Never", "exit 1", "Failed"), ("OnFailure", "exit 0", "Succeeded")],
)
def test_a_pod_that_need_not_restart_ends(kubectl: Kubectl, policy: str, script: str, phase: str) -> None:
    kubectl.apply(pod("web", container(command=sh(script)), restartPolicy=policy))
    kubectl.wait(f"jsonpath={{.status.phase}}={phase}", "pod/web")
    assert restarts(kubectl) == 0


def test_a_failing_liveness_probe_restarts_the_container(kubectl: Kubectl) -> None:
    probe = {"exec": {"command": ["test", "!", "-e", "/sick"]}, "periodSeconds": 1, "failureThreshold": 1}
    kubectl.apply(pod("web", container(livenessProbe=probe)))
    kubectl.ready("web")
    kubectl("exec", "web", "--", "touch", "/sick")
    kubectl.wait("jsonpath={.status.containerStatuses[0].restartCount}=1", "pod/web")
    kubectl.ready("web")
    events = kubectl("events", "--for=pod/web")
    assert "Liveness probe failed" in events
    assert "failed liveness probe, will be restarted" in events


def test_a_failing_readiness_probe_takes_the_endpoint_away_until_it_succeeds(kubectl: Kubectl) -> None:
    probe = {"httpGet": {"path": "/index.html", "port": 8080}, "periodSeconds": 1, "failureThreshold": 1}
    kubectl.apply(pod("web", container(command=SERVE, readinessProbe=probe)), service("web"))
    kubectl.ready("web")
    ip = kubectl.value("{.status.podIP}", "pod", "web")
    ready = "{.subsets[*].addresses[*].ip}"
    eventually(lambda: kubectl.value(ready, "endpoints", "web") == ip)
    kubectl("exec", "web", "--", "mv", "/tmp/www/index.html", "/tmp/www/away")
    kubectl.wait("condition=Ready=False", "pod/web")
    eventually(lambda: kubectl.value(ready, "endpoints", "web") == "")
    assert restarts(kubectl) == 0
    kubectl("exec", "web", "--", "mv", "/tmp/www/away", "/tmp/www/index.html")
    kubectl.ready("web")
    eventually(lambda: kubectl.value(ready, "endpoints", "web") == ip)


def test_a_startup_probe_holds_the_others_back(kubectl: Kubectl) -> None:
    startup = {"exec": {"command": ["test", "-e", "/up"]}, "periodSeconds": 1, "failureThreshold": 60}
    liveness = {"exec": {"command": ["test", "-e", "/up"]}, "periodSeconds": 1, "failureThreshold": 1}
    kubectl.apply(pod("web", container(startupProbe=startup, livenessProbe=liveness)))
    kubectl.wait("jsonpath={.status.containerStatuses[0].started}=false", "pod/web")
    eventually(lambda: kubectl.run("exec", "web", "--", "touch", "/up").returncode == 0)
    kubectl.ready("web")
    assert restarts(kubectl) == 0


def test_init_containers_run_one_after_the_other_before_the_rest(kubectl: Kubectl) -> None:
    mount: dict[str, Any] = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    init = [container(name, command=sh(f"echo {name} >> /data/order"), **mount) for name in ("one", "two")]
    main = container(command=stays("echo main >> /data/order"), **mount)
    kubectl.apply(pod("web", main, initContainers=init, volumes=[{"name": "data", "emptyDir": {}}]))
    kubectl.ready("web")
    assert eventually(lambda: kubectl("exec", "web", "--", "cat", "/data/order").split()) == ["one", "two", "main"]
    kubectl.apply(pod("bad", initContainers=[container("init", command=sh("exit 1"))], restartPolicy="Never"))
    kubectl.wait("jsonpath={.status.phase}=Failed", "pod/bad")
    assert "Init:Error" in kubectl("get", "pod", "bad")


def test_a_sidecar_runs_beside_the_containers_and_ends_after_them(kubectl: Kubectl) -> None:
    sidecar = container("sidecar", restartPolicy="Always")
    main = container(command=sh("exit 0"))
    kubectl.apply(pod("web", main, initContainers=[sidecar], restartPolicy="Never"))
    kubectl.wait("jsonpath={.status.phase}=Succeeded", "pod/web")
    assert kubectl.value("{.status.initContainerStatuses[0].state.terminated.exitCode}", "pod", "web")


def test_hooks_run_after_the_start_and_before_the_end(kubectl: Kubectl, tmp_path: Path) -> None:
    hooks = {
        "postStart": {"exec": {"command": list(sh("echo started >> /out/hooks"))}},
        "preStop": {"exec": {"command": list(sh("echo stopping >> /out/hooks"))}},
    }
    trap = sh("trap 'echo term >> /out/hooks; exit 0' TERM; while :; do sleep 0.1; done")
    main = container(command=trap, lifecycle=hooks, volumeMounts=[{"name": "out", "mountPath": "/out"}])
    kubectl.apply(pod("web", main, grace=10, volumes=[{"name": "out", "hostPath": {"path": str(tmp_path)}}]))
    kubectl.ready("web")
    kubectl("delete", "pod", "web")
    assert (tmp_path / "hooks").read_text().split() == ["started", "stopping", "term"]


def test_the_environment_comes_from_everywhere(kubectl: Kubectl, cluster: Cluster) -> None:
    kubectl.apply(service("backend", 80), config_map("settings", colour="red", size="big"))
    kubectl("create", "secret", "generic", "password", "--from-literal=word=hidden")
    env: list[dict[str, Any]] = [
        {"name": "LITERAL", "value": "plain"},
        {"name": "EXPANDED", "value": "$(LITERAL)-$$(LITERAL)"},
        {"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "colour"}}},
        {"name": "MISSING", "valueFrom": {"configMapKeyRef": {"name": "no", "key": "no", "optional": True}}},
        {"name": "WORD", "valueFrom": {"secretKeyRef": {"name": "password", "key": "word"}}},
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "LIMIT", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
    ]
    main = container(
        command=stays("env"),
        env=env,
        envFrom=[{"configMapRef": {"name": "settings"}, "prefix": "S_"}],
        resources={"limits": {"memory": "64Mi"}},
    )
    kubectl.apply(pod("web", main))
    kubectl.ready("web")
    seen = dict(line.split("=", 1) for line in kubectl("exec", "web", "--", "env").splitlines())
    expected = {"LITERAL": "plain", "EXPANDED": "plain-$(LITERAL)", "COLOUR": "red", "WORD": "hidden", "POD": "web",
                "IP": kubectl.value("{.status.podIP}", "pod", "web"), "NODE": cluster.node, "LIMIT": "64",
                "S_colour": "red", "S_size": "big", "HOSTNAME": "web",
                "BACKEND_SERVICE_HOST": kubectl.value("{.spec.clusterIP}", "service", "backend"),
                "BACKEND_SERVICE_PORT": "80", "KUBERNETES_SERVICE_PORT": "443"}  # fmt: skip
    assert {name: seen.get(name) for name in expected} == expected
    assert "MISSING" not in seen


def test_a_missing_config_map_holds_the_container_until_it_is_there(kubectl: Kubectl) -> None:
    kubectl.apply(pod("web", container(envFrom=[{"configMapRef": {"name": "later"}}])))
    kubectl.wait("jsonpath={.status.containerStatuses[0].state.waiting.reason}=CreateContainerConfigError", "pod/web")
    kubectl.apply(config_map("later", now="here"))
    kubectl.ready("web")
    assert "now=here" in kubectl("exec", "web", "--", "env")


def test_volumes_show_configuration_and_follow_its_changes_at_once_in_whole(kubectl: Kubectl) -> None:
    kubectl.apply(config_map("settings", a="1", b="1"))
    kubectl("create", "secret", "generic", "password", "--from-literal=word=hidden")
    downward = {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}
    projected = {
        "sources": [
            {"configMap": {"name": "settings", "items": [{"key": "a", "path": "deep/a"}]}},
            {"secret": {"name": "password"}},
            {"serviceAccountToken": {"path": "token", "expirationSeconds": 600, "audience": "someone"}},
        ]
    }
    volumes = [
        {"name": "settings", "configMap": {"name": "settings"}},
        {"name": "secret", "secret": {"secretName": "password", "defaultMode": 0o400}},
        {"name": "downward", "downwardAPI": downward},
        {"name": "all", "projected": projected},
    ]
    mounts = [{"name": each["name"], "mountPath": f"/{each['name']}", "readOnly": True} for each in volumes]
    kubectl.apply(pod("web", container(volumeMounts=mounts), volumes=volumes))
    kubectl.ready("web")

    def inside(script: str) -> str:
        return kubectl("exec", "web", "--", "sh", "-c", script)

    assert inside("cat /settings/a /settings/b /secret/word") == "11hidden"
    assert inside("cat /downward/labels") == 'app="web"'
    assert inside("cat /all/deep/a /all/word") == "1hidden"
    assert inside("stat -L -c %a /secret/word").strip() == "400"
    assert inside("cat /all/token").count(".") == 2
    assert kubectl.run("exec", "web", "--", "touch", "/settings/new").returncode != 0
    kubectl("patch", "cm", "settings", "--type=merge", "-p", '{"data":{"a":"2","b":"2"}}')
    kubectl("label", "pod", "web", "more=yes")
    both = "cd $(readlink -f /settings/..data) && cat a b"
    seen = set()

    def changed() -> bool:
        seen.add(inside(both))
        return "22" in seen

    eventually(changed, "the new configuration")
    assert seen <= {"11", "22"}, "never half of each"
    eventually(lambda: 'more="yes"' in inside("cat /downward/labels"))
    eventually(lambda: inside("cat /all/deep/a") == "2")


def test_containers_of_a_pod_share_an_empty_directory_in_memory_or_on_disk(kubectl: Kubectl) -> None:
    mounts: dict[str, Any] = {
        "volumeMounts": [{"name": "disk", "mountPath": "/disk"}, {"name": "memory", "mountPath": "/memory"}]
    }
    volumes = [
        {"name": "disk", "emptyDir": {}},
        {"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": "8Mi"}},
    ]
    kubectl.apply(pod("web", container("a", **mounts), container("b", **mounts), volumes=volumes))
    kubectl.ready("web")
    for place in ("/disk", "/memory"):
        kubectl("exec", "web", "-c", "a", "--", "sh", "-c", f"echo shared > {place}/file")
        assert kubectl("exec", "web", "-c", "b", "--", "cat", f"{place}/file") == "shared\n"
    assert "tmpfs" in kubectl("exec", "web", "-c", "a", "--", "grep", " /memory ", "/proc/mounts")


def test_a_host_path_is_the_nodes(kubectl: Kubectl, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("of the node")
    mount = {"name": "host", "mountPath": "/host"}
    volume = {"name": "host", "hostPath": {"path": str(tmp_path), "type": "Directory"}}
    kubectl.apply(pod("web", container(volumeMounts=[mount]), volumes=[volume]))
    kubectl.ready("web")
    assert kubectl("exec", "web", "--", "cat", "/host/file") == "of the node"
    kubectl("exec", "web", "--", "sh", "-c", "echo back > /host/back")
    assert (tmp_path / "back").read_text() == "back\n"


def test_limits_are_the_kernels_and_shown_in_the_status(kubectl: Kubectl) -> None:
    resources = {"limits": {"memory": "32Mi", "cpu": "500m"}, "requests": {"memory": "16Mi", "cpu": "100m"}}
    kubectl.apply(pod("web", container(resources=resources)))
    kubectl.ready("web")
    seen = kubectl(
        "exec", "web", "--", "sh", "-c",
        "cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes",
    )  # fmt: skip
    assert int(seen) == 32 << 20
    assert kubectl.value("{.status.qosClass}", "pod", "web") == "Burstable"
    assert kubectl.value("{.status.containerStatuses[0].resources.limits.memory}", "pod", "web") == "32Mi"


def test_a_container_beyond_its_memory_is_killed_and_says_so(kubectl: Kubectl) -> None:
    hungry = container(command=sh("tail /dev/zero"), resources={"limits": {"memory": "24Mi"}})
    kubectl.apply(pod("web", hungry, restartPolicy="Never"))
    kubectl.wait("jsonpath={.status.phase}=Failed", "pod/web")
    ended = kubectl.object("pod", "web")["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


def test_a_container_is_who_its_security_context_says(kubectl: Kubectl) -> None:
    context = {
        "runAsUser": 1000,
        "runAsGroup": 2000,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    mount: dict[str, Any] = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    kubectl.apply(
        pod(
            "web",
            container(securityContext=context, **mount),
            securityContext={"fsGroup": 3000},
            volumes=[{"name": "data", "emptyDir": {}}],
        )
    )
    kubectl.ready("web")
    assert kubectl("exec", "web", "--", "id", "-u").strip() == "1000"
    assert kubectl("exec", "web", "--", "id", "-G").split() == ["2000", "3000"]
    with pytest.raises(Failed, match="Read-only file system"):
        kubectl("exec", "web", "--", "touch", "/file")
    kubectl("exec", "web", "--", "touch", "/data/file")
    assert kubectl("exec", "web", "--", "stat", "-c", "%g", "/data/file").strip() == "3000"
    status = dict(
        line.split(":\t", 1) for line in kubectl("exec", "web", "--", "cat", "/proc/self/status").splitlines()
    )
    assert (int(status["CapEff"], 16), status["NoNewPrivs"], status["Seccomp"]) == (0, "1", "2")


def test_added_capabilities_are_there_and_others_are_not(kubectl: Kubectl) -> None:
    kubectl.apply(pod("web", container(securityContext={"capabilities": {"add": ["NET_ADMIN"]}})))
    kubectl.ready("web")
    kubectl("exec", "web", "--", "ip", "link", "set", "lo", "mtu", "1400")
    assert kubectl.run("exec", "web", "--", "mount", "-t", "tmpfs", "x", "/tmp").returncode != 0


def test_a_root_image_is_refused_where_it_must_not_be_root(kubectl: Kubectl) -> None:
    kubectl.apply(pod("web", container(securityContext={"runAsNonRoot": True})))
    kubectl.wait("jsonpath={.status.containerStatuses[0].state.waiting.reason}=CreateContainerConfigError", "pod/web")


def test_a_pod_on_the_host_network_has_the_nodes_address(kubectl: Kubectl, cluster: Cluster) -> None:
    kubectl.apply(pod("web", hostNetwork=True))
    kubectl.ready("web")
    address = kubectl.value('{.status.addresses[?(@.type=="InternalIP")].address}', "node", cluster.node)
    assert kubectl.value("{.status.podIP}", "pod", "web") == address
    assert address in kubectl("exec", "web", "--", "ip", "-4", "addr")


def test_a_pod_has_its_own_names(kubectl: Kubectl) -> None:
    aliases = [{"ip": "203.0.113.7", "hostnames": ["elsewhere"]}]
    kubectl.apply(pod("web", hostname="named", subdomain="group", hostAliases=aliases))
    kubectl.ready("web")
    assert kubectl("exec", "web", "--", "hostname").strip() == "named"
    hosts = kubectl("exec", "web", "--", "cat", "/etc/hosts")
    ip = kubectl.value("{.status.podIP}", "pod", "web")
    assert f"{ip}\tnamed.group.{kubectl.namespace}.svc.cluster.local\tnamed" in hosts
    assert "203.0.113.7\telsewhere" in hosts
    resolver = kubectl("exec", "web", "--", "cat", "/etc/resolv.conf")
    assert f"search {kubectl.namespace}.svc.cluster.local svc.cluster.local cluster.local" in resolver


def test_a_pod_ends_when_its_deadline_is_over(kubectl: Kubectl) -> None:
    kubectl.apply(pod("web", activeDeadlineSeconds=1))
    kubectl.wait("jsonpath={.status.reason}=DeadlineExceeded", "pod/web")
    assert kubectl.value("{.status.phase}", "pod", "web") == "Failed"


def test_a_pod_that_handles_the_request_to_end_is_gone_at_once(kubectl: Kubectl) -> None:
    kubectl.apply(pod("web", grace=30))
    kubectl.ready("web")
    started = time.monotonic()
    kubectl("delete", "pod", "web")
    assert time.monotonic() - started < 3
