"""kopf, unmodified: an operator with a custom resource, its status, children and a finalizer."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.e2e.kubectl import Document, Kubectl, eventually

CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: greetings.demo.example.com}
spec:
  group: demo.example.com
  scope: Namespaced
  names: {plural: greetings, singular: greeting, kind: Greeting}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}}
      additionalPrinterColumns:
        - {name: Said, type: string, jsonPath: .status.greet.said}
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties: {who: {type: string}}
            status: {type: object, x-kubernetes-preserve-unknown-fields: true}
"""

OPERATOR = """
import kopf
import kubernetes

@kopf.on.create("demo.example.com", "v1", "greetings")
@kopf.on.update("demo.example.com", "v1", "greetings")
def greet(spec, name, namespace, **_):
    data = {"text": "hello " + spec["who"]}
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
    kopf.adopt(document)
    maps = kubernetes.client.CoreV1Api()
    try:
        maps.create_namespaced_config_map(namespace, document)
    except kubernetes.client.ApiException as error:
        if error.status != 409:
            raise
        maps.patch_namespaced_config_map(name, namespace, {"data": document["data"]})
    return {"said": document["data"]["text"]}

@kopf.on.delete("demo.example.com", "v1", "greetings")
def leave(name, namespace, **_):
    kubernetes.client.CoreV1Api().create_namespaced_config_map(namespace, {"metadata": {"name": "farewell-" + name}})

@kopf.on.startup()
def configure(**_):
    kubernetes.config.load_kube_config()
"""


@contextmanager
def operator(kubectl: Kubectl, directory: Path) -> Iterator[subprocess.Popen[str]]:
    source, log = directory / "operator.py", directory / "operator.log"
    source.write_text(textwrap.dedent(OPERATOR))
    command = (sys.executable, "-m", "kopf", "run", "--standalone", f"--namespace={kubectl.namespace}", str(source))
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            text=True,
            env={"KUBECONFIG": str(kubectl.kubeconfig), "HOME": "/root"},
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=20)
            print(log.read_text())


@pytest.fixture
def crd(kubectl: Kubectl) -> Iterator[None]:
    kubectl("apply", "--filename=-", stdin=CRD)
    kubectl("wait", "--for=condition=Established", "crd/greetings.demo.example.com", "--timeout=30s")
    yield
    kubectl("delete", "crd", "greetings.demo.example.com")


def greeting(who: str) -> Document:
    return {
        "apiVersion": "demo.example.com/v1",
        "kind": "Greeting",
        "metadata": {"name": "first"},
        "spec": {"who": who},
    }


@pytest.mark.usefixtures("crd")
def test_an_operator_handles_creation_change_and_deletion_and_keeps_its_finalizer(
    kubectl: Kubectl, tmp_path: Path
) -> None:
    with operator(kubectl, tmp_path):
        kubectl.apply(greeting("you"))
        eventually(lambda: kubectl.object("greeting", "first").get("status", {}).get("greet") == {"said": "hello you"})
        found = kubectl.object("greeting", "first")
        assert found["metadata"]["finalizers"] == ["kopf.zalando.org/KopfFinalizerMarker"]
        owned = kubectl.object("configmap", "first")["metadata"]["ownerReferences"]
        assert [(each["kind"], each["uid"]) for each in owned] == [("Greeting", found["metadata"]["uid"])]
        kubectl.apply(greeting("all"))
        eventually(lambda: kubectl.object("configmap", "first")["data"]["text"] == "hello all")
        eventually(lambda: "hello all" in kubectl("get", "greetings"))
        kubectl("delete", "greeting", "first", "--timeout=30s")
        assert kubectl.object("configmap", "farewell-first")
        eventually(lambda: kubectl.run("get", "configmap", "first").returncode == 1)
