"""certificates/v1 declarations."""

from collections.abc import Mapping
from typing import Annotated

from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta
from proa.machinery.scalars import Bytes, Int32, Time


class CertificateSigningRequestSpec(Object):
    request: Annotated[Bytes, Field(1, required=True)] = always(bytes)
    signerName: Annotated[str, Field(7, required=True)] = always(str)
    expirationSeconds: Annotated[Int32 | None, Field(8)] = None
    usages: Annotated[
        tuple[str, ...],
        Field(
            5,
            enum=(
                "signing",
                "digital signature",
                "content commitment",
                "key encipherment",
                "key agreement",
                "data encipherment",
                "cert sign",
                "crl sign",
                "encipher only",
                "decipher only",
                "any",
                "server auth",
                "client auth",
                "code signing",
                "email protection",
                "s/mime",
                "ipsec end system",
                "ipsec tunnel",
                "ipsec user",
                "timestamping",
                "ocsp signing",
                "microsoft sgc",
                "netscape sgc",
            ),
            list="atomic",
        ),
    ] = ()
    username: Annotated[str, Field(2)] = ""
    uid: Annotated[str, Field(3)] = ""
    groups: Annotated[tuple[str, ...], Field(4, list="atomic")] = ()
    extra: Annotated[Mapping[str, tuple[str, ...]], Field(6)] = {}


class CertificateSigningRequestCondition(Object):
    type: Annotated[str, Field(1, required=True)] = always(str)
    status: Annotated[str, Field(6, required=True)] = always(str)
    reason: Annotated[str, Field(2)] = ""
    message: Annotated[str, Field(3)] = ""
    lastUpdateTime: Annotated[Time | None, Field(4)] = None
    lastTransitionTime: Annotated[Time | None, Field(5)] = None


class CertificateSigningRequestStatus(Object):
    conditions: Annotated[tuple[CertificateSigningRequestCondition, ...], Field(1, list="map", keys=("type",))] = ()
    certificate: Annotated[Bytes, Field(2)] = b""


class CertificateSigningRequest(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("certificates.k8s.io/v1")
    kind: str = fixed("CertificateSigningRequest")
    spec: Annotated[CertificateSigningRequestSpec, Field(2, required=True)] = always(CertificateSigningRequestSpec)
    status: Annotated[CertificateSigningRequestStatus, Field(3)] = always(CertificateSigningRequestStatus)


class CertificateSigningRequestList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("certificates.k8s.io/v1")
    kind: str = fixed("CertificateSigningRequestList")
    items: Annotated[tuple[CertificateSigningRequest, ...], Field(2, required=True)] = always(no_items)
