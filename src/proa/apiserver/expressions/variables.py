"""The values of the variables of admission for one write, plain documents as the expressions see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proa.apiserver.admission import Attributes
from proa.apiserver.expressions.decisions import Decisions
from proa.apiserver.webhooks.review import review
from proa.machinery.expressions.admission import (
    AUTHORIZER,
    NAMESPACE,
    OBJECT,
    OLD_OBJECT,
    PARAMS,
    REQUEST,
    REQUEST_RESOURCE,
)
from proa.machinery.resource import Resource

Document = Mapping[str, Any]


def request_of(attributes: Attributes, target: Resource[Any] | None = None) -> Document:
    """The value of `request`: what a webhook is told, without the documents, which are variables of their own."""
    found = review("", "", attributes, target or attributes.resource, attributes.document, attributes.old)["request"]
    return {name: value for name, value in found.items() if name not in ("uid", "object", "oldObject")}


def variables_of(
    attributes: Attributes,
    decisions: Decisions,
    *,
    request: Document | None = None,
    params: Document | None = None,
    namespace: Document | None = None,
) -> dict[str, Any]:
    """All of them. request: as `request_of` makes it. namespace: of the object, None for what is in none."""
    return {
        OBJECT: attributes.document,
        OLD_OBJECT: attributes.old,
        REQUEST: request or request_of(attributes),
        NAMESPACE: namespace,
        PARAMS: params,
        AUTHORIZER: decisions.variable,
        REQUEST_RESOURCE: decisions.resource_of(attributes),
    }
