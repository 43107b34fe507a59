"""`proa doctor`."""

from __future__ import annotations

import click


@click.command()
@click.option("-o", "--output", type=click.Choice(("text", "json")), default="text")
def command(output: str) -> int:
    """Say what this machine allows and what to install for better. Exit code 1: no node can run containers here."""
    from proa.cluster import doctor

    findings = doctor.examine()
    bad = any(each.level is doctor.Level.BAD for each in findings)
    if output == "json":
        import json

        checks = [
            {"subject": each.subject, "level": each.level.value, "words": each.words, "advice": each.advice}
            for each in findings
        ]
        click.echo(json.dumps({"mode": doctor.mode(findings), "checks": checks}, indent=2))
        return 1 if bad else 0
    from proa.kubectl.printing import columns

    for line in columns([(each.level.value, each.subject, each.words) for each in findings]):
        click.echo(line)
    advice = [each for each in findings if each.advice]
    if advice:
        click.echo()
    for each in advice:
        click.echo(f"{each.subject}: better with: {each.advice}")
    click.echo()
    click.echo(doctor.mode(findings))
    return 1 if bad else 0
