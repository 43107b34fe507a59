"""Certificate signing requests in the API: who asks, who approves, what may change."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import aiohttp
import msgspec
import pytest
from tests.unit.apiserver.conftest import Tokens
from tests.unit.pki.signing import request

from proa.api.certificates_v1.resources import CERTIFICATE_SIGNING_REQUESTS
from proa.apiserver.certificate_requests import CertificateRequestMarks
from proa.apiserver.compose import ApiServer
from proa.apiserver.identity import MASTERS, User
from proa.client.protocol import Client
from proa.machinery.status import StatusError
from proa.pki.certificates import create_authority

ASKING = User("ann", "7", ("team", MASTERS), {"k": ("v",)})
PATH = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
NOW = datetime.now(UTC)
APPROVED = {"type": "Approved", "status": "True", "reason": "Because"}


@pytest.fixture
async def client(server: ApiServer) -> Client:
    server.install(admission=[CertificateRequestMarks(server.config.clock)])
    return server.client_for(ASKING)


def body(**spec: Any) -> dict[str, Any]:
    given = {
        "request": b64encode(request("bob")).decode(),
        "signerName": "kubernetes.io/kube-apiserver-client",
        "usages": ["client auth"],
        **spec,
    }
    return {"metadata": {"name": "it"}, "spec": given}


async def create(client: Client, **spec: Any) -> dict[str, Any]:
    return await client.document("POST", PATH, body(**spec))


async def change(client: Client, subresource: str, **status: Any) -> dict[str, Any]:
    found = await client.document("GET", f"{PATH}/it")
    found["status"] = {**found.get("status", {}), **status}
    return await client.document("PUT", f"{PATH}/it/{subresource}", found)


async def test_a_request_says_who_asked_whatever_it_claims(client: Client) -> None:
    made = await create(client, username="eve", uid="0", groups=["system:masters"], extra={"a": ["b"]})
    spec = made["spec"]
    assert (spec["username"], spec["uid"], spec["groups"], spec["extra"]) == (
        "ann",
        "7",
        ["team", MASTERS],
        {"k": ["v"]},
    )


async def test_a_new_request_is_not_approved_whatever_it_claims(client: Client) -> None:
    made = await client.document("POST", PATH, {**body(), "status": {"conditions": [APPROVED]}})
    assert made.get("status", {}) == {}


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"request": "aGVsbG8="}, "PEM block type must be CERTIFICATE REQUEST"),
        ({"usages": []}, "spec.usages: Required value"),
        ({"usages": ["client auth", "client auth"]}, "spec.usages.*: Duplicate value"),
        ({"usages": ["juggling"]}, "spec.usages.*: Unsupported value"),
        ({"signerName": "kubernetes.io/legacy-unknown"}, "the legacy signerName is not allowed"),
        ({"signerName": "signer"}, "must be a fully qualified domain and path"),
        ({"signerName": "acme/signer"}, "at least two segments"),
        ({"signerName": "ACME.com/signer"}, "validating label"),
        ({"expirationSeconds": 599}, "may not specify a duration less than 600 seconds"),
    ],
)
async def test_a_request_that_cannot_be_signed_is_invalid(client: Client, spec: dict[str, Any], why: str) -> None:
    with pytest.raises(StatusError, match=why) as refused:
        await create(client, **spec)
    assert refused.value.code == 422


async def test_a_request_does_not_change(client: Client) -> None:
    made = await create(client)
    patch = {"spec": {"username": "eve", "usages": ["any"]}, "status": {"certificate": "eA=="}}
    changed = await client.patch(CERTIFICATE_SIGNING_REQUESTS, "it", "", patch, type="merge")
    assert msgspec.to_builtins(changed.spec)["username"] == "ann"
    assert changed.metadata.resourceVersion == made["metadata"]["resourceVersion"]


async def test_approval_has_its_own_door_and_stays(client: Client) -> None:
    await create(client)
    approved = await change(client, "approval", conditions=[APPROVED])
    (condition,) = approved["status"]["conditions"]
    assert condition["type"] == "Approved"
    assert condition["lastUpdateTime"]
    with pytest.raises(StatusError, match="mutually exclusive"):
        await change(client, "approval", conditions=[APPROVED, {**APPROVED, "type": "Denied"}])
    with pytest.raises(StatusError, match='may not remove a condition of type "Approved"'):
        await change(client, "approval", conditions=[])
    with pytest.raises(StatusError, match='may not remove a condition of type "Approved"'):
        await change(client, "status", conditions=[])


async def test_the_status_door_approves_nothing(client: Client) -> None:
    await create(client)
    with pytest.raises(StatusError, match='may not add a condition of type "Approved"'):
        await change(client, "status", conditions=[APPROVED])


async def test_a_signer_writes_its_certificate_once_through_the_status(client: Client) -> None:
    first, second = (b64encode(create_authority(name, NOW).certificate).decode() for name in ("a", "b"))
    await create(client)
    await change(client, "approval", conditions=[APPROVED])
    with pytest.raises(StatusError, match=r"only CERTIFICATE PEM blocks|at least one CERTIFICATE"):
        await change(client, "status", certificate="aGVsbG8=")
    issued = await change(client, "status", certificate=first)
    assert issued["status"]["certificate"] == first
    assert [each["type"] for each in issued["status"]["conditions"]] == ["Approved"]
    with pytest.raises(StatusError, match="may not modify existing certificate content"):
        await change(client, "status", certificate=second)


async def test_a_condition_of_the_status_gets_its_times(client: Client) -> None:
    await create(client)
    failed = {"type": "Failed", "status": "True", "reason": "No"}
    (condition,) = (await change(client, "status", conditions=[failed]))["status"]["conditions"]
    assert condition["lastUpdateTime"] == condition["lastTransitionTime"]
    with pytest.raises(StatusError, match="Unsupported value"):
        await change(client, "status", conditions=[{**failed, "status": "False"}])


async def test_both_doors_take_patches_and_annotations(server: ApiServer) -> None:
    marks = CertificateRequestMarks(server.config.clock)
    server.install(authenticators=[Tokens()], admission=[marks])
    await server.listen()
    headers = {"Authorization": "Bearer admin", "Content-Type": "application/merge-patch+json"}

    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}", headers=headers) as session:

        async def send(method: str, path: str, content: Any, **headers: str) -> Any:
            data = msgspec.json.encode(content)
            async with session.request(method, f"{PATH}{path}", data=data, headers=headers) as response:
                assert response.status in (200, 201), await response.text()
                return await response.json()

        plain = {"Content-Type": "application/json"}
        await send("POST", "", body(signerName="acme.com/signer"), **plain)
        patch = {
            "metadata": {"annotations": {"a": "1"}},
            "status": {"conditions": [{"type": "Mine", "status": "True"}]},
        }
        patched = await send("PATCH", "/it/approval", patch)
        assert patched["metadata"]["annotations"] == {"a": "1"}
        patched["status"]["conditions"].append(APPROVED)
        updated = await send("PUT", "/it/approval", patched, **plain)
        assert [each["type"] for each in updated["status"]["conditions"]] == ["Mine", "Approved"]
        certificate = b64encode(create_authority("a", NOW).certificate).decode()
        patch = {"metadata": {"annotations": {"b": "2"}}, "status": {"certificate": certificate}}
        issued = await send("PATCH", "/it/status", patch)
        assert issued["metadata"]["annotations"] == {"a": "1", "b": "2"}
        assert issued["status"]["certificate"] == certificate
        issued["status"]["conditions"].append({"type": "StatusUpdate", "status": "True", "reason": "Test"})
        last = await send("PUT", "/it/status", issued, **plain)
        assert [each["type"] for each in last["status"]["conditions"]] == ["Mine", "Approved", "StatusUpdate"]
