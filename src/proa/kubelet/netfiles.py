"""A pod's /etc/hosts and /etc/resolv.conf as texts (PodSpec.hostAliases, dnsPolicy, dnsConfig). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from proa.api.core_v1 import HostAlias, Pod
from proa.kubelet.hostnames import full_hostname, short_hostname

# Limits of resolvers: more name servers or search domains are ignored by them (resolv.conf(5), glibc 2.26).
_NAMESERVERS = 3
_SEARCHES = 32

_LOCAL = """127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""


def hosts_file(pod: Pod, ips: Sequence[str], cluster_domain: str, host_file: str) -> str:
    """The text of /etc/hosts. `host_file`: the node's own, for pods on the host's network."""
    if pod.spec.hostNetwork:
        text = "# Kubernetes-managed hosts file (host network).\n" + host_file
        if not text.endswith("\n"):
            text += "\n"
    else:
        text = "# Kubernetes-managed hosts file.\n" + _LOCAL
        short, full = short_hostname(pod), full_hostname(pod, cluster_domain)
        for ip in ips:
            text += f"{ip}\t{full}\t{short}\n" if full else f"{ip}\t{short}\n"
    return text + _aliases(pod.spec.hostAliases)


def _aliases(aliases: Iterable[HostAlias]) -> str:
    lines = [f"{each.ip}\t" + "\t".join(each.hostnames) for each in aliases]
    return "\n# Entries added by HostAliases.\n" + "\n".join(lines) + "\n" if lines else ""


@dataclass(frozen=True, slots=True)
class Resolver:
    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    def text(self) -> str:
        lines = []
        if self.searches:
            lines.append("search " + " ".join(self.searches))
        lines += [f"nameserver {each}" for each in self.nameservers]
        if self.options:
            lines.append("options " + " ".join(self.options))
        return "\n".join(lines) + "\n" if lines else ""


def parse_resolver(text: str) -> Resolver:
    """A resolv.conf; of `search` and `domain` the last line counts."""
    nameservers: list[str] = []
    searches: list[str] = []
    options: list[str] = []
    for line in text.splitlines():
        words = line.split("#")[0].split(";")[0].split()
        match words:
            case ["nameserver", address, *_]:
                nameservers.append(address)
            case ["search" | "domain", *names]:
                searches = [each.rstrip(".") or "." for each in names]
            case ["options", *names]:
                options += names
    return Resolver(tuple(nameservers), tuple(searches), tuple(options))


def resolver_of(pod: Pod, host: Resolver, cluster_dns: Sequence[str], cluster_domain: str) -> Resolver:
    """What dnsPolicy and dnsConfig make of the node's resolver and the cluster's."""
    spec = pod.spec
    policy = spec.dnsPolicy or "ClusterFirst"
    in_cluster = policy == "ClusterFirstWithHostNet" or (policy == "ClusterFirst" and not spec.hostNetwork)
    if policy == "None":
        base = Resolver()
    elif in_cluster and cluster_dns:
        domains = (f"{pod.metadata.namespace}.svc.{cluster_domain}", f"svc.{cluster_domain}", cluster_domain)
        base = Resolver(tuple(cluster_dns), _unique((*domains, *host.searches)), ("ndots:5",))
    else:
        base = host
    if spec.dnsConfig is None:
        return _limited(base)
    options = {each.partition(":")[0]: each for each in base.options}
    for option in spec.dnsConfig.options:
        options[option.name] = option.name if option.value is None else f"{option.name}:{option.value}"
    return _limited(
        Resolver(
            _unique((*base.nameservers, *spec.dnsConfig.nameservers)),
            _unique((*base.searches, *spec.dnsConfig.searches)),
            tuple(options.values()),
        )
    )


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _limited(resolver: Resolver) -> Resolver:
    return Resolver(resolver.nameservers[:_NAMESERVERS], resolver.searches[:_SEARCHES], resolver.options)
