"""`proa`: one command, its subcommands in a table, each imported only when it is used.

A subcommand is a module here with a `command` in it and one line in `COMMANDS`. What it does belongs to the layers
below; a module here turns words into calls and results into text. Exit codes: 0 done, 1 failed, 2 wrong usage.
"""

from __future__ import annotations

import importlib
import os
import sys

import click

COMMANDS = (
    # name, module, one line for --help
    ("up", "proa.cli.up", "Start the cluster in the background, or bring it back as it was."),
    ("down", "proa.cli.down", "Stop the cluster and remove every kernel object of it."),
    ("stop", "proa.cli.stop", "Stop the cluster's own processes; its pods keep running."),
    ("status", "proa.cli.status", "Show what runs, what it uses, and whether the API is well."),
    ("logs", "proa.cli.logs", "Print the log of a component."),
    ("kubeconfig", "proa.cli.kubeconfig", "Print the cluster's kubeconfig, or merge it into yours."),
    ("kubectl", "proa.cli.kubectl", "Talk to the API: get, apply, delete, logs, exec, wait, rollout."),
    ("image", "proa.cli.image", "List, pull, import, pack and remove images."),
    ("demo", "proa.cli.demo", "Run a two-tier application on a cluster, from nothing."),
    ("doctor", "proa.cli.doctor", "Say what this machine allows and what is missing."),
    ("server", "proa.cli.server", "Run the control plane in the foreground."),
    ("agent", "proa.cli.agent", "Run a node in the foreground."),
    ("version", "proa.cli.version", "Print the versions of proa, Kubernetes and Python."),
)


class Lazy(click.Group):
    """A group whose help comes from the table."""

    def list_commands(self, context: click.Context) -> list[str]:
        return [name for name, _, _ in COMMANDS]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        for known, module, _ in COMMANDS:
            if known == name:
                command = importlib.import_module(module).command
                assert isinstance(command, click.Command)
                return command
        return None

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, _, text in COMMANDS])


@click.command(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def cli() -> None:
    """Kubernetes in Python: a whole cluster from one package, in about a second."""


def main() -> None:
    """Run the command line and exit. What went wrong is one line on stderr."""
    try:
        code = cli.main(prog_name="proa", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(2)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output left. What is still buffered must not be flushed into the same error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        click.echo(f"proa: error: {describe(error)}", err=True)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def describe(error: BaseException) -> str:
    """An error in one line: its own words when it is one of ours or the system's, else what kind it is."""
    from proa.base.errors import ProaError

    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    ours = isinstance(error, ProaError) or type(error).__module__.startswith("proa.")
    if ours and str(error):
        return str(error)  # may end with the tail of a log
    words = " ".join(str(error).split())
    if isinstance(error, OSError | ValueError) and words:
        return words
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


if __name__ == "__main__":
    main()
