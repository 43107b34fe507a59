"""Building blocks for printer columns: paths into a document, and the columns every resource has.

A column's function gets the plain document and returns the cell; an `age` cell is an RFC 3339 time that the table
shows as one. Not here: columns of one resource (`proa.api.<group>.columns`), making tables (`machinery.table`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from proa.machinery.resource import Column

Document = Mapping[str, Any]
NONE = "<none>"
UNKNOWN = "<unknown>"


def dig(document: Any, *names: str) -> Any:
    """The value below `names`, None where a step is missing."""
    for name in names:
        if not isinstance(document, Mapping):
            return None
        document = document.get(name)
    return document


def path(dotted: str, missing: Any = "") -> Callable[[Document], Any]:
    """A cell that shows one field."""
    names = dotted.split(".")

    def cell(document: Document) -> Any:
        value = dig(document, *names)
        return missing if value is None or value == "" else value

    return cell


def labels_text(labels: Mapping[str, str] | None) -> str:
    """`a=b,c=d`, sorted by key."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items())) if labels else NONE


def selector_text(selector: Document | None) -> str:
    """A LabelSelector in selector syntax."""
    if not selector:
        return NONE
    terms = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for each in selector.get("matchExpressions") or ():
        key, values = each.get("key"), ",".join(sorted(each.get("values") or ()))
        match each.get("operator"):
            case "In":
                terms.append(f"{key} in ({values})")
            case "NotIn":
                terms.append(f"{key} notin ({values})")
            case "Exists":
                terms.append(str(key))
            case _:
                terms.append(f"!{key}")
    return ",".join(terms) or NONE


def number(name: str, dotted: str, description: str) -> Column:
    """A column that shows one number."""
    return Column(name, path(dotted, 0), type="integer", description=description)


def length(name: str, dotted: str, description: str) -> Column:
    """A column that shows how many items a list has."""
    names = dotted.split(".")
    return Column(name, lambda d: len(dig(d, *names) or ()), type="integer", description=description)


def flag(name: str, dotted: str, description: str, missing: bool = False) -> Column:
    """A column that shows true or false."""
    return Column(name, path(dotted, missing), type="boolean", description=description)


def images(template: str) -> tuple[Column, ...]:
    """The wide columns of a workload: names and images of the containers of the pod spec at `template`."""
    names = template.split(".")

    def of(field: str) -> Callable[[Document], str]:
        return lambda document: ",".join(each.get(field) or "" for each in dig(document, *names, "containers") or ())

    return (
        Column("Containers", of("name"), priority=1, description="Names of each container in the template."),
        Column("Images", of("image"), priority=1, description="Images referenced by each container in the template."),
    )


NAME = Column("Name", path("metadata.name"), format="name", description="The object's name.")
AGE = Column("Age", path("metadata.creationTimestamp"), type="age", description="Time since the object was made.")
CREATED = Column(
    "Created At", path("metadata.creationTimestamp"), type="timestamp", description="When the object was made."
)
