"""Certificate signing requests from asking to cleaning up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from tests.sim.conftest import ControlPlane
from tests.unit.pki.signing import request

from proa.aio.clock import EPOCH
from proa.api.certificates_v1 import CertificateSigningRequest, CertificateSigningRequestSpec
from proa.api.certificates_v1.resources import CERTIFICATE_SIGNING_REQUESTS
from proa.apiserver.certificate_requests import CertificateRequestMarks
from proa.apiserver.identity import AccessAttributes, DecidesFromMemory, Decision, SubjectRules, User, Verdict
from proa.controllers.settings import Settings
from proa.machinery.meta import ObjectMeta
from proa.pki.certificates import Subject, create_authority, subject_of
from proa.rules.certificates import API_CLIENT, KUBELET_CLIENT

SETTINGS = Settings(root_ca="PEM", authority=create_authority("authority", EPOCH))
NODE_USES = ("digital signature", "client auth")


class LetsNodes(DecidesFromMemory):
    """Nodes may have certificates of their own, `boss` may have any node's; who asks is a member of masters here."""

    generation = 0

    def authorize(self, attributes: AccessAttributes) -> Decision:
        granted = {"selfnodeclient": "system:node:n", "nodeclient": "boss"}
        allowed = granted.get(attributes.subresource) == attributes.user.name
        return Decision(Verdict.ALLOW if allowed else Verdict.NO_OPINION)

    def rules_for(self, user: User, namespace: str) -> SubjectRules:
        return SubjectRules()


async def ask(plane: ControlPlane, user: str, pem: bytes, signer: str, *uses: str) -> None:
    # The registry itself takes the request, so that who asks need no rights and no membership.
    from proa.apiserver.options import WriteOptions

    spec = CertificateSigningRequestSpec(request=pem, signerName=signer, usages=uses)
    document = msgspec.json.decode(
        msgspec.json.encode(CertificateSigningRequest(metadata=ObjectMeta(name="it"), spec=spec))
    )
    registry = plane.server.registry(CERTIFICATE_SIGNING_REQUESTS)
    await registry.create("", document, WriteOptions(User(user)))


async def becomes(plane: ControlPlane, *words: str, seconds: float = 60.0) -> Any:
    async def check() -> Any:
        found = await plane.get(CERTIFICATE_SIGNING_REQUESTS, "it", "")
        if found is None:
            return words == ("gone",)
        have = [each.type for each in found.status.conditions] + ["Issued"] * bool(found.status.certificate)
        return found if tuple(have) == words else None

    return await plane.until(check, seconds)


async def approve(plane: ControlPlane, kind: str = "Approved") -> None:
    path = "/apis/certificates.k8s.io/v1/certificatesigningrequests/it"
    found = await plane.client.document("GET", path)
    found["status"] = {"conditions": [{"type": kind, "status": "True", "reason": "Test"}]}
    await plane.client.document("PUT", f"{path}/approval", found)


def run(simulate: Callable[..., float], body: Any) -> None:
    async def prepared(plane: ControlPlane) -> None:
        plane.server.install(authorizers=[LetsNodes()], admission=[CertificateRequestMarks(plane.clock)])
        await body(plane)

    simulate(prepared, SETTINGS)


def test_a_nodes_own_request_is_approved_and_signed(simulate: Callable[..., float]) -> None:
    async def body(plane: ControlPlane) -> None:
        await ask(plane, "system:node:n", request("system:node:n", "system:nodes"), KUBELET_CLIENT, *NODE_USES)
        found = await becomes(plane, "Approved", "Issued")
        assert found.status.conditions[0].reason == "AutoApproved"
        certificate = x509.load_pem_x509_certificate(found.status.certificate).public_bytes(Encoding.DER)
        assert subject_of(certificate) == Subject("system:node:n", ("system:nodes",))

    run(simulate, body)


def test_a_nodes_request_for_another_node_waits_for_approval(simulate: Callable[..., float]) -> None:
    async def body(plane: ControlPlane) -> None:
        await ask(plane, "system:node:n", request("system:node:m", "system:nodes"), KUBELET_CLIENT, *NODE_USES)
        await plane.clock.advance(10)
        await becomes(plane)

    run(simulate, body)


def test_who_may_have_any_nodes_certificate_gets_one(simulate: Callable[..., float]) -> None:
    async def body(plane: ControlPlane) -> None:
        await ask(plane, "boss", request("system:node:m", "system:nodes"), KUBELET_CLIENT, *NODE_USES)
        await becomes(plane, "Approved", "Issued")

    run(simulate, body)


def test_a_users_request_is_signed_once_somebody_approves_it(simulate: Callable[..., float]) -> None:
    async def body(plane: ControlPlane) -> None:
        await ask(plane, "ann", request("ann"), API_CLIENT, "client auth")
        await plane.clock.advance(10)
        await becomes(plane)
        await approve(plane)
        await becomes(plane, "Approved", "Issued")
        await plane.clock.advance(3500)
        await becomes(plane, "Approved", "Issued")
        await becomes(plane, "gone", seconds=200)

    run(simulate, body)


def test_an_approved_request_for_the_wrong_uses_fails(simulate: Callable[..., float]) -> None:
    async def body(plane: ControlPlane) -> None:
        await ask(plane, "ann", request("ann"), API_CLIENT, "server auth")
        await approve(plane)
        found = await becomes(plane, "Approved", "Failed")
        assert found.status.conditions[1].reason == "SignerValidationFailure"
        assert "server auth" in found.status.conditions[1].message

    run(simulate, body)


def test_a_denied_request_is_not_signed_and_goes(simulate: Callable[..., float]) -> None:
    async def body(plane: ControlPlane) -> None:
        await ask(plane, "ann", request("ann"), API_CLIENT, "client auth")
        await approve(plane, "Denied")
        await becomes(plane, "Denied")
        await becomes(plane, "gone", seconds=3700)

    run(simulate, body)


def test_signers_of_others_are_left_to_them_and_a_forgotten_request_goes_after_a_day(
    simulate: Callable[..., float],
) -> None:
    async def body(plane: ControlPlane) -> None:
        await ask(plane, "ann", request("ann"), "acme.com/signer", "client auth")
        await plane.clock.advance(23 * 3600)
        await becomes(plane)
        await becomes(plane, "gone", seconds=3700)

    run(simulate, body)
