"""`kubectl api-resources`: the resource types of the server."""

from __future__ import annotations

import click

from proa.kubectl.printing import columns
from proa.kubectl.session import Session, session_options


@click.command()
@session_options
@click.option("-o", "--output", type=click.Choice(("name",)))
@click.option("--no-headers", is_flag=True)
def command(session: Session, output: str | None, no_headers: bool) -> None:
    """List the resource types the server has."""
    found = sorted(session.discovery.resources(), key=lambda each: (each.group, each.name))
    if output == "name":
        for each in found:
            click.echo(each.full_name)
        return
    rows = [] if no_headers else [("NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND")]
    rows += [
        (each.name, ",".join(each.short_names), each.api_version, str(each.namespaced).lower(), each.kind)
        for each in found
    ]
    for line in columns(rows):
        click.echo(line)
