"""Conversion of custom objects between the versions of their definition.

Here: what a converter is, the one that needs no help, and which a definition has. Not here: how a webhook is asked
(`apiserver.webhooks.conversion`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Protocol

import msgspec

from proa.api.apiextensions_v1 import CustomResourceDefinition
from proa.apiserver.webhooks.client import WebhookClient
from proa.apiserver.webhooks.conversion import WebhookConverter

Document = dict[str, Any]


class Converter(Protocol):
    """Converts documents, which may be of several versions, to one version, in order. Raises StatusError."""

    async def convert(self, documents: Sequence[Mapping[str, Any]], api_version: str, /) -> list[Document]: ...


class NoneConverter:
    """Strategy None: all versions look the same but for their apiVersion."""

    async def convert(self, documents: Sequence[Mapping[str, Any]], api_version: str, /) -> list[Document]:
        return [renamed(each, api_version) for each in documents]


def renamed(document: Mapping[str, Any], api_version: str) -> Document:
    """The document as of another version that looks the same."""
    return {**document, "apiVersion": api_version}


def converter_of(client: WebhookClient, random: Random, crd: CustomResourceDefinition) -> Converter:
    """How the versions of a definition are converted. client: asks webhooks."""
    conversion = crd.spec.conversion
    if conversion is None or conversion.strategy != "Webhook" or conversion.webhook is None:
        return NoneConverter()
    return WebhookConverter(client, msgspec.json.decode(msgspec.json.encode(conversion.webhook)), random)
