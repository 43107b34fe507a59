"""Stock kubectl against the API server over TLS, on the memory store."""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from proa.apiserver.authn.static_tokens import StaticTokenAuthenticator
from proa.apiserver.compose import ApiServer, Config
from proa.apiserver.identity import AUTHENTICATED, MASTERS, User
from proa.store.memory import MemoryStore

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl")

Kubectl = Callable[..., Awaitable[str]]
MANIFEST = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {a: "1"}
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec: {containers: [{name: main, image: nginx, ports: [{containerPort: 80}]}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: nginx}]}
"""


def tls(directory: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (directory / "server.pem").write_bytes(certificate.public_bytes(pem) + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "server.pem")
    return context


@pytest.fixture
async def kubectl(tmp_path: Path) -> AsyncIterator[Kubectl]:
    store = MemoryStore()
    server = ApiServer(Config(store, tls=tls(tmp_path), port=0, advertise="127.0.0.1"))
    await server.load()
    admin = User("admin", groups=(MASTERS, AUTHENTICATED))
    server.install(authenticators=[StaticTokenAuthenticator({"token": admin})])
    await server.listen()
    cluster = {"server": f"https://127.0.0.1:{server.port}", "insecure-skip-tls-verify": True}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": "token"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (tmp_path / "config").write_text(json.dumps(config))
    (tmp_path / "all.yaml").write_text(MANIFEST)

    async def run(*arguments: str, fails: bool = False) -> str:
        process = await asyncio.create_subprocess_exec(
            "kubectl", "--kubeconfig", str(tmp_path / "config"), "--cache-dir", str(tmp_path / "cache"), *arguments,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=tmp_path,
        )  # fmt: skip
        output = (await process.communicate())[0].decode()
        assert (process.returncode != 0) is fails, output
        return output

    yield run
    await server.stop()
    await store.close()


async def test_objects_are_applied_shown_and_deleted(kubectl: Kubectl) -> None:
    assert "deployment.apps/web created" in await kubectl("apply", "-f", "all.yaml")
    assert "deployment.apps/web unchanged" in await kubectl("apply", "-f", "all.yaml")
    table = await kubectl("get", "pods", "-o", "wide")
    assert table.split()[:4] == ["NAME", "READY", "STATUS", "RESTARTS"]
    assert "Pending" in table
    assert await kubectl("get", "cm", "settings", "-o", "jsonpath={.data.a}") == "1"
    assert 'configmap "settings" deleted' in await kubectl("delete", "-f", "all.yaml")
    assert "No resources found" in await kubectl("get", "pods")


async def test_server_side_apply_keeps_owners_apart(kubectl: Kubectl) -> None:
    await kubectl("apply", "--server-side", "-f", "all.yaml")
    await kubectl("scale", "deployment", "web", "--replicas", "5")
    assert "conflict" in await kubectl("apply", "--server-side", "-f", "all.yaml", fails=True)
    await kubectl("apply", "--server-side", "--force-conflicts", "-f", "all.yaml")
    assert await kubectl("get", "deployment", "web", "-o", "jsonpath={.spec.replicas}") == "2"


async def test_what_kubectl_sends_as_protobuf_is_read(kubectl: Kubectl) -> None:
    await kubectl("create", "namespace", "other")
    await kubectl("-n", "other", "create", "configmap", "c", "--from-literal=k=v")
    assert await kubectl("-n", "other", "get", "cm", "c", "-o", "jsonpath={.data.k}") == "v"
    await kubectl("-n", "other", "create", "secret", "generic", "s", "--from-literal=k=v")
    assert await kubectl("-n", "other", "get", "secret", "s", "-o", "jsonpath={.data.k}") == "dg=="
    await kubectl("-n", "other", "create", "deployment", "d", "--image=nginx", "--port=80", "--replicas=3")
    port = "jsonpath={.spec.template.spec.containers[0].ports[0].containerPort}"
    assert await kubectl("-n", "other", "get", "deployment", "d", "-o", port) == "80"
    assert "yes" in await kubectl("auth", "can-i", "delete", "nodes")
    assert "admin" in await kubectl("auth", "whoami")


async def test_small_changes_arrive(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "all.yaml")
    await kubectl("label", "pod", "web", "tier=front")
    await kubectl("annotate", "pod", "web", "note=x")
    await kubectl("set", "image", "deployment/web", "main=nginx:2")
    await kubectl("patch", "cm", "settings", "--type=json", "-p", '[{"op":"add","path":"/data/b","value":"2"}]')
    assert await kubectl("get", "pods", "-l", "tier=front", "-o", "name") == "pod/web\n"
    assert "nginx:2" in await kubectl("get", "deployment", "web", "-o", "yaml")
    assert await kubectl("get", "cm", "settings", "-o", "jsonpath={.data.b}") == "2"
    await kubectl("expose", "deployment", "web", "--port=80", "--type=NodePort")
    assert "NodePort" in await kubectl("get", "service", "web")


async def test_mistakes_are_told(kubectl: Kubectl) -> None:
    assert 'pods "nothing" not found' in await kubectl("get", "pod", "nothing", fails=True)
    assert "Invalid value" in await kubectl("create", "configmap", "A_B", fails=True)
    assert "containers" in await kubectl("explain", "pod.spec")
