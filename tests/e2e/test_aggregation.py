"""A sample API server beside a real cluster: found by its Service, trusted by its authority, told who asks."""

from __future__ import annotations

import json
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.conftest import Cluster
from tests.e2e.kubectl import Document, Kubectl, eventually

from proa.pki.certificates import Subject, create_authority, issue

GROUP = "wardle.example.com"
BASE = f"/apis/{GROUP}/v1alpha1"
NOW = datetime.now(UTC)
AUTHORITY = create_authority("wardle-ca", NOW)


class Wardle(BaseHTTPRequestHandler):
    """Flunders in memory, for whoever the front proxy says."""

    protocol_version = "HTTP/1.1"
    flunders: dict[str, Document]
    users: list[str]

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        resource = {"name": "flunders", "singularName": "flunder", "namespaced": True, "kind": "Flunder",
                    "shortNames": ["fl"], "verbs": ["create", "delete", "get", "list"]}  # fmt: skip
        if path == BASE:
            listed = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{GROUP}/v1alpha1"}
            return self.answer(200, {**listed, "resources": [resource]})
        parts = path.removeprefix(BASE).strip("/").split("/")
        if parts[:1] == ["namespaces"] and parts[2:] == ["flunders"]:
            items = list(self.flunders.values())
            return self.answer(200, {"kind": "FlunderList", "apiVersion": f"{GROUP}/v1alpha1", "metadata": {},
                                     "items": items})  # fmt: skip
        if parts[2:3] == ["flunders"] and parts[-1] in self.flunders:
            return self.answer(200, self.flunders[parts[-1]])
        return self.answer(404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404,
                                 "reason": "NotFound", "message": "not found"})  # fmt: skip

    def do_POST(self) -> None:
        made: Document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.users.append(self.headers["X-Remote-User"])
        self.flunders[made["metadata"]["name"]] = made
        self.answer(201, made)

    def do_DELETE(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.answer(200, self.flunders.pop(self.path.partition("?")[0].rpartition("/")[2]))

    def answer(self, code: int, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Not to the terminal."""


@contextmanager
def serving(directory: Path, namespace: str, front_proxy_authority: str) -> Iterator[tuple[int, type[Wardle]]]:
    """The server on a port of this machine; only who has a certificate of that authority gets an answer."""
    handler = type("Handler", (Wardle,), {"flunders": {}, "users": []})
    pair = issue(AUTHORITY, Subject("wardle"), NOW, names=[f"wardle.{namespace}.svc"], server=True)
    path = directory / "wardle.pem"
    path.write_bytes(pair.certificate + pair.key)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(path)
    tls.load_verify_locations(cadata=front_proxy_authority)
    tls.verify_mode = ssl.CERT_REQUIRED
    server = ThreadingHTTPServer(("0.0.0.0", 0), handler)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1], handler
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def objects(namespace: str, address: str, port: int) -> tuple[Document, ...]:
    """A Service without a selector, its endpoints, and the APIService."""
    spec = {
        "group": GROUP,
        "version": "v1alpha1",
        "service": {"namespace": namespace, "name": "wardle", "port": 7443},
        "caBundle": b64encode(AUTHORITY.certificate).decode(),
        "groupPriorityMinimum": 2000,
        "versionPriority": 200,
    }
    metadata = {"name": "wardle", "namespace": namespace}
    labels = {"kubernetes.io/service-name": "wardle"}
    return (
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata,
         "spec": {"ports": [{"name": "api", "port": 7443}]}},
        {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {**metadata, "labels": labels},
         "addressType": "IPv4", "ports": [{"name": "api", "port": port}], "endpoints": [{"addresses": [address]}]},
        {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
         "metadata": {"name": f"v1alpha1.{GROUP}"}, "spec": spec},
    )  # fmt: skip


def available(message: str) -> bool:
    assert message == "all checks passed"
    return True


@pytest.fixture
def flunder() -> Document:
    return {"apiVersion": f"{GROUP}/v1alpha1", "kind": "Flunder", "metadata": {"name": "one"}}


def test_kubectl_works_with_the_resources_of_another_api_server(
    kubectl: Kubectl, cluster: Cluster, tmp_path: Path, flunder: Document
) -> None:
    trust = "{.data.requestheader-client-ca-file}"
    authority = kubectl.value(trust, "configmap", "extension-apiserver-authentication", "--namespace=kube-system")
    address = kubectl.value('{.status.addresses[?(@.type=="InternalIP")].address}', "node", cluster.node)
    with serving(tmp_path, kubectl.namespace, authority) as (port, wardle):
        kubectl.apply(*objects(kubectl.namespace, address, port))
        try:
            reason = '{.status.conditions[?(@.type=="Available")].message}'
            eventually(lambda: available(kubectl.value(reason, "apiservice", f"v1alpha1.{GROUP}")))
            eventually(lambda: "flunders" in kubectl("api-resources", f"--api-group={GROUP}", "--cached=false"))
            kubectl("create", "--validate=false", "-f", "-", stdin=json.dumps(flunder))
            assert wardle.users == ["kubernetes-admin"]
            assert kubectl("get", "fl", "-o", "name").split() == [f"flunder.{GROUP}/one"]
            kubectl("delete", "flunder", "one", "--wait=false")
            assert wardle.flunders == {}
        finally:
            kubectl("delete", "apiservice", f"v1alpha1.{GROUP}")
    assert "flunders" not in eventually(lambda: kubectl("api-resources", "--cached=false"))
