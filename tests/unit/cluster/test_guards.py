"""A served API with arguments: who gets in over HTTPS, as whom, and what the audit log has of it."""

from __future__ import annotations

import json
import ssl
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest
import yaml
from tests.webhook_server import WebhookServer

from proa.aio.clock import SystemClock
from proa.apiserver.aggregation.trust import FrontProxy
from proa.client.connection import load_pair
from proa.cluster.server import Trust, start_api
from proa.cluster.settings import Settings
from proa.cluster.tls import serving
from proa.pki.certificates import KeyPair, Subject, create_authority, issue, new_private_key
from proa.store.memory import MemoryStore

NOW = datetime.now(UTC)
CLUSTER, PROXIES = create_authority("cluster", NOW), create_authority("proxies", NOW)
SERVER = issue(CLUSTER, Subject("kube-apiserver"), NOW, addresses=("127.0.0.1",), server=True)
PROXY = issue(PROXIES, Subject("front-proxy-client"), NOW, client=True)
ADMIN = issue(CLUSTER, Subject("admin", ("system:masters",)), NOW, client=True)
WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
PODS = "/api/v1/namespaces/default/pods"


class Api:
    """`start(arguments)`, then `request(...)` as anybody."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.stack = stack
        self.url = ""

    async def start(self, *arguments: str) -> Api:
        front_proxy = FrontProxy("front-proxy-client", PROXIES.certificate, PROXY.certificate, PROXY.key)
        trust = Trust(
            root_ca=CLUSTER.certificate.decode(),
            token_key=new_private_key(),
            tls=serving(SERVER, CLUSTER.certificate),
            front_proxy=front_proxy,
            authority=CLUSTER,
        )
        settings = Settings(name="guarded", api_port=0, api_arguments=arguments)
        store = MemoryStore()
        self.stack.push_async_callback(store.close)
        server, _ = await start_api(store, settings, trust, SystemClock(), Random(1), self.stack, host="127.0.0.1")
        await server.listen()
        self.url = f"https://127.0.0.1:{server.port}"
        return self

    async def request(
        self,
        method: str,
        path: str,
        pair: KeyPair | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> tuple[int, Any]:
        context = ssl.create_default_context(cadata=CLUSTER.certificate.decode())
        if pair is not None:
            load_pair(context, pair.certificate, pair.key)
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.url + path, ssl=context, headers=headers, json=body) as response,
        ):
            text = await response.text()
            return response.status, json.loads(text) if text.startswith("{") else text

    async def who(self, pair: KeyPair | None = None, **headers: str) -> dict[str, Any]:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        status, answer = await self.request("POST", WHO, pair, given, REVIEW)
        return answer["status"]["userInfo"] if status == 201 else {"code": status}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with AsyncExitStack() as stack:
        yield Api(stack)


async def test_a_front_proxy_speaks_for_others_and_nobody_else_does(api: Api) -> None:
    await api.start()
    remote = {"X_Remote_User": "ann", "X_Remote_Group": "team"}
    assert await api.who(PROXY, **remote) == {"username": "ann", "groups": ["team", "system:authenticated"]}
    for name in ("ann", "bob", "ann"):  # each request says anew who it is of
        assert (await api.who(PROXY, X_Remote_User=name))["username"] == name
    assert (await api.who(ADMIN, **remote))["username"] == "admin"
    assert (await api.who(PROXY)).get("username") is None
    status, answer = await api.request("GET", PODS, PROXY, {"X-Remote-User": "ann"})
    assert (status, answer["reason"]) == (403, "Forbidden")
    assert 'User "ann" cannot list resource "pods"' in answer["message"]


async def test_what_extension_servers_must_know_is_published(api: Api) -> None:
    await api.start()
    path = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
    _, answer = await api.request("GET", path, ADMIN)
    assert answer["data"]["client-ca-file"] == CLUSTER.certificate.decode()
    assert answer["data"]["requestheader-client-ca-file"] == PROXIES.certificate.decode()
    assert answer["data"]["requestheader-allowed-names"] == '["front-proxy-client"]'


async def test_the_issuer_of_tokens_can_be_discovered_by_accounts(api: Api) -> None:
    await api.start("service-account-issuer=https://issuer.example.com", "service-account-jwks-uri=https://x.example/k")
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}}
    await api.request("POST", "/api/v1/namespaces/default/serviceaccounts", ADMIN, body=account)
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    path = "/api/v1/namespaces/default/serviceaccounts/robot/token"
    _, issued = await api.request("POST", path, ADMIN, body=asked)
    bearer = {"Authorization": f"Bearer {issued['status']['token']}"}
    status, found = await api.request("GET", "/.well-known/openid-configuration", headers=bearer)
    assert (status, found["issuer"], found["jwks_uri"]) == (200, "https://issuer.example.com", "https://x.example/k")
    status, keys = await api.request("GET", "/openid/v1/jwks", headers=bearer)
    assert (status, keys["keys"][0]["alg"]) == (200, "ES256")
    assert (await api.request("GET", "/openid/v1/jwks"))[0] == 403


async def test_a_token_file_lets_its_users_in(api: Api, tmp_path: Path) -> None:
    (tmp_path / "tokens.csv").write_text("secret,carl,9\n")
    await api.start(f"token-auth-file={tmp_path / 'tokens.csv'}")
    assert await api.who(Authorization="Bearer secret") == {
        "username": "carl",
        "uid": "9",
        "groups": ["system:authenticated"],
    }
    assert await api.who(Authorization="Bearer other") == {"code": 401}


async def test_anonymous_can_be_let_to_health_only_or_not_at_all(api: Api, tmp_path: Path) -> None:
    path = tmp_path / "authentication.yaml"
    document = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "anonymous": {"enabled": True, "conditions": [{"path": "/livez"}]},
    }
    path.write_text(yaml.safe_dump(document))
    await api.start(f"authentication-config={path}")
    assert [(await api.request("GET", each))[0] for each in ("/livez", "/version", PODS)] == [200, 401, 401]
    async with AsyncExitStack() as stack:
        closed = await Api(stack).start("anonymous-auth=false")
        assert (await closed.request("GET", "/livez"))[0] == 401


async def test_without_arguments_anonymous_sees_what_is_public(api: Api) -> None:
    await api.start()
    assert [(await api.request("GET", each))[0] for each in ("/livez", "/version", PODS)] == [200, 200, 403]


async def test_authorization_modes_can_be_chosen(api: Api) -> None:
    await api.start("authorization-mode=AlwaysAllow")
    assert (await api.request("GET", PODS))[0] == 200


async def test_requests_are_written_to_the_audit_log_until_the_server_stops(api: Api, tmp_path: Path) -> None:
    policy, log = tmp_path / "policy.yaml", tmp_path / "audit.log"
    policy.write_text("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n")
    async with AsyncExitStack() as stack:
        served = await Api(stack).start(f"audit-policy-file={policy}", f"audit-log-path={log}")
        await served.request("GET", PODS, ADMIN)
    events = [json.loads(line) for line in log.read_text().splitlines()]
    mine = [(each["stage"], each["verb"]) for each in events if each["user"]["username"] == "admin"]
    assert mine == [("RequestReceived", "list"), ("ResponseComplete", "list")]


async def test_a_bootstrap_token_may_ask_for_a_nodes_certificate(api: Api) -> None:
    await api.start()
    data = {"token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true"}
    secret = {
        "metadata": {"name": "bootstrap-token-abcdef"},
        "type": "bootstrap.kubernetes.io/token",
        "stringData": data,
    }
    await api.request("POST", "/api/v1/namespaces/kube-system/secrets", ADMIN, body=secret)
    assert await api.who(Authorization="Bearer abcdef.0123456789abcdef") == {
        "username": "system:bootstrap:abcdef",
        "groups": ["system:bootstrappers", "system:authenticated"],
    }


async def test_what_a_certificate_proves_a_token_beside_it_does_not(api: Api) -> None:
    await api.start()
    assert (await api.who(ADMIN, Authorization="Bearer nonsense"))["username"] == "admin"
    assert await api.who(Authorization="Bearer nonsense") == {"code": 401}


async def test_a_browser_brings_its_token_among_the_protocols_of_a_websocket(api: Api, tmp_path: Path) -> None:
    (tmp_path / "tokens.csv").write_text('secret,root,1,"system:masters"\n')
    await api.start(f"token-auth-file={tmp_path / 'tokens.csv'}")
    token = "base64url.bearer.authorization.k8s.io." + urlsafe_b64encode(b"secret").rstrip(b"=").decode()

    async def code(*protocols: str) -> int:
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        key = {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Protocol": ", ".join(protocols)}
        return (await api.request("GET", f"{PODS}/missing/exec?command=a", headers={**upgrade, **key}))[0]

    assert await code(token, "v5.channel.k8s.io") == 404
    assert await code("v5.channel.k8s.io") == 403
    assert await code(token) == 401
    assert await code(token, token, "v5.channel.k8s.io") == 401
    assert await code("base64url.bearer.authorization.k8s.io.!", "v5.channel.k8s.io") == 401


def kubeconfig(folder: Path, hook: WebhookServer, path: str) -> Path:
    cluster = {"server": f"https://127.0.0.1:{hook.port}{path}", "certificate-authority-data": hook.ca_bundle}
    document = {
        "clusters": [{"name": "a", "cluster": cluster}],
        "contexts": [{"name": "a", "context": {"cluster": "a"}}],
        "current-context": "a",
    }
    written = folder / f"{path.strip('/')}.kubeconfig"
    written.write_text(yaml.safe_dump(document))
    return written


async def test_webhooks_say_who_somebody_is_and_what_they_may(api: Api, tmp_path: Path) -> None:
    def who(review: dict[str, Any]) -> dict[str, Any]:
        known = review["spec"]["token"] == "secret"
        user = {"username": "ann", "groups": ["team"]} if known else {}
        return {**review, "status": {"authenticated": known, "user": user}}

    def may(review: dict[str, Any]) -> dict[str, Any]:
        on = review["spec"].get("resourceAttributes") or {}
        return {**review, "status": {"allowed": on.get("resource") == "pods", "reason": "only pods"}}

    async with WebhookServer({"/who": who, "/may": may}) as hook:
        await api.start(
            f"authentication-token-webhook-config-file={kubeconfig(tmp_path, hook, '/who')}",
            "authorization-mode=Node,RBAC,Webhook",
            f"authorization-webhook-config-file={kubeconfig(tmp_path, hook, '/may')}",
            "authorization-webhook-version=v1",
        )
        bearer = {"Authorization": "Bearer secret"}
        assert (await api.who(**bearer))["username"] == "ann"
        assert (await api.request("GET", PODS, headers=bearer))[0] == 200
        status, answer = await api.request("GET", "/api/v1/nodes", headers=bearer)
        assert (status, answer["message"].endswith(": only pods")) == (403, True)
        assert await api.who(Authorization="Bearer other") == {"code": 401}
        rules = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": "a"}}
        path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
        _, found = await api.request("POST", path, headers=bearer, body=rules)
        assert found["status"]["incomplete"]
        assert "webhook authorizer does not support user rule resolution" in found["status"]["evaluationError"]


async def test_a_webhook_may_stand_before_the_others_and_have_conditions(api: Api, tmp_path: Path) -> None:
    def deny(review: dict[str, Any]) -> dict[str, Any]:
        return {**review, "status": {"allowed": False, "denied": True, "reason": "not today"}}

    async with WebhookServer({"/deny": deny}) as hook:
        webhook = {
            "authorizedTTL": "5m",
            "unauthorizedTTL": "30s",
            "timeout": "3s",
            "subjectAccessReviewVersion": "v1",
            "matchConditionSubjectAccessReviewVersion": "v1",
            "failurePolicy": "Deny",
            "connectionInfo": {"type": "KubeConfigFile", "kubeConfigFile": str(kubeconfig(tmp_path, hook, "/deny"))},
            "matchConditions": [{"expression": "request.user == 'ann'"}],
        }
        document = {
            "apiVersion": "apiserver.config.k8s.io/v1",
            "kind": "AuthorizationConfiguration",
            "authorizers": [
                {"type": "Webhook", "name": "first", "webhook": webhook},
                {"type": "AlwaysAllow", "name": "rest"},
            ],
        }
        (tmp_path / "authorization.yaml").write_text(yaml.safe_dump(document))
        (tmp_path / "tokens.csv").write_text("a,ann,1\nb,bob,2\n")
        await api.start(
            f"authorization-config={tmp_path / 'authorization.yaml'}", f"token-auth-file={tmp_path / 'tokens.csv'}"
        )
        status, answer = await api.request("GET", PODS, headers={"Authorization": "Bearer a"})
        assert (status, answer["message"].endswith(": not today")) == (403, True)
        assert (await api.request("GET", PODS, headers={"Authorization": "Bearer b"}))[0] == 200
        assert len(hook.seen) == 1
