"""`proa kubectl`: our kubectl, pointed at this machine's cluster unless told otherwise."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from proa.cluster.paths import DEFAULT_NAME, known_clusters
from proa.kubectl.main import VERBS, Verbs
from proa.kubectl.session import Flags, flag_options

__all__ = ["VERBS", "command"]


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@flag_options
@click.pass_context
def command(context: click.Context, /, **_: Any) -> None:
    """A small kubectl of proa's own; verbs and flags mean what they mean in kubectl.

    Talks to the cluster of --kubeconfig, else of $KUBECONFIG, else to this machine's proa cluster.
    """
    context.ensure_object(Flags).default_file = _default_file()


def _default_file() -> Path | None:
    if os.environ.get("KUBECONFIG"):
        return None
    known = known_clusters()
    chosen = known.get(DEFAULT_NAME) or (next(iter(known.values())) if len(known) == 1 else None)
    return chosen.kubeconfig() if chosen is not None and chosen.kubeconfig().exists() else None
