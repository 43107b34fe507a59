"""Service-account tokens as the server issues and recognises them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from tests.unit.apiserver.conftest import options

from proa.aio.clock import SystemClock
from proa.api.core_v1 import Node, Pod, Secret, ServiceAccount
from proa.api.core_v1.resources import NODES, PODS, SECRETS, SERVICE_ACCOUNTS
from proa.apiserver.authn.service_accounts import INVALID_SINCE, LAST_USED, ServiceAccountAuthenticator
from proa.apiserver.compose import ApiServer
from proa.apiserver.identity import LOOPBACK, Credentials, User
from proa.apiserver.token_requests import TokenRequests
from proa.client.protocol import Client
from proa.machinery.meta import ObjectMeta
from proa.machinery.status import StatusError
from proa.pki.certificates import new_private_key
from proa.pki.tokens import TokenSigner

AUDIENCE = "https://issuer"


class InTwoHours(SystemClock):
    def now(self) -> datetime:
        return super().now() + timedelta(hours=2)


class Tokens:
    """A server with the account `robot` in `default`, and its tokens."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self.client: Client = server.client_for(LOOPBACK)
        self.clock = server.config.clock
        self.signer = TokenSigner(new_private_key(), AUDIENCE)
        self.authenticator = ServiceAccountAuthenticator(self.signer, (AUDIENCE,), self.client, self.clock)
        self.issue_with()

    def issue_with(self, **arguments: Any) -> None:
        issuer = TokenRequests(self.signer, (AUDIENCE,), self.client, self.clock, **arguments)
        self.server.install(authenticators=[self.authenticator], token_issuer=issuer)

    async def request(self, warnings: list[str] | None = None, name: str = "robot", **spec: Any) -> dict[str, Any]:
        asking = options()
        answer = await self.server.post(SERVICE_ACCOUNTS, "default", name, "token", {"spec": spec}, asking)
        if warnings is not None:
            warnings += asking.warnings
        return answer

    async def token(self, **spec: Any) -> str:
        token: str = (await self.request(**spec))["status"]["token"]
        return token

    async def who(self, token: str, *audiences: str) -> tuple[User | None, Credentials]:
        credentials = Credentials(token, audiences=audiences)
        return await self.authenticator.authenticate(credentials), credentials

    async def secret(self, **labels: str) -> tuple[str, str]:
        """A Secret with a token in it: its name and the token."""
        account = await self.client.get(SERVICE_ACCOUNTS, "robot", "default")
        token = self.signer.issue_for_secret(
            namespace="default", name="robot", uid=account.metadata.uid, secret="robot-token"
        )
        meta = ObjectMeta(
            name="robot-token",
            namespace="default",
            labels=labels,
            annotations={"kubernetes.io/service-account.name": "robot"},
        )
        data = {"token": token.encode()}
        await self.client.create(SECRETS, Secret(metadata=meta, data=data, type="kubernetes.io/service-account-token"))
        return "robot-token", token


@pytest.fixture
async def tokens(server: ApiServer) -> Tokens:
    made = Tokens(server)
    await made.client.create(SERVICE_ACCOUNTS, ServiceAccount(metadata=ObjectMeta(name="robot", namespace="default")))
    return made


async def bound(tokens: Tokens, kind: str) -> tuple[Any, dict[str, Any]]:
    """A new object to bind a token to, and the reference."""
    meta = {"name": "it", **({} if kind == "Node" else {"namespace": "default"})}
    spec: dict[str, Any] = {}
    if kind == "Pod":
        spec = {"containers": [{"name": "a", "image": "b"}], "serviceAccountName": "robot", "nodeName": "gone"}
    resource, type = {"Pod": (PODS, Pod), "Secret": (SECRETS, Secret), "Node": (NODES, Node)}[kind]
    document = {"metadata": meta, **({"spec": spec} if spec else {})}
    made: Any = await tokens.client.create(resource, msgspec.convert(document, type))  # type: ignore[type-var]
    return resource, {"kind": kind, "apiVersion": "v1", "name": "it", "uid": made.metadata.uid}


async def test_a_token_speaks_for_its_account(tokens: Tokens) -> None:
    user, credentials = await tokens.who(await tokens.token())
    assert user is not None
    assert user.name == "system:serviceaccount:default:robot"
    assert user.groups == ("system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated")
    assert credentials.remarks.audiences == (AUDIENCE,)
    assert user.extra["authentication.kubernetes.io/credential-id"][0].startswith("JTI=")


async def test_an_answer_tells_audiences_seconds_and_whose_token_it_is(tokens: Tokens) -> None:
    answer = await tokens.request()
    account = await tokens.client.get(SERVICE_ACCOUNTS, "robot", "default")
    assert answer["spec"] == {"audiences": [AUDIENCE], "expirationSeconds": 3600}
    assert answer["metadata"]["uid"] == account.metadata.uid
    assert answer["metadata"]["name"] == "robot"


async def test_a_token_for_others_is_not_for_this_server(tokens: Tokens) -> None:
    token = await tokens.token(audiences=["vault"])
    with pytest.raises(StatusError, match="is invalid for the target audiences"):
        await tokens.who(token)
    _, credentials = await tokens.who(token, "vault", "other")
    assert credentials.remarks.audiences == ("vault",)


async def test_a_token_of_another_issuer_is_left_to_other_authenticators(tokens: Tokens) -> None:
    other = TokenSigner(new_private_key(), "https://other")
    hour = timedelta(hours=1)
    text = other.issue(
        namespace="a", name="b", uid="c", audiences=[AUDIENCE], lifetime=hour, now=tokens.clock.now()
    ).token
    assert (await tokens.who(text))[0] is None


async def test_a_token_ends_with_its_account(tokens: Tokens) -> None:
    token = await tokens.token()
    await tokens.client.delete(SERVICE_ACCOUNTS, "robot", "default")
    with pytest.raises(StatusError, match='serviceaccounts "robot" not found'):
        await tokens.who(token)
    await tokens.client.create(SERVICE_ACCOUNTS, ServiceAccount(metadata=ObjectMeta(name="robot", namespace="default")))
    with pytest.raises(StatusError, match="does not match claim"):
        await tokens.who(token)


@pytest.mark.parametrize("kind", ["Pod", "Secret", "Node"])
async def test_a_bound_token_ends_with_what_it_is_bound_to(tokens: Tokens, kind: str) -> None:
    resource, reference = await bound(tokens, kind)
    token = await tokens.token(boundObjectRef=reference)
    user, _ = await tokens.who(token)
    assert user is not None
    if kind == "Pod":
        assert user.extra["authentication.kubernetes.io/pod-name"] == ("it",)
        assert user.extra["authentication.kubernetes.io/node-name"] == ("gone",)
    await tokens.client.delete(
        resource, "it", "" if kind == "Node" else "default", grace_period_seconds=0 if kind == "Pod" else None
    )
    with pytest.raises(StatusError, match="service account token has been invalidated"):
        await tokens.who(token)


async def test_a_token_is_bound_only_to_what_is_meant(tokens: Tokens) -> None:
    _, reference = await bound(tokens, "Pod")
    with pytest.raises(StatusError, match="does not match the UID in record") as refused:
        await tokens.token(boundObjectRef=reference | {"uid": "other"})
    assert refused.value.code == 409
    other = ServiceAccount(metadata=ObjectMeta(name="other", namespace="default"))
    await tokens.client.create(SERVICE_ACCOUNTS, other)
    with pytest.raises(StatusError, match="running with different serviceaccount name") as refused:
        await tokens.request(name="other", boundObjectRef=reference)
    assert refused.value.code == 400
    with pytest.raises(StatusError, match="cannot bind token to object of type apps/v1, Kind=Deployment"):
        await tokens.token(boundObjectRef={"kind": "Deployment", "apiVersion": "apps/v1", "name": "x"})


@pytest.mark.parametrize(("seconds", "why"), [(599, "less than 10 minutes"), (2**32 + 1, "larger than 2\\^32 seconds")])
async def test_a_life_of_seconds_or_centuries_is_refused(tokens: Tokens, seconds: int, why: str) -> None:
    with pytest.raises(StatusError, match=why) as refused:
        await tokens.token(expirationSeconds=seconds)
    assert refused.value.code == 422


async def test_a_request_that_names_another_account_is_refused(tokens: Tokens) -> None:
    post = tokens.server.post
    for meta, code in (({"name": "x"}, 422), ({"namespace": "x"}, 422), ({"uid": "x"}, 409)):
        with pytest.raises(StatusError) as refused:
            await post(SERVICE_ACCOUNTS, "default", "robot", "token", {"metadata": meta}, options())
        assert refused.value.code == code


async def test_a_life_longer_than_allowed_is_shortened_with_a_warning(tokens: Tokens) -> None:
    tokens.issue_with(maximum=3600.0)
    warnings: list[str] = []
    answer = await tokens.request(warnings, expirationSeconds=7200)
    assert warnings == ["requested expiration of 7200 seconds shortened to 3600 seconds"]
    assert answer["spec"]["expirationSeconds"] == 3600


async def test_a_pods_projected_token_lasts_a_year_and_is_remarked_when_it_is_stale(tokens: Tokens) -> None:
    _, reference = await bound(tokens, "Pod")
    token = await tokens.token(boundObjectRef=reference, expirationSeconds=3607)
    claims = tokens.signer.verify(token, [AUDIENCE], tokens.clock.now())
    assert claims.expires_at is not None
    assert claims.warn_after is not None
    assert claims.expires_at - tokens.clock.now() > timedelta(days=364)
    assert claims.warn_after - tokens.clock.now() < timedelta(seconds=3608)
    assert not (await tokens.who(token))[1].remarks.annotations

    authenticator = ServiceAccountAuthenticator(tokens.signer, (AUDIENCE,), tokens.client, InTwoHours())
    credentials = Credentials(token)
    assert await authenticator.authenticate(credentials) is not None
    assert "seconds after warning threshold: 35" in credentials.remarks.annotations["authentication.k8s.io/stale-token"]

    tokens.issue_with(extend=False)
    token = await tokens.token(boundObjectRef=reference, expirationSeconds=3607)
    assert tokens.signer.verify(token, [AUDIENCE], tokens.clock.now()).warn_after is None


async def test_a_token_in_a_secret_lives_as_long_as_it_and_is_marked_as_used(tokens: Tokens) -> None:
    name, token = await tokens.secret()
    user, credentials = await tokens.who(token)
    assert user is not None
    assert user.name == "system:serviceaccount:default:robot"
    assert credentials.remarks.annotations == {"authentication.k8s.io/legacy-token-manual-secret": name}
    secret = await tokens.client.get(SECRETS, name, "default")
    assert secret.metadata.labels[LAST_USED] == f"{tokens.clock.now():%Y-%m-%d}"
    await tokens.client.delete(SECRETS, name, "default")
    with pytest.raises(StatusError, match="Token has been invalidated"):
        await tokens.who(token)


async def test_a_token_that_is_no_longer_the_secrets_is_refused(tokens: Tokens) -> None:
    name, token = await tokens.secret()
    await tokens.client.patch(SECRETS, name, "default", {"data": {"token": "eA=="}}, type="merge")
    with pytest.raises(StatusError, match="Token does not match server's copy"):
        await tokens.who(token)
    without = ServiceAccountAuthenticator(tokens.signer, (AUDIENCE,), tokens.client, tokens.clock, lookup=False)
    assert await without.authenticate(Credentials(token)) is not None


async def test_a_secrets_token_can_be_marked_invalid(tokens: Tokens) -> None:
    _, token = await tokens.secret(**{INVALID_SINCE: "2026-01-01"})
    with pytest.raises(StatusError, match="has been marked invalid"):
        await tokens.who(token)


async def test_a_secret_made_for_the_account_draws_a_warning(tokens: Tokens) -> None:
    name, token = await tokens.secret()
    await tokens.client.patch(SERVICE_ACCOUNTS, "robot", "default", {"secrets": [{"name": name}]}, type="merge")
    _, credentials = await tokens.who(token)
    assert "instead of auto-generated secret-based tokens" in credentials.remarks.warnings[0]
