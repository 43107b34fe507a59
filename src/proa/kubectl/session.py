"""What every verb starts from: the flags all of them know, and the connection and discovery these lead to."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import click

from proa.base.errors import ProaError
from proa.client import kubeconfig
from proa.client.connection import Connection
from proa.kubectl.client import Client
from proa.kubectl.discovery import Discovery


class FlagError(ProaError):
    """A flag's value, or flags together, make no sense."""


@dataclass(slots=True)
class Flags:
    """Said before or after the verb; what is said last counts. default_file: used where nothing names a kubeconfig."""

    default_file: Path | None = None
    kubeconfig: str = ""
    context: str = ""
    cluster: str = ""
    user: str = ""
    namespace: str = ""
    impersonate: str = ""
    request_timeout: str = "0"


class Session:
    """One run of one verb."""

    def __init__(self, flags: Flags) -> None:
        self._flags = flags

    @cached_property
    def connection(self) -> Connection:
        """Raises KubeconfigError."""
        flags = self._flags
        files: list[Path] | None = None
        if flags.kubeconfig:
            files = [Path(flags.kubeconfig)]
            if not files[0].exists():
                raise FlagError(f"stat {flags.kubeconfig}: no such file or directory")
        elif flags.default_file is not None:
            files = [flags.default_file]
        found = kubeconfig.load(files).connection(
            flags.context, cluster=flags.cluster, user=flags.user, namespace=flags.namespace
        )
        if flags.impersonate:
            from dataclasses import replace

            found = replace(found, impersonate=flags.impersonate)
        return found

    @cached_property
    def client(self) -> Client:
        return Client(self.connection, timeout=seconds(self._flags.request_timeout) or None)

    @cached_property
    def discovery(self) -> Discovery:
        return Discovery(self.client)

    @property
    def namespace(self) -> str:
        """Of -n, else of the context."""
        return self.connection.namespace

    @property
    def namespace_given(self) -> str:
        """Of -n alone."""
        return self._flags.namespace


def session_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The flags of every verb; the decorated function gets the Session first."""

    @click.pass_context
    @functools.wraps(function)
    def with_session(context: click.Context, /, *arguments: Any, **values: Any) -> Any:
        session = Session(context.ensure_object(Flags))
        try:
            return context.invoke(function, session, *arguments, **values)
        finally:
            if "client" in session.__dict__:
                session.client.close()

    return flag_options(with_session)


def flag_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The flags every verb knows, kept in the context's Flags."""

    def keep(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
        if value is not None and parameter.name is not None:
            setattr(context.ensure_object(Flags), parameter.name, value)

    for names, help_text in (
        (("--request-timeout",), "How long to wait for a single answer, e.g. 5s; 0: for ever."),
        (("--as", "impersonate"), "User to act as."),
        (("--user",), "User of the kubeconfig to use."),
        (("--cluster",), "Cluster of the kubeconfig to use."),
        (("--context",), "Context of the kubeconfig to use."),
        (("--kubeconfig",), "The kubeconfig file to use."),
        (("-n", "--namespace"), "Namespace to look in."),
    ):
        function = click.option(*names, callback=keep, expose_value=False, help=help_text)(function)
    return function


_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def seconds(text: str) -> float:
    """A duration as Go writes it ('1h30m', '5s', '0'); a bare number is seconds. Raises FlagError."""
    import re

    if re.fullmatch(r"[-+]?\d+(\.\d+)?", text):
        return float(text)
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|h|m|s)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text.lstrip("-"):
        raise FlagError(f"invalid duration {text!r}: write it like 30s, 5m or 1h30m")
    sign = -1 if text.startswith("-") else 1
    return sign * sum(float(number) * _UNITS[unit] for number, unit in parts)
