"""Webhooks that know tokens and decide about access, named by kubeconfig files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from aiohttp import web
from tests.webhook_server import WebhookServer

from proa.aio.backoff import Backoff
from proa.aio.clock import SystemClock
from proa.apiserver.authn.webhook import WebhookAuthenticator
from proa.apiserver.authz.webhook import WebhookAuthorizer
from proa.apiserver.compose import ApiServer
from proa.apiserver.identity import (
    LOOPBACK,
    UNKNOWN,
    AccessAttributes,
    Credentials,
    DecidesFromMemory,
    Decision,
    FirstOpinion,
    SubjectRules,
    User,
    Verdict,
)
from proa.apiserver.services import ServiceResolver
from proa.apiserver.webhooks.client import WebhookClient
from proa.apiserver.webhooks.kubeconfig import KubeconfigWebhook
from proa.client.kubeconfig import KubeconfigError
from proa.machinery.status import StatusError

NOW_RETRY = Backoff(base=0.0)
OWN = "https://own"


class Later(SystemClock):
    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


class Remote:
    """A webhook backend whose answers have the status `status`, and its kubeconfig."""

    def __init__(self, server: ApiServer, folder: Path) -> None:
        self.status: dict[str, Any] = {}
        self.failures = 0
        self.code = 500
        self.folder = folder
        self.clock = Later()
        self.backend = WebhookServer({"/ask": self._answer})
        self.client = WebhookClient(ServiceResolver(server.client_for(LOOPBACK), Random(1)))

    def _answer(self, review: dict[str, Any]) -> Any:
        if self.failures:
            self.failures -= 1
            return web.Response(status=self.code)
        return {**review, "status": self.status}

    @property
    def asked(self) -> list[dict[str, Any]]:
        return [document["spec"] for _, document in self.backend.seen]

    def webhook(self, **cluster: Any) -> KubeconfigWebhook:
        path = self.folder / "webhook.kubeconfig"
        url, bundle = f"https://127.0.0.1:{self.backend.port}/ask", self.backend.ca_bundle
        document = {
            "clusters": [{"name": "a", "cluster": {"server": url, "certificate-authority-data": bundle, **cluster}}],
            "users": [{"name": "u", "user": {"token": "secret"}}],
            "contexts": [{"name": "c", "context": {"cluster": "a", "user": "u"}}],
            "current-context": "c",
        }
        path.write_text(yaml.safe_dump(document))
        return KubeconfigWebhook(path, self.client, retry=NOW_RETRY)

    def tokens(self, **more: Any) -> WebhookAuthenticator:
        arguments = {"version": "v1", "remember": 60.0, **more}
        return WebhookAuthenticator(self.webhook(), (OWN,), self.clock, **arguments)

    def authorizer(self, **more: Any) -> WebhookAuthorizer:
        return WebhookAuthorizer(self.webhook(), self.clock, **more)


@pytest.fixture
async def remote(server: ApiServer, tmp_path: Path) -> AsyncIterator[Remote]:
    made = Remote(server, tmp_path)
    async with made.backend:
        yield made
    await made.client.close()


# -- tokens

ANN = {"authenticated": True, "user": {"username": "ann", "uid": "7", "groups": ["a"], "extra": {"k": ["v"]}}}


async def test_a_token_the_webhook_knows_is_a_user(remote: Remote) -> None:
    remote.status = ANN
    credentials = Credentials("t")
    user = await remote.tokens().authenticate(credentials)
    assert user is not None
    assert (user, user.extra) == (User("ann", "7", ("a",), {"k": ("v",)}), {"k": ("v",)})
    assert credentials.remarks.audiences == (OWN,)
    assert remote.asked == [{"token": "t", "audiences": [OWN]}]
    assert remote.backend.seen[0][1]["apiVersion"] == "authentication.k8s.io/v1"


async def test_a_token_the_webhook_does_not_know_is_left_to_others(remote: Remote) -> None:
    tokens = remote.tokens(remember=0.0)
    remote.status = {"authenticated": False}
    assert await tokens.authenticate(Credentials("t")) is None
    assert await tokens.authenticate(Credentials("")) is None
    remote.status = {"authenticated": False, "error": "odd token"}
    with pytest.raises(StatusError, match="odd token"):
        await tokens.authenticate(Credentials("t"))


async def test_a_token_for_other_audiences_is_not_for_this_server(remote: Remote) -> None:
    remote.status = {**ANN, "audiences": ["x"]}
    tokens = remote.tokens()
    assert await tokens.authenticate(Credentials("t")) is None
    credentials = Credentials("t", audiences=("x", "y"))
    assert await tokens.authenticate(credentials) is not None
    assert credentials.remarks.audiences == ("x",)


async def test_an_answer_about_a_token_counts_for_a_while(remote: Remote) -> None:
    remote.status = ANN
    tokens = remote.tokens(remember=60.0)
    for ahead, asked in ((0, 1), (59, 1), (61, 2)):
        remote.clock.ahead = ahead
        assert await tokens.authenticate(Credentials("t")) is not None
        assert len(remote.asked) == asked


async def test_a_webhook_that_fails_is_asked_again(remote: Remote) -> None:
    remote.status, remote.failures = ANN, 4
    assert await remote.tokens().authenticate(Credentials("t")) is not None
    remote.failures = 5
    with pytest.raises(StatusError, match="the server responded with the status code 500"):
        await remote.tokens().authenticate(Credentials("t"))
    remote.failures, remote.code = 1, 403
    with pytest.raises(StatusError):
        await remote.tokens().authenticate(Credentials("t"))


async def test_an_answer_in_another_version_does_not_count(remote: Remote) -> None:
    remote.backend.answers["/ask"] = lambda review: {**review, "apiVersion": "authentication.k8s.io/v1", "status": ANN}
    with pytest.raises(StatusError, match=r"no TokenReview of authentication.k8s.io/v1beta1"):
        await remote.tokens(version="v1beta1").authenticate(Credentials("t"))


async def test_a_server_name_that_cannot_be_honoured_is_refused(remote: Remote) -> None:
    with pytest.raises(KubeconfigError, match="tls-server-name is not implemented"):
        remote.webhook(**{"tls-server-name": "x"})


# -- access

LIST = AccessAttributes(
    User("ann", "7", ("a",), {"k": ("v",)}),
    "list",
    version="v1",
    resource="pods",
    namespace="ns",
    field_selector="spec.nodeName=n,a!=b",
    label_selector="app in (x,y),!old,tier=web",
)


class RefusesAll(DecidesFromMemory):
    generation = 0

    def authorize(self, attributes: AccessAttributes) -> Decision:
        return Decision(Verdict.NO_OPINION, "mine")

    def rules_for(self, user: User, namespace: str) -> SubjectRules:
        return SubjectRules()


async def test_the_webhook_is_told_who_wants_what(remote: Remote) -> None:
    remote.status = {"allowed": True, "reason": "because"}
    decision = await remote.authorizer().decide(LIST)
    assert decision == Decision(Verdict.ALLOW, "because", lasting=False)
    assert remote.asked == [
        {
            "user": "ann",
            "uid": "7",
            "groups": ["a"],
            "extra": {"k": ["v"]},
            "resourceAttributes": {
                "namespace": "ns",
                "verb": "list",
                "version": "v1",
                "resource": "pods",
                "fieldSelector": {
                    "requirements": [
                        {"key": "spec.nodeName", "operator": "In", "values": ["n"]},
                        {"key": "a", "operator": "NotIn", "values": ["b"]},
                    ]
                },
                "labelSelector": {
                    "requirements": [
                        {"key": "app", "operator": "In", "values": ["x", "y"]},
                        {"key": "old", "operator": "DoesNotExist"},
                        {"key": "tier", "operator": "In", "values": ["web"]},
                    ]
                },
            },
        }
    ]


async def test_paths_and_the_older_version_are_asked_about_in_their_words(remote: Remote) -> None:
    remote.status = {"allowed": False, "denied": True}
    asked = AccessAttributes(User("ann", groups=("a",)), "get", path="/metrics", is_resource=False)
    assert (await remote.authorizer(version="v1beta1").decide(asked)).verdict is Verdict.DENY
    assert remote.asked == [
        {"user": "ann", "group": ["a"], "nonResourceAttributes": {"path": "/metrics", "verb": "get"}}
    ]


async def test_answers_are_known_at_once_until_their_time_is_over(remote: Remote) -> None:
    authorizer = remote.authorizer(allowed=300.0, refused=30.0)
    assert authorizer.authorize(LIST) is UNKNOWN
    remote.status = {"allowed": True}
    await authorizer.decide(LIST)
    assert authorizer.authorize(LIST).allowed
    remote.clock.ahead = 301
    assert authorizer.authorize(LIST) is UNKNOWN
    remote.status = {"allowed": False}
    await authorizer.decide(LIST)
    remote.clock.ahead += 29
    assert authorizer.authorize(LIST).verdict is Verdict.NO_OPINION
    remote.clock.ahead += 2
    assert authorizer.authorize(LIST) is UNKNOWN


async def test_a_webhook_that_cannot_be_asked_has_no_opinion_and_is_not_remembered(remote: Remote) -> None:
    authorizer = remote.authorizer()
    remote.failures = 5
    decision = await authorizer.decide(LIST)
    assert (decision.verdict, decision.lasting) == (Verdict.NO_OPINION, False)
    assert "the server responded with the status code 500" in decision.error
    remote.status = {"allowed": True}
    assert (await authorizer.decide(LIST)).allowed


async def test_in_the_union_what_one_must_ask_is_asked_and_does_not_last(remote: Remote) -> None:
    remote.status = {"allowed": False, "reason": "theirs"}
    union = FirstOpinion([remote.authorizer(), RefusesAll()])
    assert union.authorize(LIST).verdict is Verdict.UNKNOWN
    assert await union.decide(LIST) == Decision(Verdict.NO_OPINION, "theirs\nmine", lasting=False)
