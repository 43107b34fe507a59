"""What kubectl shows: get in every format, describe, explain, discovery, and who may do what."""

from __future__ import annotations

import json
import re
import signal
import urllib.request

import pytest
import yaml
from tests.e2e.conftest import Cluster
from tests.e2e.kubectl import Failed, Kubectl, config_map, container, deployment, eventually, pod, service


def test_get_prints_a_table_that_is_wider_with_wide(kubectl: Kubectl, cluster: Cluster) -> None:
    kubectl.apply(pod("web", container(ports=[{"containerPort": 8080}])))
    kubectl.ready("web")
    short = kubectl("get", "pods").splitlines()
    assert short[0].split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert short[1].split()[:4] == ["web", "1/1", "Running", "0"]
    wide = kubectl("get", "pods", "-o", "wide").splitlines()
    assert wide[0].split()[5:] == ["IP", "NODE", "NOMINATED", "NODE", "READINESS", "GATES"]
    assert cluster.node in wide[1]
    assert kubectl.value("{.status.podIP}", "pod", "web") in wide[1]


def test_get_prints_every_output_format(kubectl: Kubectl) -> None:
    kubectl.apply(config_map("one", key="value"), config_map("two", key="other"))
    assert yaml.safe_load(kubectl("get", "cm", "one", "-o", "yaml"))["data"] == {"key": "value"}
    assert json.loads(kubectl("get", "cm", "one", "-o", "json"))["data"] == {"key": "value"}
    assert kubectl("get", "cm", "one", "-o", "name") == "configmap/one\n"
    assert kubectl.value("{.data.key}", "cm", "one") == "value"
    range_ = '{range .items[*]}{.metadata.name}={.data.key}{"\\n"}{end}'
    assert "one=value\ntwo=other\n" in kubectl.value(range_, "cm", "--sort-by=.metadata.name")
    columns = kubectl("get", "cm", "one", "-o", "custom-columns=NAME:.metadata.name,KEY:.data.key")
    assert [line.split() for line in columns.splitlines()] == [["NAME", "KEY"], ["one", "value"]]
    assert kubectl("get", "cm", "one", "-o", "go-template={{.data.key}}") == "value"


def test_get_selects_by_label_and_by_field(kubectl: Kubectl) -> None:
    kubectl.apply(pod("a", labels={"tier": "front"}), pod("b", labels={"tier": "back"}))
    assert kubectl("get", "pods", "-l", "tier in (front)", "-o", "name") == "pod/a\n"
    assert kubectl("get", "pods", "-l", "tier!=front", "-o", "name") == "pod/b\n"
    assert kubectl("get", "pods", "--field-selector=metadata.name=b", "-o", "name") == "pod/b\n"
    assert "front" in kubectl("get", "pods", "--show-labels")
    assert kubectl("get", "pods", "-L", "tier").splitlines()[0].split()[-1] == "TIER"


def test_what_does_not_exist_is_not_found(kubectl: Kubectl) -> None:
    result = kubectl.run("get", "pod", "nobody")
    assert result.returncode == 1
    assert result.stderr == 'Error from server (NotFound): pods "nobody" not found\n'
    assert kubectl("get", "pod", "nobody", "--ignore-not-found") == ""


def test_get_watch_prints_changes_as_they_come(kubectl: Kubectl) -> None:
    with kubectl.started("get", "configmaps", "--watch", "-o", "name") as watch:
        assert watch.stdout is not None
        assert watch.stdout.readline() == "configmap/kube-root-ca.crt\n"
        kubectl.apply(config_map("new"))
        assert watch.stdout.readline() == "configmap/new\n"
        kubectl("delete", "cm", "new")
        assert watch.stdout.readline() == "configmap/new\n"


def test_describe_a_pod_with_its_events(kubectl: Kubectl, cluster: Cluster) -> None:
    kubectl.apply(pod("web"))
    kubectl.ready("web")
    shown = eventually(lambda: "Started" in (text := kubectl("describe", "pod", "web")) and text, "its events")
    assert re.search(rf"^Node: +{cluster.node}/", shown, re.MULTILINE)
    assert re.search(r"^ +State: +Running", shown, re.MULTILINE)
    assert re.search(r"^QoS Class: +BestEffort", shown, re.MULTILINE)
    for reason in ("Scheduled", "Pulled", "Created", "Started"):
        assert re.search(rf"Normal +{reason} ", shown), shown


def test_describe_a_node_with_its_pods_and_resources(kubectl: Kubectl, cluster: Cluster) -> None:
    kubectl.apply(pod("web", container(resources={"requests": {"cpu": "10m", "memory": "16Mi"}})))
    kubectl.ready("web")
    shown = kubectl("describe", "node", cluster.node)
    assert re.search(rf"{kubectl.namespace} +web +10m \(\d+%\)", shown), shown
    assert "KubeletReady" in shown
    assert re.search(r"^Allocated resources:", shown, re.MULTILINE)
    assert re.search(r"^Lease:\n +HolderIdentity: +" + cluster.node, shown, re.MULTILINE), shown


def test_describe_a_deployment_and_a_service(kubectl: Kubectl) -> None:
    kubectl.apply(deployment("web", container(ports=[{"containerPort": 8080}]), replicas=2), service("web"))
    kubectl.rolled_out("deployment/web")
    shown = kubectl("describe", "deployment", "web")
    assert "2 desired | 2 updated | 2 total | 2 available | 0 unavailable" in shown
    assert "ScalingReplicaSet" in shown
    assert re.search(r"NewReplicaSet: +web-[a-z0-9]+ \(2/2 replicas created\)", shown)
    ips = kubectl.value("{.items[*].status.podIP}", "pods", "-l", "app=web").split()
    endpoints = eventually(
        lambda: len(found := re.findall(r"[\d.]+:8080", kubectl("describe", "service", "web"))) == 2 and found
    )
    assert sorted(endpoints) == sorted(f"{ip}:8080" for ip in ips)


def test_explain_shows_fields_and_their_documentation(kubectl: Kubectl) -> None:
    shown = kubectl("explain", "pod.spec.containers")
    assert "KIND:       Pod" in shown
    assert re.search(r"^FIELD: containers <\[\]Container>", shown, re.MULTILINE)
    assert re.search(r"^ +livenessProbe\t<Probe>", shown, re.MULTILINE)
    tree = kubectl("explain", "deployment.spec", "--recursive")
    assert re.search(r"^ +maxUnavailable\t<IntOrString>", tree, re.MULTILINE), tree
    with pytest.raises(Failed, match='field "nonsense" does not exist'):
        kubectl("explain", "pod.spec.nonsense")


def test_discovery_lists_resources_and_versions(kubectl: Kubectl) -> None:
    table = kubectl("api-resources")
    assert re.search(r"^pods +po +v1 +true +Pod", table, re.MULTILINE)
    assert re.search(r"^deployments +deploy +apps/v1 +true +Deployment", table, re.MULTILINE)
    assert "nodes" in kubectl("api-resources", "--namespaced=false", "-o", "name").splitlines()
    verbs = kubectl("api-resources", "--api-group=apps", "-o", "wide")
    assert "create,delete,deletecollection,get,list,patch,update,watch" in verbs
    versions = kubectl("api-versions").split()
    assert {"v1", "apps/v1", "rbac.authorization.k8s.io/v1", "coordination.k8s.io/v1"} <= set(versions)


def test_the_cluster_says_where_and_what_it_is(kubectl: Kubectl) -> None:
    assert "is running at" in kubectl("cluster-info")
    assert re.search(r"Server Version: v1\.36\.", kubectl("version"))
    assert kubectl("get", "--raw", "/readyz") == "ok"
    assert "verbose" not in kubectl("get", "--raw", "/livez?verbose")
    assert json.loads(kubectl("get", "--raw", f"/api/v1/namespaces/{kubectl.namespace}/pods"))["kind"] == "PodList"
    assert kubectl("get", "--raw", "/metrics")


def test_proxy_serves_the_api_without_credentials(kubectl: Kubectl) -> None:
    with kubectl.started("proxy", "--port=0") as proxy:
        assert proxy.stdout is not None
        found = re.search(r"127\.0\.0\.1:\d+", proxy.stdout.readline())
        assert found
        with urllib.request.urlopen(f"http://{found[0]}/api/v1/namespaces/{kubectl.namespace}") as answer:
            assert json.load(answer)["metadata"]["name"] == kubectl.namespace


def test_proxy_reaches_a_pod_and_a_service_through_the_api(kubectl: Kubectl) -> None:
    from tests.e2e.kubectl import SERVE

    kubectl.apply(pod("web", container(command=SERVE)), service("web"))
    kubectl.ready("web")
    base = f"/api/v1/namespaces/{kubectl.namespace}"
    assert eventually(lambda: kubectl("get", "--raw", f"{base}/pods/web:8080/proxy/")) == "1\n"
    assert eventually(lambda: kubectl("get", "--raw", f"{base}/services/web:http/proxy/index.html")) == "1\n"


def test_events_are_listed_for_an_object(kubectl: Kubectl) -> None:
    kubectl.apply(pod("web"))
    kubectl.ready("web")
    assert eventually(lambda: "Started" in kubectl("get", "events"), "in the table of events")
    listed = kubectl("events", "--for=pod/web")
    assert re.search(r"Normal +Scheduled +Pod/web", listed), listed


def test_who_am_i_and_what_may_i_do(kubectl: Kubectl) -> None:
    assert re.search(r"^Username +kubernetes-admin", kubectl("auth", "whoami"), re.MULTILINE)
    assert kubectl("auth", "can-i", "delete", "nodes") == "yes\n"
    kubectl("create", "serviceaccount", "reader")
    kubectl("create", "role", "reader", "--verb=get,list", "--resource=pods")
    kubectl("create", "rolebinding", "reader", "--role=reader", f"--serviceaccount={kubectl.namespace}:reader")
    someone = f"--as=system:serviceaccount:{kubectl.namespace}:reader"
    assert eventually(lambda: kubectl.run("auth", "can-i", "list", "pods", someone).stdout == "yes\n")
    denied = kubectl.run("auth", "can-i", "delete", "pods", someone)
    assert (denied.returncode, denied.stdout) == (1, "no\n")
    assert re.search(r"^pods +\[\] +\[\] +\[get list\]", kubectl("auth", "can-i", "--list", someone), re.MULTILINE)
    refused = kubectl.run("delete", "pod", "any", someone)
    assert refused.returncode == 1
    assert 'cannot delete resource "pods" in API group "" in the namespace' in refused.stderr


def test_a_token_of_a_service_account_authenticates(kubectl: Kubectl) -> None:
    kubectl("create", "serviceaccount", "robot")
    token = kubectl("create", "token", "robot", "--duration=600s").strip()
    shown = kubectl.run(
        "auth", "whoami", f"--token={token}", "--kubeconfig=/dev/null", f"--server={server(kubectl)}",
        "--insecure-skip-tls-verify",
    )  # fmt: skip
    assert f"system:serviceaccount:{kubectl.namespace}:robot" in shown.stdout, shown.stderr


def server(kubectl: Kubectl) -> str:
    return kubectl("config", "view", "-o", "jsonpath={.clusters[0].cluster.server}")


def test_a_watch_is_ended_by_interrupt(kubectl: Kubectl) -> None:
    with kubectl.started("get", "pods", "--watch-only") as watch:
        kubectl.apply(pod("web"))
        assert watch.stdout is not None
        assert "web" in watch.stdout.readline() + watch.stdout.readline()
        watch.send_signal(signal.SIGINT)
        assert watch.wait(5) is not None
