"""Selectors over items: from the query's texts to one predicate, through the small index every item carries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proa.apiserver.listing import Matches
from proa.machinery import status as failures
from proa.machinery.field_selectors import parse_fields
from proa.machinery.resource import Resource
from proa.machinery.selectors import SelectorError, parse_labels
from proa.store.item import Index, Item


def matcher(
    resource: Resource[Any], label_selector: str, field_selector: str, index_of: Callable[[Item], Index]
) -> Matches | None:
    """The predicate, None when everything matches. Raises StatusError 400 for a malformed selector or unknown field."""
    if not label_selector and not field_selector:
        return None
    try:
        labels, fields = parse_labels(label_selector), parse_fields(field_selector)
        fields.check(resource.fields)
    except SelectorError as error:
        raise failures.bad_request(str(error)) from None
    if labels.empty and fields.empty:
        return None
    by_labels, by_fields = labels.matches, fields.matches
    if fields.empty:
        return lambda item: by_labels(index_of(item).labels)
    if labels.empty:
        return lambda item: by_fields(index_of(item).fields)

    def both(item: Item) -> bool:
        index = index_of(item)
        return by_labels(index.labels) and by_fields(index.fields)

    return both
