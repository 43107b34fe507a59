"""What comes before the imports of a component, which are most of the time it takes to start.

Nobody looks for garbage meanwhile, and aiohttp is imported without the certificate authorities of the system.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from proa.base import collector

# Where OpenSSL looks for authorities; without these, in places of its own.
_AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def prepare() -> None:
    """Call first in the process of a server or an agent."""
    collector.pause()
    # For a default that no client of ours uses, aiohttp reads every authority when it is imported: 40 ms. Each of our
    # clients says whom it trusts; one that forgets to trusts nobody.
    with _no_authorities():
        import aiohttp  # noqa: F401


@contextmanager
def _no_authorities() -> Iterator[None]:
    kept = {name: os.environ[name] for name in _AUTHORITIES if name in os.environ}
    os.environ.update(dict.fromkeys(_AUTHORITIES, os.devnull))
    try:
        yield
    finally:
        for name in _AUTHORITIES:
            del os.environ[name]
        os.environ.update(kept)
