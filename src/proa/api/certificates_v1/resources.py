"""The resources of certificates.k8s.io/v1."""

from typing import Any

from proa.api.certificates_v1 import CertificateSigningRequest, CertificateSigningRequestList, columns
from proa.api.certificates_v1.strategies import RequestStrategy
from proa.machinery.resource import STATUS, Resource, Subresource

CERTIFICATE_SIGNING_REQUESTS = Resource(
    group="certificates.k8s.io",
    version="v1",
    plural="certificatesigningrequests",
    type=CertificateSigningRequest,
    list_type=CertificateSigningRequestList,
    singular="certificatesigningrequest",
    short_names=("csr",),
    namespaced=False,
    subresources=(Subresource("approval", ("get", "patch", "update")), STATUS),
    fields=("spec.signerName",),
    name_rule="path",
    columns=columns.CERTIFICATE_SIGNING_REQUESTS,
    strategy=RequestStrategy(),
)

RESOURCES: tuple[Resource[Any], ...] = (CERTIFICATE_SIGNING_REQUESTS,)
