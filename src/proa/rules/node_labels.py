"""Which labels a kubelet may give its own node: none by which workloads are steered (KEP-279)."""

from __future__ import annotations

from collections.abc import Mapping

RESTRICTED = "node-restriction.kubernetes.io"
_OWN = frozenset(
    {
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "kubernetes.io/arch",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/arch",
        "node.kubernetes.io/instance-type",
        "beta.kubernetes.io/instance-type",
        "topology.kubernetes.io/zone",
        "topology.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region",
    }
)
_OWN_DOMAINS = ("kubelet.kubernetes.io", "node.kubernetes.io")
_RESERVED_DOMAINS = ("kubernetes.io", "k8s.io")


def forbidden_labels(new: Mapping[str, str], old: Mapping[str, str]) -> list[str]:
    """The labels that differ and may not."""
    changed = {name for name in {*new, *old} if new.get(name) != old.get(name)}
    return sorted(name for name in changed if not _is_own(name))


def _is_own(label: str) -> bool:
    domain = label.rpartition("/")[0]
    if _is_in(domain, (RESTRICTED,)):
        return False
    return label in _OWN or _is_in(domain, _OWN_DOMAINS) or not _is_in(domain, _RESERVED_DOMAINS)


def _is_in(domain: str, domains: tuple[str, ...]) -> bool:
    return any(domain == each or domain.endswith("." + each) for each in domains)
