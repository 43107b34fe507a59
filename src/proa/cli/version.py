"""`proa version`."""

from __future__ import annotations

import click

from proa.base.build import VERSION, build


@click.command()
@click.option("-o", "--output", type=click.Choice(("json",)))
def command(output: str | None) -> None:
    """Print the versions of proa, of the Kubernetes API it serves, and of Python."""
    about = build()
    if output == "json":
        import json

        click.echo(
            json.dumps(
                {"proa": VERSION, "kubernetes": about.git_version, "platform": about.platform, "python": about.python}
            )
        )
        return
    click.echo(f"proa {VERSION}, Kubernetes {about.git_version}, {about.python} on {about.platform}")
