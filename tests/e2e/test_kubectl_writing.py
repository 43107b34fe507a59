"""What kubectl changes: apply in both ways, patch, edit, set, label, create, delete, wait, and their dry runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from tests.e2e.conftest import Cluster
from tests.e2e.kubectl import (
    Document,
    Failed,
    Kubectl,
    config_map,
    container,
    deployment,
    eventually,
    manifest,
    pod,
    service,
)


def test_apply_creates_then_changes_then_leaves_alone(kubectl: Kubectl) -> None:
    assert kubectl.apply(config_map("settings", a="1", b="2")) == "configmap/settings created\n"
    assert kubectl.apply(config_map("settings", a="1", b="2")) == "configmap/settings unchanged\n"
    kubectl("patch", "cm", "settings", "--type=merge", "-p", '{"data":{"other":"3"}}')
    assert kubectl.apply(config_map("settings", a="9")) == "configmap/settings configured\n"
    assert kubectl.object("cm", "settings")["data"] == {"a": "9", "other": "3"}


def test_apply_reads_a_directory_and_a_list(kubectl: Kubectl, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(config_map(name)))
    assert kubectl("apply", "-f", str(tmp_path)) == "configmap/one created\nconfigmap/two created\n"
    shown = kubectl("get", "cm", "one", "two", "-o", "yaml")
    kubectl("delete", "-f", str(tmp_path))
    assert kubectl("apply", "-f", "-", stdin=shown) == "configmap/one created\nconfigmap/two created\n"


def test_apply_refuses_fields_that_do_not_exist(kubectl: Kubectl) -> None:
    wrong = pod("web", container(immage="typo"))
    with pytest.raises(Failed, match=r'unknown field "spec.containers\[0\].immage"'):
        kubectl.apply(wrong)
    with pytest.raises(Failed, match=r"spec.containers\[0\].image: Required value"):
        kubectl.apply(pod("web", container(image="")))


def test_server_side_apply_finds_conflicts_and_takes_fields_over_by_force(kubectl: Kubectl) -> None:
    first = manifest(config_map("shared", a="1", b="1"))
    assert "serverside-applied" in kubectl("apply", "--server-side", "--field-manager=one", "-f", "-", stdin=first)
    second = manifest(config_map("shared", a="2"))
    with pytest.raises(Failed, match=r'conflict with "one": \.data\.a'):
        kubectl("apply", "--server-side", "--field-manager=two", "-f", "-", stdin=second)
    kubectl("apply", "--server-side", "--field-manager=two", "--force-conflicts", "-f", "-", stdin=second)
    assert kubectl.object("cm", "shared")["data"] == {"a": "2", "b": "1"}
    # What nobody applies any more goes away; what another owns stays.
    kubectl("apply", "--server-side", "--field-manager=one", "-f", "-", stdin=manifest(config_map("shared")))
    assert kubectl.object("cm", "shared")["data"] == {"a": "2"}
    managers = json.loads(kubectl("get", "cm", "shared", "-o", "json", "--show-managed-fields"))
    assert "two" in {each["manager"] for each in managers["metadata"]["managedFields"]}


def test_server_side_apply_takes_over_from_client_side_apply(kubectl: Kubectl) -> None:
    kubectl.apply(config_map("moved", a="1", b="1"))
    kubectl("apply", "--server-side", "-f", "-", stdin=manifest(config_map("moved", a="1")))
    assert kubectl.object("cm", "moved")["data"] == {"a": "1"}


def test_apply_prints_without_changing_in_a_dry_run(kubectl: Kubectl) -> None:
    assert kubectl("apply", "--dry-run=server", "-f", "-", stdin=manifest(config_map("no"))) == (
        "configmap/no created (server dry run)\n"
    )
    made = kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", stdin=manifest(pod("no")))
    assert json.loads(made)["spec"]["restartPolicy"] == "Always"
    assert kubectl("get", "cm,pod", "no", "--ignore-not-found") == ""
    with pytest.raises(Failed, match="is invalid"):
        kubectl("apply", "--dry-run=server", "-f", "-", stdin=manifest(config_map("No")))


def test_diff_shows_what_apply_would_change(kubectl: Kubectl) -> None:
    kubectl.apply(config_map("settings", a="old"))
    same = kubectl.run("diff", "-f", "-", stdin=manifest(config_map("settings", a="old")))
    assert (same.returncode, same.stdout) == (0, "")
    other = kubectl.run("diff", "-f", "-", stdin=manifest(config_map("settings", a="new")))
    assert other.returncode == 1
    assert "-  a: old\n+  a: new\n" in other.stdout
    server = kubectl.run("diff", "--server-side", "-f", "-", stdin=manifest(config_map("fresh")))
    assert server.returncode == 1
    assert "+  name: fresh" in server.stdout


def test_patch_merges_strategically_or_plainly_or_by_json_patch(kubectl: Kubectl) -> None:
    kubectl.apply(deployment("web", container(env=[{"name": "A", "value": "1"}]), replicas=0))
    strategic = {
        "spec": {"template": {"spec": {"containers": [{"name": "main", "env": [{"name": "B", "value": "2"}]}]}}}
    }
    kubectl("patch", "deployment", "web", "-p", json.dumps(strategic))
    assert {each["name"] for each in containers(kubectl)[0]["env"]} == {"A", "B"}
    assert containers(kubectl)[0]["image"] == "bb:1"
    kubectl(
        "patch", "deployment", "web", "--type=merge", "-p", '{"metadata":{"labels":{"x":"y"}},"spec":{"paused":true}}'
    )
    kubectl("patch", "deployment", "web", "--type=json", "-p", '[{"op":"replace","path":"/spec/paused","value":false}]')
    changed = kubectl.object("deployment", "web")
    assert changed["metadata"]["labels"] == {"x": "y"}
    assert not changed["spec"].get("paused")
    with pytest.raises(Failed, match="test"):
        kubectl("patch", "deployment", "web", "--type=json", "-p", '[{"op":"test","path":"/spec/replicas","value":7}]')
    assert "(no change)" in kubectl("patch", "deployment", "web", "-p", '{"spec":{"replicas":0}}')
    kubectl("patch", "deployment", "web", "--subresource=scale", "--type=merge", "-p", '{"spec":{"replicas":1}}')
    assert kubectl.object("deployment", "web")["spec"]["replicas"] == 1


def containers(kubectl: Kubectl) -> list[Document]:
    found: list[Document] = kubectl.object("deployment", "web")["spec"]["template"]["spec"]["containers"]
    return found


def test_edit_saves_what_the_editor_leaves(kubectl: Kubectl) -> None:
    kubectl.apply(config_map("settings", a="before"))
    shown = kubectl("edit", "cm", "settings", env={"KUBE_EDITOR": "sed -i s/before/after/"})
    assert shown == "configmap/settings edited\n"
    assert kubectl.value("{.data.a}", "cm", "settings") == "after"


def test_replace_needs_the_version_it_names(kubectl: Kubectl) -> None:
    kubectl.apply(config_map("settings", a="1"))
    old = kubectl.object("cm", "settings")
    assert (
        kubectl("replace", "-f", "-", stdin=json.dumps({**old, "data": {"a": "2"}})) == "configmap/settings replaced\n"
    )
    with pytest.raises(Failed, match="the object has been modified"):
        kubectl("replace", "-f", "-", stdin=json.dumps({**old, "data": {"a": "3"}}))


def test_labels_and_annotations_are_set_overwritten_and_removed(kubectl: Kubectl) -> None:
    kubectl.apply(config_map("a"), config_map("b"))
    kubectl("label", "cm", "a", "b", "tier=front")
    assert kubectl("get", "cm", "-l", "tier=front", "-o", "name") == "configmap/a\nconfigmap/b\n"
    with pytest.raises(Failed, match="--overwrite is false"):
        kubectl("label", "cm", "a", "tier=back")
    kubectl("label", "cm", "a", "tier=back", "--overwrite")
    kubectl("label", "cm", "b", "tier-")
    assert kubectl("get", "cm", "-l", "tier", "-o", "name") == "configmap/a\n"
    kubectl("annotate", "cm", "a", "note=what it is for")
    assert kubectl.value("{.metadata.annotations.note}", "cm", "a") == "what it is for"


def test_scale_needs_what_it_is_told_to_need(kubectl: Kubectl) -> None:
    kubectl.apply(deployment("web", replicas=1))
    kubectl("scale", "deployment", "web", "--replicas=3", "--current-replicas=1")
    kubectl.rolled_out("deployment/web")
    assert len(kubectl("get", "pods", "-o", "name").split()) == 3
    with pytest.raises(Failed, match="Expected replicas"):
        kubectl("scale", "deployment", "web", "--replicas=5", "--current-replicas=1")
    kubectl("scale", "deployment", "web", "--replicas=0")
    kubectl.wait("delete", "pod", "-l", "app=web")


def test_set_changes_image_env_and_resources(kubectl: Kubectl) -> None:
    kubectl.apply(deployment("web", replicas=1))
    kubectl("set", "image", "deployment/web", "main=bb:2")
    kubectl("set", "env", "deployment/web", "COLOUR=red", "OLD=1")
    kubectl("set", "env", "deployment/web", "OLD-")
    kubectl("set", "resources", "deployment/web", "--limits=cpu=100m,memory=64Mi", "--requests=cpu=10m")
    kubectl.rolled_out("deployment/web")
    main = containers(kubectl)[0]
    assert main["image"] == "bb:2"
    assert main["env"] == [{"name": "COLOUR", "value": "red"}]
    assert main["resources"] == {"limits": {"cpu": "100m", "memory": "64Mi"}, "requests": {"cpu": "10m"}}
    assert kubectl("set", "env", "deployment/web", "--list").splitlines()[-1] == "COLOUR=red"
    assert kubectl("exec", "deployment/web", "--", "sh", "-c", "echo $COLOUR $VERSION") == "red 2\n"


def test_expose_makes_a_service_of_a_deployment(kubectl: Kubectl) -> None:
    kubectl.apply(deployment("web", container(ports=[{"containerPort": 8080}]), replicas=1))
    kubectl("expose", "deployment", "web", "--port=80", "--target-port=8080")
    made = kubectl.object("service", "web")["spec"]
    assert (made["selector"], made["ports"][0]["port"]) == ({"app": "web"}, 80)
    assert made["clusterIP"]
    eventually(lambda: kubectl.value("{.subsets[0].addresses[0].ip}", "endpoints", "web"))


def test_create_makes_what_its_flags_say(kubectl: Kubectl, tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("content")
    kubectl("create", "configmap", "settings", "--from-literal=a=1", f"--from-file={tmp_path / 'file.txt'}")
    assert kubectl.object("cm", "settings")["data"] == {"a": "1", "file.txt": "content"}
    kubectl("create", "secret", "generic", "password", "--from-literal=password=secret")
    assert kubectl.object("secret", "password")["data"] == {"password": "c2VjcmV0"}
    kubectl(
        "create", "secret", "docker-registry", "pull", "--docker-server=r", "--docker-username=u", "--docker-password=p"
    )
    assert kubectl.value("{.type}", "secret", "pull") == "kubernetes.io/dockerconfigjson"
    kubectl("create", "deployment", "web", "--image=bb:1", "--replicas=0")
    kubectl("create", "service", "clusterip", "web", "--tcp=80:8080")
    kubectl("create", "service", "nodeport", "out", "--tcp=80:8080")
    assert 30000 <= int(kubectl.value("{.spec.ports[0].nodePort}", "service", "out")) <= 32767
    kubectl("create", "service", "externalname", "away", "--external-name=example.org")
    kubectl("create", "serviceaccount", "robot")
    kubectl("create", "role", "reader", "--verb=get", "--resource=pods")
    kubectl("create", "rolebinding", "reader", "--role=reader", f"--serviceaccount={kubectl.namespace}:robot")
    assert kubectl("create", "token", "robot").count(".") == 2
    kubectl("create", "quota", "small", "--hard=pods=3", "--dry-run=client")
    with pytest.raises(Failed, match=r'configmaps "settings" already exists'):
        kubectl("create", "configmap", "settings")


def test_a_namespace_goes_with_everything_in_it(kubectl: Kubectl) -> None:
    name = f"{kubectl.namespace}-other"
    other = Kubectl(kubectl.kubeconfig, name)
    kubectl("create", "namespace", name)
    other.apply(pod("web"), config_map("settings"), service("web"))
    other.ready("web")
    kubectl("delete", "namespace", name)
    assert kubectl("get", "namespace", name, "--ignore-not-found") == ""
    assert other("get", "pods,cm,svc", "-o", "name") == ""


def test_delete_waits_until_the_pod_has_ended(kubectl: Kubectl) -> None:
    kubectl.apply(pod("web", grace=30))
    kubectl.ready("web")
    assert kubectl("delete", "pod", "web") == 'pod "web" deleted\n'
    assert kubectl("get", "pod", "web", "--ignore-not-found") == ""


def test_delete_cuts_the_grace_period_short(kubectl: Kubectl) -> None:
    stubborn = container(command=("sh", "-c", "trap '' TERM; while :; do sleep 1; done"))
    kubectl.apply(pod("one", stubborn, grace=600), pod("two", stubborn, grace=600))
    kubectl.ready("one", "two")
    kubectl("delete", "pod", "one", "--grace-period=1", seconds=15)
    kubectl("delete", "pod", "two", "--grace-period=0", "--force", seconds=15)
    assert kubectl("get", "pods", "-o", "name") == ""


def test_delete_in_the_background_takes_dependents_along(kubectl: Kubectl) -> None:
    kubectl.apply(deployment("web", replicas=2))
    kubectl.rolled_out("deployment/web")
    kubectl("delete", "deployment", "web", "--cascade=background")
    kubectl.wait("delete", "replicaset", "-l", "app=web")
    kubectl.wait("delete", "pod", "-l", "app=web")


def test_delete_in_the_foreground_deletes_dependents_first(kubectl: Kubectl) -> None:
    kubectl.apply(deployment("web", replicas=2))
    kubectl.rolled_out("deployment/web")
    kubectl("delete", "deployment", "web", "--cascade=foreground")
    assert kubectl("get", "replicasets,pods", "-o", "name") == ""


def test_delete_can_leave_orphans_that_a_new_owner_adopts(kubectl: Kubectl) -> None:
    kubectl.apply(deployment("web", replicas=1))
    kubectl.rolled_out("deployment/web")
    left = kubectl("get", "replicasets,pods", "-o", "name")
    kubectl("delete", "deployment", "web", "--cascade=orphan")
    assert kubectl("get", "replicasets,pods", "-o", "name") == left
    assert kubectl.value("{.items[0].metadata.ownerReferences}", "replicasets") == ""
    kubectl.apply(deployment("web", replicas=1))
    kubectl.rolled_out("deployment/web")
    assert kubectl("get", "replicasets,pods", "-o", "name") == left


def test_delete_takes_selectors_files_and_all(kubectl: Kubectl) -> None:
    kubectl.apply(*(config_map(name) for name in "abcd"))
    kubectl("label", "cm", "a", "b", "old=yes")
    kubectl("delete", "cm", "-l", "old=yes")
    kubectl("delete", "-f", "-", stdin=manifest(config_map("c")))
    assert "configmap/d" in kubectl("get", "cm", "-o", "name")
    kubectl("delete", "cm", "--all")
    assert "configmap/d" not in kubectl("get", "cm", "-o", "name")


def test_wait_ends_when_its_condition_holds_or_its_time_is_over(kubectl: Kubectl) -> None:
    kubectl.apply(pod("web"), deployment("app"))
    assert kubectl.wait("condition=Ready", "pod/web") == "pod/web condition met\n"
    kubectl.wait("condition=Available", "deployment/app")
    kubectl.wait("jsonpath={.status.phase}=Running", "pod/web")
    with pytest.raises(Failed, match="timed out waiting for the condition"):
        kubectl("wait", "--for=condition=Nonsense", "--timeout=1s", "pod/web")
    kubectl("delete", "pod", "web", "--wait=false")
    kubectl.wait("delete", "pod/web")


def test_a_tainted_node_takes_only_pods_that_tolerate_it(kubectl: Kubectl, cluster: Cluster) -> None:
    kubectl("taint", "node", cluster.node, "only=me:NoSchedule")
    try:
        toleration = [{"key": "only", "operator": "Equal", "value": "me", "effect": "NoSchedule"}]
        kubectl.apply(pod("stranger"), pod("guest", tolerations=toleration))
        kubectl.ready("guest")
        kubectl.wait("condition=PodScheduled=False", "pod/stranger")
        message = kubectl.value('{.status.conditions[?(@.type=="PodScheduled")].message}', "pod", "stranger")
        assert "0/1 nodes are available: 1 node(s) had untolerated taint" in message
    finally:
        kubectl("taint", "node", cluster.node, "only-")
    kubectl.ready("stranger")


def test_a_cordoned_node_takes_no_pods_until_it_is_uncordoned(kubectl: Kubectl, cluster: Cluster) -> None:
    kubectl("cordon", cluster.node)
    try:
        assert "Ready,SchedulingDisabled" in kubectl("get", "node", cluster.node)
        kubectl.apply(pod("web"))
        kubectl.wait("condition=PodScheduled=False", "pod/web")
    finally:
        kubectl("uncordon", cluster.node)
    kubectl.ready("web")


def test_drain_evicts_pods_and_their_owner_makes_others(kubectl: Kubectl, cluster: Cluster) -> None:
    kubectl.apply(deployment("web", replicas=2), pod("alone", labels={"app": "web"}))
    kubectl.rolled_out("deployment/web")
    kubectl.ready("alone")
    before = set(kubectl("get", "pods", "-o", "name").split())
    selection = (cluster.node, "--pod-selector=app=web")
    try:
        refused = kubectl.run("drain", *selection)
        assert refused.returncode == 1
        assert "use --force to override" in refused.stderr
        shown = kubectl("drain", *selection, "--force", "--delete-emptydir-data")
        assert re.search(rf"^node/{cluster.node} drained$", shown, re.MULTILINE)
        after = eventually(lambda: len(now := set(kubectl("get", "pods", "-o", "name").split())) == 2 and now)
        assert not before & after
    finally:
        kubectl("uncordon", cluster.node)
    kubectl.rolled_out("deployment/web")
