"""Admission plugins, one module each; `PLUGINS` is the order in which they run, which is upstream's."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from proa.apiserver.admission import Plugin
from proa.apiserver.plugins.default_toleration_seconds import DefaultTolerationSeconds
from proa.apiserver.plugins.namespace_lifecycle import NamespaceLifecycle
from proa.apiserver.plugins.node_restriction import NodeRestriction
from proa.apiserver.plugins.not_implemented import NotImplementedWarnings
from proa.apiserver.plugins.pod_quality import PodQuality
from proa.apiserver.plugins.priority import Priority
from proa.apiserver.plugins.service_account import ServiceAccount
from proa.apiserver.plugins.taint_nodes_by_condition import TaintNodesByCondition
from proa.client.informer import Informers
from proa.client.protocol import Client


def default_plugins(client: Client, informers: Informers, random: Random) -> Sequence[Plugin]:
    """What is on by default. `client` acts as the server itself."""
    return (
        NamespaceLifecycle(client, informers),
        ServiceAccount(client, informers, random),
        NodeRestriction(),
        TaintNodesByCondition(),
        Priority(),
        DefaultTolerationSeconds(),
        PodQuality(),
        NotImplementedWarnings(),
    )
