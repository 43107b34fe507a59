"""What a pod calls itself (PodSpec.hostname, subdomain, setHostnameAsFQDN, hostnameOverride)."""

from __future__ import annotations

from proa.api.core_v1 import Pod

# The kernel's limit on a host name (HOST_NAME_MAX), and of one label of a domain name (RFC 1035).
_LIMIT = 64
_LABEL = 63


def short_hostname(pod: Pod) -> str:
    """Its name, cut to a label where it has to be."""
    if pod.spec.hostname:
        return pod.spec.hostname
    return pod.metadata.name[:_LABEL].rstrip("-.")


def full_hostname(pod: Pod, cluster_domain: str) -> str:
    """`<hostname>.<subdomain>.<namespace>.svc.<domain>`; empty without a subdomain."""
    if not pod.spec.subdomain:
        return ""
    return f"{short_hostname(pod)}.{pod.spec.subdomain}.{pod.metadata.namespace}.svc.{cluster_domain}"


def hostname_of(pod: Pod, cluster_domain: str) -> str:
    """The kernel's host name in the pod. Raises ValueError when it must be its full name and that is too long."""
    if pod.spec.hostnameOverride is not None:
        return pod.spec.hostnameOverride
    full = full_hostname(pod, cluster_domain)
    if pod.spec.setHostnameAsFQDN and full:
        if len(full) > _LIMIT:
            raise ValueError(
                f"Failed to construct FQDN from pod hostname and cluster domain, FQDN {full} is too long "
                f"({_LIMIT} characters is the max, {len(full)} characters requested)"
            )
        return full
    return short_hostname(pod)
