"""The verbs in a table, each imported only when it is used; errors in the words kubectl users know."""

from __future__ import annotations

import importlib
from typing import Any

import click

from proa.base.errors import ProaError
from proa.kubectl.session import flag_options

VERBS = (
    # name, module, one line for --help
    ("get", "proa.kubectl.verbs.get", "Show one or many objects."),
    ("apply", "proa.kubectl.verbs.apply", "Make objects what files say."),
    ("delete", "proa.kubectl.verbs.delete", "Delete objects."),
    ("logs", "proa.kubectl.verbs.logs", "Print what a container wrote."),
    ("exec", "proa.kubectl.verbs.exec", "Run a command in a container."),
    ("wait", "proa.kubectl.verbs.wait", "Wait for objects to become something, or to go."),
    ("rollout", "proa.kubectl.verbs.rollout", "Follow the rollout of a workload."),
    ("api-resources", "proa.kubectl.verbs.api_resources", "List the resource types the server has."),
)


class Verbs(click.Group):
    """Imports a verb when it is named, and says errors as kubectl does."""

    def list_commands(self, context: click.Context) -> list[str]:
        return [name for name, _, _ in VERBS]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        for known, module, _ in VERBS:
            if known == name:
                command = importlib.import_module(module).command
                assert isinstance(command, click.Command)
                return command
        return None

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, _, text in VERBS])

    def invoke(self, context: click.Context) -> Any:
        from proa.kubectl.client import StatusError, UnreachableError

        try:
            return super().invoke(context)
        except (StatusError, UnreachableError) as error:
            click.echo(str(error), err=True)
        except ProaError as error:
            click.echo(f"error: {error}", err=True)
        except KeyboardInterrupt:
            context.exit(130)
        return context.exit(1)


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@flag_options
def kubectl() -> None:
    """A small kubectl of proa's own; verbs and flags mean what they mean in kubectl."""
