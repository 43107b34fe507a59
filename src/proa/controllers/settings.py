"""What of a cluster its controllers must be told: they find everything else in the API."""

from __future__ import annotations

from dataclasses import dataclass

from proa.pki.certificates import KeyPair
from proa.pki.tokens import TokenSigner


@dataclass(frozen=True, slots=True)
class Settings:
    """root_ca: PEM bundle by which pods know the API server. token_signer: signs tokens that live in Secrets, None to
    leave such Secrets alone. authority: signs certificates, None to sign none. cluster_cidrs: pod addresses, one
    network a family, none to leave spec.podCIDR of nodes alone. node_prefix: prefix length of a node's share, by IP
    version.

    node_grace: seconds without heartbeat until a node is unreachable; node_startup_grace: until its first one.
    node_evictions: nodes a second whose pods are evicted. terminated_pods: how many ended pods are kept.
    """

    root_ca: str = ""
    token_signer: TokenSigner | None = None
    authority: KeyPair | None = None
    cluster_cidrs: tuple[str, ...] = ()
    node_prefix_v4: int = 24
    node_prefix_v6: int = 64
    node_grace: float = 50.0
    node_startup_grace: float = 60.0
    node_evictions: float = 0.1
    terminated_pods: int = 12_500
