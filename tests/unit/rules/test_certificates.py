"""What the cluster's own signers sign."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from proa.pki.requests import SigningRequest
from proa.rules.certificates import API_CLIENT, KUBELET_CLIENT, KUBELET_SERVING, LEGACY, fault

NODE = SigningRequest("system:node:n", ("system:nodes",), (), (), (), ())
SERVING = SigningRequest("system:node:n", ("system:nodes",), ("n",), (), (), ())
CLIENT_USES = ("digital signature", "client auth")
SERVER_USES = ("digital signature", "key encipherment", "server auth")


def changed(request: SigningRequest, **changes: object) -> SigningRequest:
    return replace(request, **changes)


@pytest.mark.parametrize(
    ("signer", "request_", "usages"),
    [
        (API_CLIENT, SigningRequest("ann", (), ("x",), (), (), ()), ("client auth",)),
        (KUBELET_CLIENT, NODE, CLIENT_USES),
        (KUBELET_CLIENT, NODE, (*CLIENT_USES, "key encipherment")),
        (KUBELET_SERVING, SERVING, SERVER_USES),
        (LEGACY, SERVING, ("code signing",)),
    ],
)
def test_what_fits_is_signed(signer: str, request_: SigningRequest, usages: tuple[str, ...]) -> None:
    assert fault(signer, request_, usages) == ""


@pytest.mark.parametrize(
    ("signer", "request_", "usages", "why"),
    [
        (API_CLIENT, NODE, ("server auth", "client auth"), "invalid usage for client certificate: server auth"),
        (API_CLIENT, NODE, ("digital signature",), "missing required usage for client certificate: client auth"),
        (KUBELET_CLIENT, changed(NODE, organizations=("a",)), CLIENT_USES, "organization is not system:nodes"),
        (KUBELET_CLIENT, changed(NODE, common_name="ann"), CLIENT_USES, "does not begin with system:node:"),
        (KUBELET_CLIENT, SERVING, CLIENT_USES, "DNS subjectAltNames are not allowed"),
        (KUBELET_CLIENT, NODE, ("client auth",), "usages did not match"),
        (KUBELET_SERVING, NODE, SERVER_USES, "DNS or IP subjectAltName is required"),
        (KUBELET_SERVING, changed(SERVING, uris=("a:b",)), SERVER_USES, "URI subjectAltNames are not allowed"),
        (KUBELET_SERVING, SERVING, CLIENT_USES, "usages did not match"),
    ],
)
def test_what_does_not_fit_is_told(signer: str, request_: SigningRequest, usages: tuple[str, ...], why: str) -> None:
    assert why in (fault(signer, request_, usages) or "")


def test_signers_of_others_are_theirs() -> None:
    assert fault("acme.com/signer", NODE, ()) is None
