"""What the cluster's own signers sign: who may be named in a certificate, and for which uses.

Source: the built-in signers of the certificates API. Pure; shared by who approves and who signs.
"""

from __future__ import annotations

from collections.abc import Collection

from proa.pki.requests import SigningRequest

API_CLIENT = "kubernetes.io/kube-apiserver-client"
KUBELET_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet"
KUBELET_SERVING = "kubernetes.io/kubelet-serving"
LEGACY = "kubernetes.io/legacy-unknown"

_NODES = ("system:nodes",)
_NODE_PREFIX = "system:node:"
_NODE_USAGES = ("digital signature", "key encipherment")
_OPTIONAL = ("digital signature", "key encipherment")


def fault(signer: str, request: SigningRequest, usages: Collection[str]) -> str | None:
    """Why a signer of the cluster does not sign a request, '' when it does, None for signers that are not ours."""
    if signer == API_CLIENT:
        return _client_fault(usages)
    if signer == KUBELET_CLIENT:
        return kubelet_client_fault(request, usages)
    if signer == KUBELET_SERVING:
        return _kubelet_serving_fault(request, usages)
    return "" if signer == LEGACY else None


def _client_fault(usages: Collection[str]) -> str:
    for each in usages:
        if each != "client auth" and each not in _OPTIONAL:
            return f"invalid usage for client certificate: {each}"
    return "" if "client auth" in usages else "missing required usage for client certificate: client auth"


def kubelet_client_fault(request: SigningRequest, usages: Collection[str]) -> str:
    """Why this is no request of a kubelet for its client certificate."""
    if request.organizations != _NODES:
        return "subject organization is not system:nodes"
    for kind, found in (
        ("DNS", request.names),
        ("Email", request.emails),
        ("IP", request.addresses),
        ("URI", request.uris),
    ):
        if found:
            return f"{kind} subjectAltNames are not allowed"
    return _name_fault(request) or _usages_fault(usages, "client auth")


def _kubelet_serving_fault(request: SigningRequest, usages: Collection[str]) -> str:
    if request.organizations != _NODES:
        return "subject organization is not system:nodes"
    if not request.names and not request.addresses:
        return "DNS or IP subjectAltName is required"
    for kind, found in (("Email", request.emails), ("URI", request.uris)):
        if found:
            return f"{kind} subjectAltNames are not allowed"
    return _usages_fault(usages, "server auth") or _name_fault(request)


def _name_fault(request: SigningRequest) -> str:
    if request.common_name.startswith(_NODE_PREFIX):
        return ""
    return f"subject common name does not begin with {_NODE_PREFIX}"


def _usages_fault(usages: Collection[str], use: str) -> str:
    """A key that cannot encipher (elliptic curve) need not say that it does."""
    wanted = {*_NODE_USAGES, use}
    if set(usages) in (wanted, wanted - {"key encipherment"}):
        return ""
    return f"usages did not match [{' '.join(sorted(wanted))}]"
