"""The plugins around certificates: who may approve, sign and attest for a signer, and what nobody may be certified as.

A right for a signer is the verb on the resource `signers` of certificates.k8s.io, by the signer's name or its whole
domain (`example.com/*`).
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.identity import MASTERS, AccessAttributes, Authorizer
from proa.apiserver.plugins.context import PluginContext, Stateless
from proa.machinery.columns import dig
from proa.machinery.resource import Resource

_REQUESTS = "certificatesigningrequests.certificates.k8s.io"
_BUNDLES = "clustertrustbundles.certificates.k8s.io"
_CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"


class _ForSigner:
    """The base: `verb` is needed for the signer of the object."""

    verb = ""

    def __init__(self, context: PluginContext) -> None:
        self._authorizer = context.authorizer

    async def _check(self, attributes: Attributes, signer: str, refusal: str) -> None:
        if self._authorizer is not None and not await _may(self._authorizer, attributes, self.verb, signer):
            raise attributes.forbidden(f'user not permitted to {refusal} "{signer}"')


class CertificateApproval(_ForSigner):
    name = "CertificateApproval"
    verb = "approve"

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return (resource.qualified, subresource, operation) == (_REQUESTS, "approval", "UPDATE")

    async def validate(self, attributes: Attributes) -> None:
        await self._check(attributes, _signer(attributes.old), "approve requests with signerName")


class CertificateSigning(_ForSigner):
    name = "CertificateSigning"
    verb = "sign"

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return (resource.qualified, subresource, operation) == (_REQUESTS, "status", "UPDATE")

    async def validate(self, attributes: Attributes) -> None:
        new, old = attributes.document, attributes.old
        if any(dig(new, "status", name) != dig(old, "status", name) for name in ("certificate", "conditions")):
            await self._check(attributes, _signer(old), "sign requests with signerName")


class ClusterTrustBundleAttest(_ForSigner):
    name = "ClusterTrustBundleAttest"
    verb = "attest"

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return resource.qualified == _BUNDLES and operation in ("CREATE", "UPDATE")

    async def validate(self, attributes: Attributes) -> None:
        signer = _signer(attributes.document)
        if signer and dig(attributes.document, "spec") != dig(attributes.old, "spec"):
            await self._check(attributes, signer, "attest for signerName")


class CertificateSubjectRestriction(Stateless):
    """Nobody becomes an administrator by a certificate: the group system:masters cannot be taken away again."""

    name = "CertificateSubjectRestriction"

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return (resource.qualified, subresource, operation) == (_REQUESTS, "", "CREATE")

    def validate(self, attributes: Attributes) -> None:
        if _signer(attributes.document) != _CLIENT_SIGNER:
            return
        try:
            groups = _organizations(b64decode(dig(attributes.document, "spec", "request") or ""))
        except ValueError as error:
            raise attributes.forbidden(f"failed to parse CSR: {error}") from None
        if MASTERS in groups:
            raise attributes.forbidden(f"use of {_CLIENT_SIGNER} signer with {MASTERS} group is not allowed")


def _signer(document: Mapping[str, Any] | None) -> str:
    return dig(document, "spec", "signerName") or ""


async def _may(authorizer: Authorizer, attributes: Attributes, verb: str, signer: str) -> bool:
    for name in (signer, signer.partition("/")[0] + "/*"):
        asked = AccessAttributes(
            attributes.user, verb, group="certificates.k8s.io", version="*", resource="signers", name=name
        )
        if (await authorizer.decide(asked)).allowed:
            return True
    return False


def _organizations(pem: bytes) -> list[str]:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    subject = x509.load_pem_x509_csr(pem).subject
    return [str(each.value) for each in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
