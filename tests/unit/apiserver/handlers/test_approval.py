from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.unit.apiserver.conftest import ADMIN

from proa.apiserver.compose import ApiServer
from proa.machinery.status import StatusError

Document = dict[str, Any]
REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"


@pytest.fixture
async def request_(server: ApiServer) -> Document:
    return await server.document(
        ADMIN,
        "POST",
        REQUESTS,
        {
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "CertificateSigningRequest",
            "metadata": {"name": "a:b"},
            "spec": {"request": signing_request(), "signerName": "example.com/signer", "usages": ["client auth"]},
        },
        {},
    )


def signing_request() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody")])
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return base64.b64encode(made.public_bytes(serialization.Encoding.PEM)).decode()


async def approve(server: ApiServer, stored: Document, *conditions: Document, **changes: Any) -> Document:
    body = {**stored, "status": {"conditions": list(conditions), "certificate": "YQ=="}, **changes}
    return await server.document(ADMIN, "PUT", f"{REQUESTS}/a:b/approval", body, {})


async def test_an_approval_is_a_condition_with_its_times_and_nothing_else(
    server: ApiServer, request_: Document
) -> None:
    approved = await approve(server, request_, {"type": "Approved", "status": "True", "reason": "Known"})
    (condition,) = approved["status"]["conditions"]
    assert condition["lastUpdateTime"] == condition["lastTransitionTime"] != ""
    assert "certificate" not in approved["status"]
    assert approved["spec"] == request_["spec"]


async def test_the_spec_does_not_change_with_an_approval(server: ApiServer, request_: Document) -> None:
    approved = await approve(server, request_, spec={**request_["spec"], "signerName": "example.com/other"})
    assert approved["spec"]["signerName"] == "example.com/signer"


async def test_metadata_changes_with_an_approval(server: ApiServer, request_: Document) -> None:
    metadata = {**request_["metadata"], "annotations": {"seen": "yes"}}
    assert (await approve(server, request_, metadata=metadata))["metadata"]["annotations"] == {"seen": "yes"}


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ([{"type": "Approved", "status": "False"}], r'conditions\[0\].status: Unsupported value: "False"'),
        ([{"type": "", "status": "True"}], r"conditions\[0\].type: Required value"),
        ([{"type": "Odd", "status": ""}], r"conditions\[0\].status: Required value"),
        ([{"type": "Odd", "status": "True"}] * 2, r'conditions\[1\].type: Duplicate value: "Odd"'),
        (
            [{"type": "Approved", "status": "True"}, {"type": "Denied", "status": "True"}],
            "Approved and Denied conditions are mutually exclusive",
        ),
    ],
)
async def test_a_wrong_condition_is_refused(
    server: ApiServer, request_: Document, conditions: list[Document], message: str
) -> None:
    with pytest.raises(StatusError, match=message) as caught:
        await approve(server, request_, *conditions)
    assert caught.value.code == 422


async def test_a_denial_stays(server: ApiServer, request_: Document) -> None:
    denied = await approve(server, request_, {"type": "Denied", "status": "True"})
    with pytest.raises(StatusError, match='updates may not remove a condition of type "Denied"'):
        await approve(server, denied, {"type": "Approved", "status": "True"})


async def test_an_approval_that_is_written_again_keeps_its_times(server: ApiServer, request_: Document) -> None:
    first = await approve(server, request_, {"type": "Approved", "status": "True"})
    (before,) = first["status"]["conditions"]
    again = await approve(server, first, {"type": "Approved", "status": "True", "message": "still"})
    assert again["status"]["conditions"][0]["lastTransitionTime"] == before["lastTransitionTime"]
