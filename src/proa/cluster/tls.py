"""TLS contexts from a cluster's certificates."""

from __future__ import annotations

import ssl

from proa.client.connection import load_pair
from proa.cluster.credentials import CertificateFiles
from proa.pki.certificates import KeyPair


def serving(own: KeyPair, authority: bytes) -> ssl.SSLContext:
    """A server that knows clients by certificates of the authority (PEM), and accepts clients without one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_pair(context, own.certificate, own.key)
    context.load_verify_locations(cadata=authority.decode())
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


def calling(own: CertificateFiles, authority: CertificateFiles) -> ssl.SSLContext:
    """A client that shows its certificate and trusts only the cluster's authority."""
    context = ssl.create_default_context(cafile=str(authority.certificate))
    context.load_cert_chain(own.certificate, own.key)
    return context
