"""A ruleset as one nftables table: the whole text, or only the difference to the ruleset before.

Per packet of a new connection: one look-up in `services` (cluster IPs, external addresses) or `node-ports`, then the
service's chain, whose single rule draws a target and translates; so the cost does not grow with the number of
services. Connection tracking does the rest of the connection. What the kernel must remember between transactions
(which client sticks to which target) lives in sets that a difference leaves alone.

Traffic that must come back through this node (from outside of the cluster, or from a pod to itself) is marked and
masqueraded. What no target takes is refused in the filter hooks: a reset for TCP, ICMP port unreachable else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from proa.proxy.plan import ProxyOptions, Ruleset, ServicePort, Target

MASQUERADE_MARK = 0x4000
"""The packet mark bit of connections to masquerade; the bit kube-proxy uses by default too."""

_CONTAINERS = {
    "services": "map services { type ipv4_addr . inet_proto . inet_service : verdict; }",
    "node-ports": "map node-ports { type inet_proto . inet_service : verdict; }",
    "cluster-ips": "set cluster-ips { type ipv4_addr; }",
    "hairpin": "set hairpin { type ipv4_addr . ipv4_addr; }",
    "refused": "set refused { type ipv4_addr . inet_proto . inet_service; }",
    "refused-node-ports": "set refused-node-ports { type inet_proto . inet_service; }",
}


@dataclass(frozen=True, slots=True)
class Fragment:
    """What one service port adds: chains (name, rules), affinity sets (name, declaration), elements (container, text).

    An element of a map is "key : verdict".
    """

    chains: tuple[tuple[str, tuple[str, ...]], ...] = ()
    sets: tuple[tuple[str, str], ...] = ()
    elements: frozenset[tuple[str, str]] = field(default_factory=frozenset)


def fragment(port: ServicePort, options: ProxyOptions) -> Fragment:
    """The part of the table that is this service port's alone."""
    return _Builder(port, options).build()


class _Builder:
    def __init__(self, port: ServicePort, options: ProxyOptions) -> None:
        self._port = port
        self._options = options
        self._protocol = port.protocol.lower()
        self._chains: dict[str, tuple[str, ...]] = {}
        self._sets: dict[str, str] = {}
        self._elements: set[tuple[str, str]] = set()

    def build(self) -> Fragment:
        port = self._port
        key = f"{self._protocol} . {port.port}"
        self._elements.add(("cluster-ips", port.cluster_ip))
        if port.targets:
            self._elements.add(("services", f"{port.cluster_ip} . {key} : goto {self._internal()}"))
        # Without any target the cluster IP is refused by `cluster-ips`: nothing else is served there.
        for address in port.external_addresses:
            if not port.targets:
                self._elements.add(("refused", f"{address} . {key}"))
            elif address in port.load_balancer_ips and port.source_ranges:
                self._elements.add(("services", f"{address} . {key} : goto {self._guarded()}"))
            else:
                self._elements.add(("services", f"{address} . {key} : goto {self._external()}"))
        if port.node_port:
            node_key = f"{self._protocol} . {port.node_port}"
            if port.targets:
                self._elements.add(("node-ports", f"{node_key} : goto {self._external()}"))
            else:
                self._elements.add(("refused-node-ports", node_key))
        used = set(port.targets) | set(port.local_targets)
        self._elements |= {("hairpin", f"{target.ip} . {target.ip}") for target in used}
        return Fragment(tuple(self._chains.items()), tuple(self._sets.items()), frozenset(self._elements))

    def _internal(self) -> str:
        return self._balance("local" if self._port.internal_local else "all", self._port.internal_targets)

    def _external(self) -> str:
        name = f"external-{self._port.id}"
        everywhere = self._balance("all", self._port.targets)
        if not self._port.external_local:
            self._chains[name] = ("jump mark-to-masquerade", f"goto {everywhere}")
            return name
        # Clients inside of the cluster are not what the policy Local is about: they may use every target.
        inside = [f"ip saddr {self._options.cluster_cidr} goto {everywhere}"] if self._options.cluster_cidr else []
        self._chains[name] = (
            *inside,
            "fib saddr type local jump mark-to-masquerade",
            f"fib saddr type local goto {everywhere}",
            f"goto {self._balance('local', self._port.local_targets)}",
        )
        return name

    def _guarded(self) -> str:
        name = f"guard-{self._port.id}"
        ranges = ", ".join(self._port.source_ranges)
        self._chains[name] = (f"ip saddr {{ {ranges} }} goto {self._external()}", "drop")
        return name

    def _balance(self, scope: str, targets: tuple[Target, ...]) -> str:
        """The chain that sends to one of the targets; with none (policy Local, none here) it drops."""
        name = f"{scope}-{self._port.id}"
        if name in self._chains:
            return name
        if not targets:
            rules: tuple[str, ...] = ("drop",)
        elif self._port.affinity_seconds is not None:
            rules = self._sticky(targets)
        else:
            choice = _choose([f"{ip} . {port}" for ip, port in targets])
            rules = (f"meta l4proto {self._protocol} dnat ip to {choice}",)
        self._chains[name] = rules
        return name

    def _sticky(self, targets: tuple[Target, ...]) -> tuple[str, ...]:
        chains = [self._sticky_target(target) for target in targets]
        known = [f"ip saddr @clients-{chain} goto {chain}" for chain in chains]
        draw = f"numgen random mod {len(chains)} vmap {{ {_numbered([f'goto {chain}' for chain in chains])} }}"
        return (*known, draw)

    def _sticky_target(self, target: Target) -> str:
        name = f"to-{self._port.id}/{target.ip}/{target.port}"
        clients = f"clients-{name}"
        declaration = f"type ipv4_addr; flags dynamic,timeout; timeout {self._port.affinity_seconds}s;"
        self._sets[clients] = f"set {clients} {{ {declaration} }}"
        self._chains[name] = (
            f"update @{clients} {{ ip saddr }}",
            f"meta l4proto {self._protocol} dnat ip to {target.ip}:{target.port}",
        )
        return name


def _numbered(values: Iterable[str]) -> str:
    return ", ".join(f"{number} : {value}" for number, value in enumerate(values))


def _choose(values: list[str]) -> str:
    # A map of one element is fine for the kernel but a constant is read more easily.
    if len(values) == 1:
        return values[0].replace(" . ", ":")
    return f"numgen random mod {len(values)} map {{ {_numbered(values)} }}"


def _base_chains(options: ProxyOptions) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "mark-to-masquerade", (f"meta mark set meta mark or {MASQUERADE_MARK:#x}",)
    from_outside = []
    if options.masquerade_all:
        from_outside = ["ip daddr @cluster-ips jump mark-to-masquerade"]
    elif options.cluster_cidr:
        from_outside = [f"ip daddr @cluster-ips ip saddr != {options.cluster_cidr} jump mark-to-masquerade"]
    node_addresses = "fib daddr type local" + ("" if options.localhost_node_ports else " ip daddr != 127.0.0.0/8")
    yield (
        "to-services",
        (
            *from_outside,
            "ip daddr . meta l4proto . th dport vmap @services",
            f"{node_addresses} meta l4proto . th dport vmap @node-ports",
        ),
    )
    yield "prerouting", ("type nat hook prerouting priority -100;", "jump to-services")
    yield "output", ("type nat hook output priority -100;", "jump to-services")
    mark = f"{MASQUERADE_MARK:#x}"
    yield (
        "postrouting",
        (
            "type nat hook postrouting priority 100;",
            f"meta mark and {mark} == {mark} meta mark set meta mark xor {mark} masquerade fully-random",
            "ct status dnat ip saddr . ip daddr @hairpin masquerade fully-random",
        ),
    )
    yield "refuse", ("meta l4proto tcp reject with tcp reset", "reject with icmp port-unreachable")
    refuse = (
        "ct state new ip daddr @cluster-ips goto refuse",
        "ct state new ip daddr . meta l4proto . th dport @refused goto refuse",
    )
    node_port = ("ct state new fib daddr type local meta l4proto . th dport @refused-node-ports goto refuse",)
    for hook, rules in (("forward", refuse), ("filter-output", refuse + node_port), ("input", refuse + node_port)):
        yield hook, (f"type filter hook {hook.removeprefix('filter-')} priority -1;", *rules)
    if options.localhost_node_ports:
        # route_localnet lets neighbours address 127.0.0.0/8; they must not.
        yield (
            "loopback-guard",
            ("type filter hook prerouting priority -300;", 'iifname != "lo" ip daddr 127.0.0.0/8 drop'),
        )


class _Elements:
    """The elements of all service ports, counted. Of two that claim one key (an external address given to two
    services), the first by name holds; the other takes over when it goes."""

    def __init__(self, held: Mapping[tuple[str, str], Counter[str]] | None = None) -> None:
        self._held = {} if held is None else {key: Counter(texts) for key, texts in held.items()}

    def copy(self, keys: Iterable[tuple[str, str]]) -> _Elements:
        """Only these keys."""
        return _Elements({key: self._held[key] for key in keys if key in self._held})

    def count(self, part: Fragment, by: int) -> None:
        for container, text in part.elements:
            texts = self._held.setdefault(_key(container, text), Counter())
            texts[text] += by
            if not texts[text]:
                del texts[text]

    def effective(self) -> dict[tuple[str, str], str]:
        """(container, key) to the element that holds."""
        return {key: min(texts) for key, texts in self._held.items() if texts}


def _key(container: str, text: str) -> tuple[str, str]:
    return container, text.split(" : ")[0]


class Renderer:
    """Text for nft, and what the kernel holds after it: `commit` when nft has taken the text."""

    def __init__(self, table: str, options: ProxyOptions) -> None:
        self._table = f"ip {table}"
        self._options = options
        self._held = Ruleset()
        self._elements = _Elements()

    @property
    def held(self) -> Ruleset:
        """The ruleset in the kernel."""
        return self._held

    def replace(self, ruleset: Ruleset) -> str:
        """The whole table, in place of whatever is there under its name."""
        fragments = [fragment(port, self._options) for port in ruleset.ports]
        elements = _Elements()
        for part in fragments:
            elements.count(part, 1)
        texts: dict[str, list[str]] = {name: [] for name in _CONTAINERS}
        for (container, _), text in sorted(elements.effective().items()):
            texts[container].append(text)
        lines = [f"table {self._table}", f"delete table {self._table}", f"table {self._table} {{"]
        for name, declaration in _CONTAINERS.items():
            joined = ", ".join(texts[name])
            lines.append(f"{declaration[:-1]}elements = {{ {joined} }}; }}" if joined else declaration)
        chains = [chain for part in fragments for chain in part.chains]
        lines += [declaration for part in fragments for _, declaration in part.sets]
        for name, rules in (*chains, *_base_chains(self._options)):
            lines += [f"chain {name} {{", *(f"\t{rule}" for rule in rules), "}"]
        return "\n".join([*lines, "}", ""])

    def change(self, ruleset: Ruleset) -> str:
        """From the held ruleset to this one; empty when nothing differs."""
        old, new = self._fragments(ruleset)
        return _change(self._table, old, new, self._elements)

    def commit(self, ruleset: Ruleset) -> None:
        """nft has taken the text for this ruleset."""
        old, new = self._fragments(ruleset)
        for part in old:
            self._elements.count(part, -1)
        for part in new:
            self._elements.count(part, 1)
        self._held = ruleset

    def _fragments(self, after: Ruleset) -> tuple[list[Fragment], list[Fragment]]:
        """(former, new) fragments of every service that differs from the held ruleset."""
        old: list[Fragment] = []
        new: list[Fragment] = []
        before = self._held.services
        for key in before.keys() | after.services.keys():
            former, later = before.get(key, ()), after.services.get(key, ())
            if former is not later and former != later:
                old += [fragment(port, self._options) for port in former]
                new += [fragment(port, self._options) for port in later]
        return old, new


def _change(table: str, old: list[Fragment], new: list[Fragment], held: _Elements) -> str:
    """One transaction: elements out, chains and sets ready, rules and elements in, leftovers out."""
    elements = held.copy({_key(*element) for part in (*old, *new) for element in part.elements})
    before = elements.effective()
    for part in old:
        elements.count(part, -1)
    for part in new:
        elements.count(part, 1)
    after = elements.effective()
    old_chains = {name: rules for part in old for name, rules in part.chains}
    new_chains = {name: rules for part in new for name, rules in part.chains}
    old_sets = {name: text for part in old for name, text in part.sets}
    new_sets = {name: text for part in new for name, text in part.sets}
    # A set whose declaration changes is made anew, so the chains that name it are refilled.
    remade = {name for name, text in old_sets.items() if new_sets.get(name, text) != text}
    refilled = {
        name: rules
        for name, rules in new_chains.items()
        if old_chains.get(name) != rules or any(f"@{other} " in rule for other in remade for rule in rules)
    }
    removed = old_chains.keys() - new_chains.keys()
    gone = sorted((name, key) for (name, key), text in before.items() if after.get((name, key)) != text)
    come = sorted((name, text) for (name, key), text in after.items() if before.get((name, key)) != text)
    lines = [f"delete element {table} {name} {{ {key} }}" for name, key in gone]
    lines += [f"add chain {table} {name}" for name in sorted(refilled.keys() - old_chains.keys())]
    lines += [f"flush chain {table} {name}" for name in sorted(old_chains.keys() & (refilled.keys() | removed))]
    lines += [f"delete set {table} {name}" for name in sorted(remade | (old_sets.keys() - new_sets.keys()))]
    made = sorted(remade | (new_sets.keys() - old_sets.keys()))
    lines += [f"add set {table} {new_sets[name].removeprefix('set ')}" for name in made]
    lines += [f"add rule {table} {name} {rule}" for name, rules in refilled.items() for rule in rules]
    lines += [f"add element {table} {name} {{ {text} }}" for name, text in come]
    lines += [f"delete chain {table} {name}" for name in sorted(removed)]
    return "".join(line + "\n" for line in lines)
