"""The pod network's nft table: masquerade towards the outside, host ports, and what keeps the host's filters open.

Rendered from plain values, so that the text can be read in a test. Host ports are two maps (for every local address,
and for one), so a sandbox's coming and going is an element, not a rule.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from proa.net import names, nft
from proa.net.protocol import HostPort, NetworkConfig, NetworkError

PROTOCOLS = ("TCP", "UDP", "SCTP")


@dataclass(frozen=True, slots=True)
class Forward:
    """One host port of a sandbox: connections to it go to `target`:`target_port`. host_ip None: every local address."""

    protocol: str
    port: int
    target: IPv4Address
    target_port: int
    host_ip: IPv4Address | None = None

    @property
    def map(self) -> str:
        return "host-ports" if self.host_ip is None else "host-address-ports"

    @property
    def key(self) -> str:
        key = f"{self.protocol.lower()} . {self.port}"
        return key if self.host_ip is None else f"{self.host_ip} . {key}"

    @property
    def element(self) -> str:
        return f"{self.key} : {self.target} . {self.target_port}"


def forwards(mappings: Sequence[HostPort], target: IPv4Address) -> tuple[Forward, ...]:
    """The sandbox's host ports; mappings without a host port are left out. NetworkError names a bad field."""
    found = []
    for mapping in mappings:
        if not mapping.host_port:
            continue
        if mapping.protocol not in PROTOCOLS:
            raise NetworkError(f"hostPort {mapping.host_port}: protocol {mapping.protocol!r} is not one of {PROTOCOLS}")
        host_ip: IPv4Address | None = None
        if mapping.host_ip not in ("", "0.0.0.0", "::"):
            try:
                host_ip = ipaddress.IPv4Address(mapping.host_ip)
            except ValueError as error:
                raise NetworkError(f"hostIP {mapping.host_ip!r} is not an IPv4 address") from error
        found.append(Forward(mapping.protocol, mapping.host_port, target, mapping.container_port, host_ip))
    return tuple(found)


def table_name(config: NetworkConfig) -> str:
    return names.table(config.cluster, "net")


def render(config: NetworkConfig, ports: Iterable[Forward]) -> str:
    """The whole table as one transaction that replaces the one before.

    What goes to the gateway's link untranslated is for no pod and no service. (In the output hook the link is still the
    one from before translation, so it alone does not tell.) A TCP client gets a reset: an ICMP error that arrives while
    it is still in connect(2) is lost on it, and costs it a second until its next SYN.
    """
    table, pods = table_name(config), names.pod_links(config.cluster)
    lines = [f"table ip {table}", f"delete table ip {table}", f"table ip {table} {{"]
    ports = tuple(ports)
    for name, key in (("host-ports", ""), ("host-address-ports", "ipv4_addr . ")):
        elements = ", ".join(port.element for port in ports if port.map == name)
        lines.append(f"map {name} {{ type {key}inet_proto . inet_service : ipv4_addr . inet_service;")
        lines.append(f"elements = {{ {elements} }}; }}" if elements else "}")
    own = ", ".join(sorted({f"{port.target} . {port.target}" for port in ports}))
    lines.append("set self { type ipv4_addr . ipv4_addr;" + (f" elements = {{ {own} }}; }}" if own else " }"))
    lines.append(
        f"""
chain to-host-ports {{
    dnat ip to ip daddr . meta l4proto . th dport map @host-address-ports
    dnat ip to meta l4proto . th dport map @host-ports
}}
chain prerouting {{
    type nat hook prerouting priority dstnat;
    fib daddr type local jump to-host-ports
}}
chain output {{
    type nat hook output priority -100;
    fib daddr type local jump to-host-ports
}}
chain postrouting {{
    type nat hook postrouting priority srcnat;
    ip saddr . ip daddr @self masquerade
    oifname "{pods}" ip saddr 127.0.0.0/8 masquerade
    oifname != "{pods}" ip saddr {config.pod_cidr} ip daddr != {config.cluster_cidr} masquerade
}}
chain loopback-guard {{
    type filter hook prerouting priority raw;
    iifname "{pods}" ip daddr 127.0.0.0/8 drop
}}
chain unreachable {{
    oifname != "{names.bridge(config.cluster)}" return
    ct status dnat return
    meta l4proto tcp reject with tcp reset
    reject with icmp type host-unreachable
}}
chain forward {{
    type filter hook forward priority filter;
    jump unreachable
}}
chain local-output {{
    type filter hook output priority filter;
    jump unreachable
}}
}}"""
    )
    return "\n".join(lines) + "\n"


def render_change(config: NetworkConfig, removed: Iterable[Forward], added: Iterable[Forward]) -> str:
    """The elements that differ, as one transaction; empty when there are none."""
    table = table_name(config)
    lines = []
    removed, added = tuple(removed), tuple(added)
    for verb, ports in (("delete", removed), ("add", added)):
        for port in ports:
            element = port.key if verb == "delete" else port.element
            lines.append(f"{verb} element ip {table} {port.map} {{ {element} }}")
        targets = sorted({port.target for port in ports})
        lines += [f"{verb} element ip {table} self {{ {target} . {target} }}" for target in targets]
    return "".join(line + "\n" for line in lines)


async def existing(config: NetworkConfig) -> tuple[Forward, ...]:
    """The host ports in the kernel, for an agent that comes back to running sandboxes; none without the table."""
    try:
        objects = await nft.listing("table", "ip", table_name(config))
    except nft.NftError:
        return ()
    return tuple(
        _forward(key["concat"], value["concat"])
        for entry in objects
        for key, value in entry.get("map", {}).get("elem", ())
    )


def _forward(key: list[Any], value: list[Any]) -> Forward:
    *host_ip, protocol, port = key
    address = ipaddress.IPv4Address(host_ip[0]) if host_ip else None
    return Forward(str(protocol).upper(), int(port), ipaddress.IPv4Address(value[0]), int(value[1]), address)


async def open_forwarding(config: NetworkConfig) -> None:
    """Let the pods' traffic through the host's own forward chains that drop by default (a firewall, Docker).

    An accept in our table cannot overrule them, so a rule with our comment is put first in each. iptables-legacy
    chains are not seen by nft. NftError.
    """
    pods, owner = names.pod_links(config.cluster), names.bridge(config.cluster)
    await close_forwarding(config)
    script = ""
    for chain in await _dropping_chains():
        for direction in ("iifname", "oifname"):
            script += f'insert rule {chain} {direction} "{pods}" counter accept comment "{owner}"\n'
    if script:
        await nft.apply(script)


async def close_forwarding(config: NetworkConfig) -> None:
    """Take back what `open_forwarding` put into others' chains. NftError."""
    bridge = names.bridge(config.cluster)
    script = ""
    for chain in await _dropping_chains():
        family, table, name = chain.split()
        for entry in await nft.listing("chain", family, table, name):
            rule = entry.get("rule")
            if rule and rule.get("comment") == bridge:
                script += f"delete rule {chain} handle {rule['handle']}\n"
    if script:
        await nft.apply(script)


async def _dropping_chains() -> list[str]:
    chains = [entry["chain"] for entry in await nft.listing("chains") if "chain" in entry]
    return [
        f"{chain['family']} {chain['table']} {chain['name']}"
        for chain in chains
        if chain.get("hook") == "forward" and chain.get("policy") == "drop" and chain["family"] in ("ip", "inet")
    ]
