"""The certificates, keys and kubeconfigs of a cluster: made when missing, renewed when they run out.

Users as upstream has them: `kubernetes-admin` in system:masters, `system:node:<name>` in system:nodes, and the API
server's own client certificate towards kubelets. Private keys are readable by their owner only.
"""

from __future__ import annotations

import fcntl
import os
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import msgspec

from proa.cluster.addresses import host_address
from proa.cluster.api_arguments import FRONT_PROXY_USER
from proa.cluster.paths import ClusterPaths
from proa.cluster.settings import Settings, write_private
from proa.pki.certificates import KeyPair, Subject, covers, create_authority, expires_at, issue, new_private_key

RENEW_BEFORE = timedelta(days=60)
ADMIN = Subject("kubernetes-admin", ("system:masters",))
KUBELET_CLIENT = Subject("kube-apiserver-kubelet-client", ("system:masters",))
PROXY = Subject("system:kube-proxy")
FRONT_PROXY = Subject(FRONT_PROXY_USER)

_AUTHORITY = "ca"
_FRONT_PROXY_AUTHORITY = "front-proxy-ca"


def node_subject(name: str) -> Subject:
    return Subject(f"system:node:{name}", ("system:nodes",))


class CertificateFiles(msgspec.Struct, frozen=True):
    """Paths of a certificate and its key, both PEM."""

    certificate: Path
    key: Path

    def load(self) -> KeyPair:
        return KeyPair(self.certificate.read_bytes(), self.key.read_bytes())


class Credentials:
    """Everything secret of one cluster. `now` is when it is looked at."""

    def __init__(self, paths: ClusterPaths, settings: Settings, now: datetime) -> None:
        self._paths = paths
        self._settings = settings
        self._now = now

    @property
    def authority(self) -> CertificateFiles:
        return self._files(_AUTHORITY)

    @property
    def front_proxy_authority(self) -> CertificateFiles:
        """Who signs for those that may speak for users."""
        return self._files(_FRONT_PROXY_AUTHORITY)

    @property
    def service_account_key(self) -> Path:
        return self._paths.pki / "service-account.key"

    def ensure_server(self) -> None:
        """What the server needs: authority, certificates as server and client, token key, the admin's kubeconfig."""
        with self._locked():
            self._ensure_server()

    def ensure_node(self, name: str, addresses: Sequence[str]) -> None:
        """What a node on this machine needs: a serving certificate and its kubeconfigs."""
        with self._locked():
            self._ensure_node(name, addresses)

    def _ensure_server(self) -> None:
        self._ensure_authority()
        domain = self._settings.cluster_domain
        service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", f"kubernetes.default.svc.{domain}"]
        own = str(IPv4Network(self._settings.node_cidr)[1])
        addresses = ["127.0.0.1", "::1", self._settings.api_service_address, host_address(), own]
        self._ensure("apiserver", Subject("kube-apiserver"), names=["localhost", *service], addresses=addresses)
        self._ensure("apiserver-kubelet-client", KUBELET_CLIENT)
        # An authority of its own: who may speak for users must not be whoever has a certificate of the cluster's.
        self._ensure_authority(_FRONT_PROXY_AUTHORITY)
        self._ensure(FRONT_PROXY.common_name, FRONT_PROXY, authority=_FRONT_PROXY_AUTHORITY)
        if not self.service_account_key.exists():
            write_private(self.service_account_key, new_private_key())
        self._ensure_kubeconfig("admin", ADMIN)

    def _ensure_node(self, name: str, addresses: Sequence[str]) -> None:
        self._ensure_authority()
        self._ensure(f"kubelet-{name}", node_subject(name), names=[name], addresses=addresses)
        self._ensure_kubeconfig(f"node-{name}", node_subject(name))
        self._ensure_kubeconfig(PROXY.common_name, PROXY)

    def files(self, name: str) -> CertificateFiles:
        """The certificate `name`: 'apiserver', 'apiserver-kubelet-client', 'kubelet-<node>'."""
        return self._files(name)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Server and agents start together, and the first one makes the authority."""
        self._paths.pki.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._paths.pki, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _files(self, name: str) -> CertificateFiles:
        return CertificateFiles(self._paths.pki / f"{name}.crt", self._paths.pki / f"{name}.key")

    def _ensure_authority(self, name: str = _AUTHORITY) -> None:
        files = self._files(name)
        if not files.key.exists():
            suffix = "" if name == _AUTHORITY else "-front-proxy"
            self._write(files, create_authority(f"proa-{self._settings.name}{suffix}", self._now))

    def _ensure(
        self,
        name: str,
        subject: Subject,
        names: Sequence[str] = (),
        addresses: Sequence[str] = (),
        authority: str = _AUTHORITY,
    ) -> None:
        files = self._files(name)
        if files.key.exists() and files.certificate.exists():
            certificate = files.certificate.read_bytes()
            if covers(certificate, names, addresses) and expires_at(certificate) - self._now > RENEW_BEFORE:
                return
        pair = issue(
            self._files(authority).load(),
            subject,
            self._now,
            names=names,
            addresses=addresses,
            server=bool(names or addresses),
            client=True,
        )
        self._write(files, pair)

    def _write(self, files: CertificateFiles, pair: KeyPair) -> None:
        write_private(files.key, pair.key)
        write_private(files.certificate, pair.certificate, 0o644)

    def _ensure_kubeconfig(self, user: str, subject: Subject) -> None:
        path = self._paths.kubeconfig(user)
        client = f"client-{user}"
        self._ensure(client, subject)
        document = kubeconfig(
            self._settings.name,
            subject.common_name,
            self._settings.server_url,
            self.authority.certificate.read_bytes(),
            self._files(client).load(),
        )
        content = msgspec.yaml.encode(document)
        if not path.exists() or path.read_bytes() != content:
            write_private(path, content)


def is_api_server(certificate: Mapping[str, Any] | None) -> bool:
    """Whether a verified peer certificate (as `ssl` shows it) is the API server's."""
    names = dict(pair for part in (certificate or {}).get("subject", ()) for pair in part)
    return names.get("commonName") == KUBELET_CLIENT.common_name


def kubeconfig(cluster: str, user: str, server: str, authority: bytes, client: KeyPair) -> dict[str, Any]:
    """A kubeconfig document (v1 Config) with one context, named after the cluster."""
    name = cluster if cluster.startswith("proa") else f"proa-{cluster}"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": name, "cluster": {"server": server, "certificate-authority-data": b64encode(authority).decode()}}
        ],
        "users": [
            {
                "name": f"{user}@{name}",
                "user": {
                    "client-certificate-data": b64encode(client.certificate).decode(),
                    "client-key-data": b64encode(client.key).decode(),
                },
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": f"{user}@{name}"}}],
        "current-context": name,
    }
