"""Printer columns of roles and bindings."""

from __future__ import annotations

from collections.abc import Callable

from proa.machinery.columns import AGE, CREATED, NAME, Document, dig
from proa.machinery.resource import Column

ROLES = (NAME, CREATED)


def _subjects(kind: str) -> Callable[[Document], str]:
    def name(subject: Document) -> str:
        return f"{subject.get('namespace')}/{subject['name']}" if kind == "ServiceAccount" else str(subject["name"])

    return lambda d: ", ".join(name(each) for each in d.get("subjects") or () if each.get("kind") == kind)


BINDINGS = (
    NAME,
    Column("Role", lambda d: f"{dig(d, 'roleRef', 'kind')}/{dig(d, 'roleRef', 'name')}", description="What it grants."),
    AGE,
    Column("Users", _subjects("User"), priority=1, description="Bound users."),
    Column("Groups", _subjects("Group"), priority=1, description="Bound groups."),
    Column("ServiceAccounts", _subjects("ServiceAccount"), priority=1, description="Bound service accounts."),
)
