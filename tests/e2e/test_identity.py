"""Who is who and who may what, as a stock kubectl and running pods meet it."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import yaml
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import CertificateSigningRequestBuilder, Name, NameAttribute
from cryptography.x509.oid import NameOID
from tests.e2e.kubectl import Document, Failed, Kubectl, eventually

PEM = serialization.Encoding.PEM


def request_and_key(name: str) -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = Name([NameAttribute(NameOID.COMMON_NAME, name)])
    asked = CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    secret = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return asked.public_bytes(PEM), secret


def acting(kubectl: Kubectl, folder: Path, **user: str) -> Kubectl:
    """kubectl with the same cluster and other credentials."""
    document = yaml.safe_load(kubectl.kubeconfig.read_text())
    document["users"][0]["user"] = {name.replace("_", "-"): value for name, value in user.items()}
    path = folder / "other.kubeconfig"
    path.write_text(yaml.safe_dump(document))
    return replace(kubectl, kubeconfig=path)


def who(kubectl: Kubectl) -> Document:
    found: Document = msgspec.json.decode(kubectl("auth", "whoami", "-o", "json"))["status"]["userInfo"]
    return found


def test_a_certificate_is_asked_for_approved_and_used(kubectl: Kubectl, tmp_path: Path) -> None:
    name = f"{kubectl.namespace}-ann"
    asked, key = request_and_key(name)
    spec = {
        "request": b64encode(asked).decode(),
        "signerName": "kubernetes.io/kube-apiserver-client",
        "usages": ["client auth"],
        "expirationSeconds": 3600,
    }
    kubectl.apply(
        {
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "CertificateSigningRequest",
            "metadata": {"name": name},
            "spec": spec,
        }
    )
    assert "Pending" in kubectl("get", "csr", name)
    kubectl("certificate", "approve", name)
    eventually(lambda: "Approved,Issued" in kubectl("get", "csr", name), "the certificate is issued")
    certificate = kubectl.value("{.status.certificate}", "csr", name)
    ann = acting(kubectl, tmp_path, client_certificate_data=certificate, client_key_data=b64encode(key).decode())
    assert who(ann)["username"] == name
    with pytest.raises(Failed, match=f'User "{name}" cannot list resource "pods"'):
        ann("get", "pods")
    kubectl("create", "rolebinding", "ann", "--clusterrole=edit", f"--user={name}")
    eventually(lambda: ann.run("get", "pods").returncode == 0, "the role counts")
    kubectl("delete", "csr", name)


def test_nobody_grants_what_they_do_not_have(kubectl: Kubectl) -> None:
    kubectl("create", "role", "policy", "--verb=create", "--resource=roles.rbac.authorization.k8s.io")
    kubectl("create", "rolebinding", "policy", "--role=policy", "--user=eve")
    create = ("create", "role", "more", "--verb=get,list", "--resource=secrets")
    eventually(lambda: "not currently held" in kubectl.run(*create, "--as=eve").stderr, "eve may write roles")
    refused = kubectl.run(*create, "--as=eve").stderr
    assert '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}' in refused
    kubectl(*create)
    assert kubectl.run("auth", "can-i", "get", "secrets", "--as=eve").stdout.strip() == "no"


def test_a_secret_holds_a_token_of_its_account_until_either_goes(kubectl: Kubectl, tmp_path: Path) -> None:
    kubectl("create", "serviceaccount", "robot")
    annotations = {"kubernetes.io/service-account.name": "robot"}
    kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/service-account-token",
            "metadata": {"name": "robot", "annotations": annotations},
        }
    )
    eventually(lambda: kubectl.value("{.data.token}", "secret", "robot") != "", "the secret is filled")
    token = b64decode(kubectl.value("{.data.token}", "secret", "robot")).decode()
    robot = acting(kubectl, tmp_path, token=token)
    assert who(robot)["username"] == f"system:serviceaccount:{kubectl.namespace}:robot"
    assert kubectl.value("{.data.namespace}", "secret", "robot") == b64encode(kubectl.namespace.encode()).decode()
    kubectl("delete", "serviceaccount", "robot")
    eventually(lambda: kubectl.run("get", "secret", "robot").returncode != 0, "the secret goes with its account")


def test_a_token_can_be_for_others_and_be_reviewed(kubectl: Kubectl) -> None:
    kubectl("create", "serviceaccount", "robot")
    token = kubectl("create", "token", "robot", "--audience=vault", "--duration=20m").strip()
    review = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": token, "audiences": ["vault", "other"]},
    }
    said = kubectl("create", "-o", "json", "-f", "-", stdin=msgspec.json.encode(review).decode())
    status = msgspec.json.decode(said)["status"]
    assert status["authenticated"]
    assert status["audiences"] == ["vault"]
    assert status["user"]["username"] == f"system:serviceaccount:{kubectl.namespace}:robot"


def test_what_others_need_to_check_tokens_is_published(kubectl: Kubectl) -> None:
    configuration = msgspec.json.decode(kubectl("get", "--raw", "/.well-known/openid-configuration"))
    assert configuration["issuer"] == "https://kubernetes.default.svc.cluster.local"
    keys = msgspec.json.decode(kubectl("get", "--raw", "/openid/v1/jwks"))["keys"]
    assert keys[0]["use"] == "sig"


def test_a_group_alone_cannot_be_acted_as(kubectl: Kubectl) -> None:
    assert "without impersonating" in kubectl.run("get", "pods", "--as-group=a").stderr
    assert kubectl("auth", "whoami", "--as=ann", "--as-group=a", "-o", "jsonpath={.status.userInfo.groups}") == (
        '["a","system:authenticated"]'
    )
