"""Conversion webhooks over a real connection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any

import pytest
from tests.unit.apiserver.conftest import ADMIN
from tests.webhook_server import WebhookServer

from proa.apiserver.compose import ApiServer
from proa.apiserver.services import ServiceResolver
from proa.apiserver.webhooks.client import WebhookClient
from proa.apiserver.webhooks.conversion import WebhookConverter
from proa.apiserver.webhooks.metrics import WebhookMetrics
from proa.base.metrics import Metrics
from proa.machinery.status import StatusError

Document = dict[str, Any]
V1, V2 = "example.com/v1", "example.com/v2"


def converting(change: Callable[[Document], Any], **response: Any) -> Callable[[Document], Document]:
    """Answers every object of a review with `change(object in the wanted version)`."""

    def answer(review: Document) -> Document:
        request = review["request"]
        wanted = [{**each, "apiVersion": request["desiredAPIVersion"]} for each in request["objects"]]
        converted = [change(each) for each in wanted]
        said = {"uid": request["uid"], "convertedObjects": converted, "result": {"status": "Success"}, **response}
        return {"apiVersion": review["apiVersion"], "kind": review["kind"], "response": said}

    return answer


def thing(name: str, version: str = V1, **metadata: Any) -> Document:
    return {
        "apiVersion": version,
        "kind": "Thing",
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", **metadata},
        "hostPort": "a:1",
    }


@pytest.fixture
async def backend() -> AsyncIterator[WebhookServer]:
    async with WebhookServer({"/convert": converting(lambda each: each)}) as server:
        yield server


@pytest.fixture
async def converter(server: ApiServer, backend: WebhookServer) -> AsyncIterator[WebhookConverter]:
    client = WebhookClient(ServiceResolver(server.client_for(ADMIN), Random(1)))
    webhook = {"clientConfig": backend.client_config("/convert"), "conversionReviewVersions": ["v9", "v1"]}
    yield WebhookConverter(client, webhook, Random(1))
    await client.close()


async def test_a_list_is_converted_in_one_call(converter: WebhookConverter, backend: WebhookServer) -> None:
    def split(each: Document) -> Document:
        host, _, port = each.pop("hostPort").partition(":")
        return {**each, "host": host, "port": port}

    backend.answers["/convert"] = converting(split)
    mixed = [thing("a"), thing("b", V2), thing("c")]
    converted = await converter.convert(mixed, V2)
    assert [(each["apiVersion"], each["metadata"]["name"], each.get("host")) for each in converted] == [
        (V2, "a", "a"),
        (V2, "b", None),
        (V2, "c", "a"),
    ]
    [(_, review)] = backend.seen
    assert (review["apiVersion"], review["kind"]) == ("apiextensions.k8s.io/v1", "ConversionReview")
    assert review["request"]["desiredAPIVersion"] == V2
    assert [each["metadata"]["name"] for each in review["request"]["objects"]] == ["a", "c"]
    assert backend.queries == ["timeout=30s"]


async def test_what_is_in_the_version_already_is_not_asked_about(
    converter: WebhookConverter, backend: WebhookServer
) -> None:
    assert await converter.convert([thing("a")], V1) == [thing("a")]
    assert backend.seen == []


async def test_only_labels_and_annotations_of_the_metadata_may_change(
    converter: WebhookConverter, backend: WebhookServer
) -> None:
    def meddle(each: Document) -> Document:
        each["metadata"] |= {"labels": {"new": "yes"}, "finalizers": ["mine"], "generation": 7}
        each["metadata"].pop("annotations", None)
        return each

    backend.answers["/convert"] = converting(meddle)
    [converted] = await converter.convert([thing("a", annotations={"old": "x"}, resourceVersion="5")], V2)
    assert converted["metadata"] == {
        "name": "a",
        "namespace": "default",
        "uid": "uid-a",
        "resourceVersion": "5",
        "labels": {"new": "yes"},
    }


def _drop(name: str) -> Callable[[Document], Document]:
    return lambda each: {key: value for key, value in each.items() if key != name}


def _meta(**metadata: Any) -> Callable[[Document], Document]:
    return lambda each: {**each, "metadata": {**each["metadata"], **metadata}}


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            converting(dict, convertedObjects=[]),
            f"conversion webhook for {V1}, Kind=Thing returned 0 objects, expected 1",
        ),
        (
            converting(dict, result={"status": "Failure", "message": "cannot"}),
            f"conversion webhook for {V1}, Kind=Thing failed: cannot",
        ),
        (converting(dict, result={}), "failed: response.result.status was '', not 'Success'"),
        (converting(dict, uid="other"), 'got "other"'),
        (
            lambda _: {"kind": "ConversionReview", "apiVersion": "apiextensions.k8s.io/v1"},
            "failed: no response provided",
        ),
        (lambda _: {"kind": "Other"}, "failed: expected webhook response of apiextensions.k8s.io/v1, "
                                      "Kind=ConversionReview, got , Kind=Other"),
        (
            converting(lambda each: {**each, "apiVersion": V1}),
            f"index 0: invalid groupVersion (expected {V2}, received {V1})",
        ),
        (converting(lambda each: {**each, "kind": "Other"}), "index 0: invalid kind (expected Thing, received Other)"),
        (converting(_drop("metadata")), "index 0: missing metadata in converted object"),
        (converting(_meta(name="b")), "index 0: must have the same name: a != b"),
        (converting(_meta(uid="")), "index 0: must have the same UID: uid-a != "),
        (converting(_meta(labels={"a": 1})), "index 0: metadata.labels: expected a map of strings"),
    ],
)  # fmt: skip
async def test_a_wrong_answer_is_an_error_that_says_what_is_wrong(
    converter: WebhookConverter, backend: WebhookServer, answer: Any, why: str
) -> None:
    backend.answers["/convert"] = answer
    with pytest.raises(StatusError) as caught:
        await converter.convert([thing("a")], V2)
    assert caught.value.code == 500
    assert caught.value.message.endswith(why)


async def test_conversions_are_counted(server: ApiServer, backend: WebhookServer) -> None:
    metrics = Metrics()
    client = WebhookClient(ServiceResolver(server.client_for(ADMIN), Random(1)), WebhookMetrics(metrics))
    webhook = {"clientConfig": backend.client_config("/convert"), "conversionReviewVersions": ["v1"]}
    converter = WebhookConverter(client, webhook, Random(1))
    await converter.convert([thing("a")], V2)
    backend.answers["/convert"] = converting(dict, convertedObjects=[])
    with pytest.raises(StatusError):
        await converter.convert([thing("a")], V2)
    await client.close()
    lines = metrics.exposition().decode().splitlines()
    name, failure = "apiserver_conversion_webhook_request_total", "conversion_webhook_partial_response_failure"
    assert f'{name}{{failure_type="",result="success"}} 1.0' in lines
    assert f'{name}{{failure_type="{failure}",result="failure"}} 1.0' in lines


async def test_a_converter_that_cannot_be_reached_fails_the_request(
    converter: WebhookConverter, backend: WebhookServer
) -> None:
    del backend.answers["/convert"]
    with pytest.raises(StatusError) as caught:
        await converter.convert([thing("a")], V2)
    assert caught.value.message == (
        f"conversion webhook for {V1}, Kind=Thing failed: the server could not find the requested resource"
    )
