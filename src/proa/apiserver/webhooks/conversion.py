"""ConversionReview: objects of a custom resource turned into another version of it by a program outside.

A whole list goes in one call. Of what comes back only the content counts: metadata is the original's but for labels and
annotations. Not here: which versions are stored and served (`apiserver.custom`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from time import monotonic
from typing import Any

import msgspec

from proa.apiserver.webhooks.client import WebhookClient, WebhookFailure
from proa.machinery.fields import quoted
from proa.machinery.meta import Status
from proa.machinery.names import new_uid
from proa.machinery.status import StatusError

Document = dict[str, Any]

_GROUP = "apiextensions.k8s.io"
_KNOWN = ("v1", "v1beta1")
_SECONDS = 30.0
# Neither the name nor whose object it is may change; all other metadata is taken from the original.
_IDENTITY = (("name", "name"), ("namespace", "namespace"), ("uid", "UID"))


class _Response(msgspec.Struct, frozen=True):
    """ConversionResponse."""

    uid: str = ""
    convertedObjects: list[Any] | None = None
    result: Status = msgspec.field(default_factory=Status)


class _Answer(msgspec.Struct, frozen=True):
    apiVersion: str = ""
    kind: str = ""
    response: _Response | None = None


class _Failed(Exception):
    """Why there is nothing converted."""

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind = f"conversion_webhook_{kind}_failure"


class WebhookConverter:
    """Of one CustomResourceDefinition. webhook: its spec.conversion.webhook, as a document."""

    def __init__(self, client: WebhookClient, webhook: Mapping[str, Any], random: Random) -> None:
        self._client = client
        self._config = webhook["clientConfig"]
        self._versions = webhook["conversionReviewVersions"]
        self._random = random

    async def convert(self, documents: Sequence[Mapping[str, Any]], api_version: str) -> list[Document]:
        """New documents in another version, in the same order; those already in it as they are. Raises StatusError."""
        asked = [each for each in documents if each["apiVersion"] != api_version]
        if not asked:
            return [dict(each) for each in documents]
        of = f"conversion webhook for {asked[0]['apiVersion']}, Kind={asked[0]['kind']}"
        began = monotonic()
        try:
            made = await self._converted(asked, api_version)
        except _Failed as failure:
            self._client.metrics.converted(monotonic() - began, failure.kind)
            raise StatusError(Status(status="Failure", message=f"{of} {failure}", code=500)) from None
        self._client.metrics.converted(monotonic() - began)
        found = iter(made)
        return [dict(each) if each["apiVersion"] == api_version else next(found) for each in documents]

    async def _converted(self, asked: Sequence[Mapping[str, Any]], api_version: str) -> list[Document]:
        answers = await self._ask(asked, api_version)
        if len(answers) != len(asked):
            raise _Failed("partial_response", f"returned {len(answers)} objects, expected {len(asked)}")
        made = []
        for position, (original, converted) in enumerate(zip(asked, answers, strict=True)):
            try:
                made.append(_accepted(original, converted, api_version))
            except ValueError as wrong:
                why = f"returned invalid converted object at index {position}: {wrong}"
                raise _Failed("invalid_converted_object", why) from None
        return made

    async def _ask(self, documents: Sequence[Mapping[str, Any]], api_version: str) -> list[Any]:
        version = next((each for each in self._versions if each in _KNOWN), None)
        if version is None:
            raise _Failed("call", "failed: no supported conversion review versions")
        uid = new_uid(self._random)
        request = {"uid": uid, "desiredAPIVersion": api_version, "objects": list(documents)}
        review = {"kind": "ConversionReview", "apiVersion": f"{_GROUP}/{version}", "request": request}
        try:
            answer = await self._client.call(self._config, review, _SECONDS)
        except WebhookFailure as failure:
            raise _Failed("call", f"failed: {failure.reason}") from None
        try:
            found = msgspec.convert(answer, _Answer)
        except msgspec.ValidationError as error:
            raise _malformed(f"json: cannot unmarshal: {error}") from None
        if version == "v1" and (found.apiVersion, found.kind) != (f"{_GROUP}/v1", "ConversionReview"):
            raise _malformed(
                f"expected webhook response of {_GROUP}/v1, Kind=ConversionReview, got {found.apiVersion}, "
                f"Kind={found.kind}"
            )
        response = found.response
        if response is None:
            raise _malformed("no response provided")
        if version == "v1" and response.uid != uid:
            raise _malformed(f"expected response.uid={quoted(uid)}, got {quoted(response.uid)}")
        if response.result.status != "Success":
            raise _malformed(
                response.result.message or f"response.result.status was '{response.result.status}', not 'Success'"
            )
        return response.convertedObjects or []


def _accepted(original: Mapping[str, Any], converted: Any, api_version: str) -> Document:
    """A converted object with the original's metadata. Raises ValueError."""
    if not isinstance(converted, dict):
        raise ValueError(f"invalid type, expected an object, got {type(converted).__name__}")
    if converted.get("apiVersion") != api_version:
        received = converted.get("apiVersion", "")
        raise ValueError(f"invalid groupVersion (expected {api_version}, received {received})")
    if converted.get("kind") != original["kind"]:
        raise ValueError(f"invalid kind (expected {original['kind']}, received {converted.get('kind', '')})")
    metadata = converted.get("metadata")
    if metadata is None:
        raise ValueError("missing metadata in converted object")
    if not isinstance(metadata, dict):
        raise ValueError(f"invalid metadata of type {type(metadata).__name__} in converted object")
    before = original["metadata"]
    for field, shown in _IDENTITY:
        if metadata.get(field, "") != before.get(field, ""):
            raise ValueError(f"must have the same {shown}: {before.get(field, '')} != {metadata.get(field, '')}")
    kept = {name: value for name, value in before.items() if name not in ("labels", "annotations")}
    for field in ("labels", "annotations"):
        values = metadata.get(field)
        if values:
            kept[field] = _texts(values, field)
    return {**converted, "metadata": kept}


def _texts(values: Any, field: str) -> dict[str, str]:
    if not isinstance(values, dict) or not all(isinstance(each, str) for each in values.values()):
        raise ValueError(f"metadata.{field}: expected a map of strings")
    return values


def _malformed(why: str) -> _Failed:
    return _Failed("malformed_response", f"failed: {why}")
