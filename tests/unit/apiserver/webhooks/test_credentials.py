from __future__ import annotations

import base64
import ssl
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from aiohttp import web
from tests.unit.apiserver.conftest import ADMIN, config_map
from tests.unit.apiserver.webhooks.conftest import Guarded, hook
from tests.webhook_server import WebhookServer, answering

from proa.api.core_v1.resources import CONFIG_MAPS
from proa.apiserver.compose import ApiServer
from proa.apiserver.plugins import default_plugins
from proa.apiserver.plugins.context import PluginContext
from proa.apiserver.webhooks.credentials import CredentialsError, configured
from proa.client.informer import Informers
from proa.pki.certificates import create_authority

PLUGIN = "ValidatingAdmissionWebhook"


def configuration(path: Path, *users: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    listed = [{"name": name, "user": user} for name, user in users]
    path.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", "users": listed}))
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "WebhookAdmissionConfiguration",
        "kubeConfigFile": str(path),
    }


@pytest.mark.parametrize(
    ("target", "who"),
    [
        ({"service": {"namespace": "ops", "name": "hook"}}, "exact"),
        ({"service": {"namespace": "ops", "name": "hook", "port": 8443}}, "port"),
        ({"service": {"namespace": "ops", "name": "other"}}, "namespace"),
        ({"service": {"namespace": "dev", "name": "hook"}}, "services"),
        ({"url": "https://hooks.example.com:8443/x"}, "anybody"),
    ],
)
async def test_the_most_exact_user_is_presented(tmp_path: Path, target: dict[str, Any], who: str) -> None:
    users = [
        ("hook.ops.svc", {"token": "exact"}),
        ("hook.ops.svc:8443", {"token": "port"}),
        ("*.ops.svc", {"token": "namespace"}),
        ("*.svc", {"token": "services"}),
        ("*", {"token": "anybody"}),
    ]
    found = configured(PLUGIN, configuration(tmp_path / "config", *users))
    assert found is not None
    assert await found.towards(target) == (None, {"Authorization": f"Bearer {who}"})


async def test_a_certificate_is_presented_over_connections_of_its_own(tmp_path: Path) -> None:
    pair = create_authority("me", datetime.now(UTC))
    user = {f"client-{part}-data": base64.b64encode(content).decode()
            for part, content in (("certificate", pair.certificate), ("key", pair.key))}  # fmt: skip
    found = configured(PLUGIN, configuration(tmp_path / "config", ("*.svc", user)))
    assert found is not None
    hook = {"service": {"namespace": "ops", "name": "hook"}}
    context, headers = await found.towards(hook)
    assert isinstance(context, ssl.SSLContext)
    assert headers == {}
    assert (await found.towards(hook))[0] is context


async def test_nobody_is_presented_to_those_who_are_not_named(tmp_path: Path) -> None:
    found = configured(PLUGIN, configuration(tmp_path / "config", ("hook.ops.svc", {"token": "x"})))
    assert found is not None
    assert await found.towards({"url": "https://example.com"}) == (None, {})
    assert configured(PLUGIN, {}) is None


def test_what_cannot_be_used_is_refused_at_the_start(tmp_path: Path) -> None:
    good = configuration(tmp_path / "config", ("*", {"token": "x"}))
    for wrong, why in (
        ({**good, "kind": "Other"}, "must be a WebhookAdmissionConfiguration"),
        ({**good, "staticManifestsDir": "/x"}, "not implemented: staticManifestsDir"),
        ({**good, "kubeConfigFile": "relative"}, "must be an absolute file path"),
        ({**good, "kubeConfigFile": str(tmp_path / "nowhere")}, "has no users"),
        (configuration(tmp_path / "exec", ("*", {"exec": {"command": "x"}})), "credential plugins"),
    ):
        with pytest.raises(CredentialsError, match=why):
            configured(PLUGIN, wrong)


async def test_a_webhook_is_called_with_the_token_that_is_for_it(server: ApiServer, tmp_path: Path) -> None:
    client, seen = server.client_for(ADMIN), []

    class Noting(WebhookServer):
        async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
            seen.append(request.headers.get("Authorization"))
            return await super()._handle(request)

    document = configuration(tmp_path / "config", ("*", {"token": "secret"}))
    async with Noting({"/allow": answering()}) as backend, Informers(client) as informers:
        context = PluginContext(client, informers, Random(1), configuration={PLUGIN: document}, server=server)
        server.install(admission=default_plugins(context))
        guarded = Guarded(server, informers)
        await guarded.configure("validating", hook(backend.client_config("/allow")))
        await guarded.create(CONFIG_MAPS, config_map("a"))
    assert seen == ["Bearer secret"]
