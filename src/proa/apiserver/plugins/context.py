"""What admission plugins are made of: every one is constructed with a `PluginContext`, and takes of it what it needs.

Not here: what a plugin does, and which there are (the package).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from proa.aio.clock import Clock, SystemClock
from proa.apiserver.identity import Authorizer
from proa.apiserver.webhooks.admission import Server
from proa.base.errors import ProaError
from proa.client.informer import Informers
from proa.client.protocol import Client


@dataclass(frozen=True, slots=True)
class PluginContext:
    """client acts as the server itself; informers are its. authorizer: who may, None where nobody is asked.

    configuration: by plugin name, its document of the file of --admission-control-config-file. server: what plugins
    need that ask others outside; they do nothing without it.
    """

    client: Client
    informers: Informers
    random: Random
    clock: Clock = field(default_factory=SystemClock)
    authorizer: Authorizer | None = None
    configuration: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    server: Server | None = None


class ConfigurationError(ProaError):
    """What a plugin was configured with makes no sense."""


class Stateless:
    """The base of plugins that look at nothing but the write itself."""

    def __init__(self, context: PluginContext | None = None) -> None:
        pass
