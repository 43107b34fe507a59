"""How to reach and convince an API server: address, trust and identity, as kubeconfig files give them.

Here: the value, and the TLS context made of it. Not here: reading kubeconfig files (`kubeconfig`) and HTTP (`http`).
"""

from __future__ import annotations

import os
import ssl
from contextlib import ExitStack
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Connection:
    """server: base URL. ca: PEM bundle to trust, empty for the system's. certificate, key: PEM of the client.

    token_file is read again as it changes and wins over token. impersonate: user name to act as. server_name: what the
    certificate must say, where that is not the host. insecure: trust any certificate. namespace: the default one.
    """

    server: str
    ca: bytes = b""
    certificate: bytes = b""
    key: bytes = field(default=b"", repr=False)
    token: str = field(default="", repr=False)
    token_file: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    impersonate: str = ""
    impersonate_groups: tuple[str, ...] = ()
    server_name: str = ""
    insecure: bool = False
    namespace: str = "default"

    def tls(self) -> ssl.SSLContext | None:
        """The TLS context, None for plain HTTP. Raises ssl.SSLError for certificates or keys that are none."""
        if not self.server.startswith("https:"):
            return None
        context = ssl.create_default_context(cadata=self.ca.decode()) if self.ca else ssl.create_default_context()
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.certificate:
            load_pair(context, self.certificate, self.key)
        return context


def load_pair(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Give a context its own certificate and key, both PEM. Raises ssl.SSLError."""
    # OpenSSL wants files; these are anonymous memory and never reach a disk.
    with ExitStack() as stack:
        paths = []
        for name, content in (("certificate", certificate), ("key", key)):
            descriptor = os.memfd_create(name)
            stack.callback(os.close, descriptor)
            os.write(descriptor, content)
            paths.append(f"/proc/self/fd/{descriptor}")
        context.load_cert_chain(*paths)
