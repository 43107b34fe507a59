"""TLS contexts from a cluster's certificate files."""

from __future__ import annotations

import ssl

from proa.cluster.credentials import CertificateFiles


def serving(own: CertificateFiles, authority: CertificateFiles) -> ssl.SSLContext:
    """A server that knows clients by certificates of the cluster's authority, and accepts clients without one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.certificate, own.key)
    context.load_verify_locations(authority.certificate)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


def calling(own: CertificateFiles, authority: CertificateFiles) -> ssl.SSLContext:
    """A client that shows its certificate and trusts only the cluster's authority."""
    context = ssl.create_default_context(cafile=str(authority.certificate))
    context.load_cert_chain(own.certificate, own.key)
    return context
