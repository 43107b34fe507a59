"""What pods reach: each other, services in every form, names, and the API with their own account."""

from __future__ import annotations

import re
import urllib.request
from typing import Any

from tests.e2e.conftest import Cluster
from tests.e2e.kubectl import SERVE, Document, Kubectl, container, deployment, eventually, pod, service


def fetched(kubectl: Kubectl, url: str) -> str:
    """What the pod `client` gets."""
    return kubectl("exec", "client", "--", "curl", "-sS", "--fail", "--max-time", "5", url).strip()


def client(**more: Any) -> Document:
    return pod("client", container(image="client:1"), **more)


def resolved(kubectl: Kubectl, name: str) -> list[str]:
    """The addresses the pod `client` finds for a whole name."""
    answer = kubectl.run("exec", "client", "--", "nslookup", "-type=a", name).stdout.partition("\n\n")[2]
    return sorted(re.findall(r"^Address(?: \d+)?: ([\d.]+)", answer, re.MULTILINE))


def test_pods_reach_services_by_name_address_and_node_port(kubectl: Kubectl, cluster: Cluster) -> None:
    kubectl.apply(deployment("web", container(command=SERVE), replicas=2), service("web", type="NodePort"), client())
    kubectl.rolled_out("deployment/web")
    kubectl.ready("client")
    eventually(lambda: len(kubectl.value("{.subsets[0].addresses[*].ip}", "endpoints", "web").split()) == 2)
    ip = kubectl.value("{.spec.clusterIP}", "service", "web")
    assert eventually(lambda: fetched(kubectl, f"http://{ip}/")) == "1"
    for name in ("web", f"web.{kubectl.namespace}", f"web.{kubectl.namespace}.svc.cluster.local"):
        assert fetched(kubectl, f"http://{name}/") == "1", name
    port = kubectl.value("{.spec.ports[0].nodePort}", "service", "web")
    node = kubectl.value('{.status.addresses[?(@.type=="InternalIP")].address}', "node", cluster.node)
    with urllib.request.urlopen(f"http://{node}:{port}/", timeout=5) as answer:
        assert answer.read() == b"1\n"
    assert fetched(kubectl, f"http://{node}:{port}/") == "1"


def test_pods_reach_each_other_and_themselves_through_their_service(kubectl: Kubectl) -> None:
    main = container(image="client:1", command=SERVE, env=[{"name": "VERSION", "value": "1"}])
    kubectl.apply(pod("client", main), pod("web", main), service("client"))
    kubectl.ready("client", "web")
    ip = kubectl.value("{.status.podIP}", "pod", "web")
    assert eventually(lambda: fetched(kubectl, f"http://{ip}:8080/")) == "1"
    own = kubectl.value("{.spec.clusterIP}", "service", "client")
    eventually(lambda: kubectl.value("{.subsets[0].addresses[0].ip}", "endpoints", "client"))
    assert eventually(lambda: fetched(kubectl, f"http://{own}/")) == "1"


def test_names_of_services_resolve_to_their_addresses(kubectl: Kubectl) -> None:
    kubectl.apply(client(), service("web"), deployment("web", replicas=2))
    kubectl.apply({**service("headless"), "spec": {"clusterIP": "None", "selector": {"app": "web"}}})
    external = {"type": "ExternalName", "externalName": f"web.{kubectl.namespace}.svc.cluster.local"}
    kubectl.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "alias"}, "spec": external})
    kubectl.ready("client")
    kubectl.rolled_out("deployment/web")
    domain = f"{kubectl.namespace}.svc.cluster.local"
    ip = kubectl.value("{.spec.clusterIP}", "service", "web")
    assert eventually(lambda: resolved(kubectl, f"web.{domain}")) == [ip]
    pods = sorted(kubectl.value("{.items[*].status.podIP}", "pods", "-l", "app=web").split())
    eventually(lambda: resolved(kubectl, f"headless.{domain}") == pods)
    assert eventually(lambda: resolved(kubectl, f"alias.{domain}")) == [ip]
    assert resolved(kubectl, f"nobody.{domain}") == []
    elsewhere = kubectl.run("exec", "client", "--", "nslookup", "-type=a", "nonexistent.invalid").stdout
    assert (
        "NXDOMAIN" in elsewhere or "SERVFAIL" in elsewhere
    )  # what is not the cluster's is asked upstream, and answered
    assert resolved(kubectl, "kubernetes.default.svc.cluster.local") == [
        kubectl.value("{.spec.clusterIP}", "service", "kubernetes", "-n", "default")
    ]


def test_a_service_without_ready_pods_refuses_at_once(kubectl: Kubectl) -> None:
    kubectl.apply(client(), service("nobody"))
    kubectl.ready("client")
    ip = kubectl.value("{.spec.clusterIP}", "service", "nobody")

    could_not_connect = 7  # curl's exit code; a connection that is dropped in silence would give 28
    ask = ("exec", "client", "--", "curl", "--max-time", "5", f"http://{ip}/")
    eventually(lambda: kubectl.run(*ask).returncode == could_not_connect)


def test_kubectl_in_a_pod_may_do_what_its_account_may(kubectl: Kubectl) -> None:
    kubectl("create", "serviceaccount", "reader")
    kubectl("create", "role", "reader", "--verb=get,list", "--resource=pods")
    kubectl("create", "rolebinding", "reader", "--role=reader", f"--serviceaccount={kubectl.namespace}:reader")
    kubectl.apply(client(serviceAccountName="reader"))
    kubectl.ready("client")
    inside = ("exec", "client", "--", "kubectl")
    assert kubectl(*inside, "get", "pods", "-o", "name") == "pod/client\n"
    assert f"system:serviceaccount:{kubectl.namespace}:reader" in kubectl(*inside, "auth", "whoami")
    refused = kubectl.run(*inside, "get", "secrets")
    assert refused.returncode == 1
    assert 'cannot list resource "secrets"' in refused.stderr


def test_the_api_is_known_by_its_name_and_trusted_by_the_mounted_certificate(kubectl: Kubectl) -> None:
    kubectl.apply(client())
    kubectl.ready("client")
    where = "/var/run/secrets/kubernetes.io/serviceaccount"
    script = f'curl -sS --cacert {where}/ca.crt -H "Authorization: Bearer $(cat {where}/token)" https://kubernetes.default.svc'
    assert '"major":"1"' in kubectl("exec", "client", "--", "sh", "-c", f"{script}/version")
    listed = kubectl("exec", "client", "--", "sh", "-c", f"{script}/api/v1/namespaces/$(cat {where}/namespace)/pods")
    assert '"reason":"Forbidden"' in listed.replace(" ", "")


def test_a_pod_can_do_without_a_token(kubectl: Kubectl) -> None:
    kubectl.apply(pod("web", automountServiceAccountToken=False))
    kubectl.ready("web")
    assert kubectl.run("exec", "web", "--", "ls", "/var/run/secrets").returncode != 0


def test_expose_answers_soon(kubectl: Kubectl) -> None:
    kubectl.apply(pod("web", container(command=SERVE, ports=[{"containerPort": 8080}])), client())
    kubectl.ready("web", "client")
    kubectl("expose", "pod", "web", "--port=80", "--target-port=8080")
    ip = kubectl.value("{.spec.clusterIP}", "service", "web")
    assert eventually(lambda: fetched(kubectl, f"http://{ip}/"), seconds=3) == "1"
