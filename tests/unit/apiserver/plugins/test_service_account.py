from __future__ import annotations

from typing import Any

import pytest

from proa.api.core_v1 import ServiceAccount as Account
from proa.api.core_v1.resources import PODS, SERVICE_ACCOUNTS
from proa.apiserver.plugins.context import PluginContext
from proa.apiserver.plugins.service_account import ENFORCE, ServiceAccount
from proa.machinery.status import StatusError

from .conftest import made, passed, write

MIRROR = {"kubernetes.io/config.mirror": "x"}


def pod(annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    meta = {"name": "p", "annotations": annotations or {}}
    return {"metadata": meta, "spec": {"containers": [{"name": "c", "image": "x"}], **spec}}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"serviceAccountName": "a"}, "a mirror pod may not reference service accounts"),
        ({"imagePullSecrets": [{"name": "s"}]}, "a mirror pod may not reference secrets"),
        ({"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}, "a mirror pod may not reference secrets"),
        (
            {"volumes": [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]},
            "a mirror pod may not use ServiceAccountToken volume projections",
        ),
    ],
)
async def test_a_mirror_pod_uses_nothing_of_the_api(context: PluginContext, spec: dict[str, Any], said: str) -> None:
    plugin = ServiceAccount(context)
    attributes = write(PODS, pod(MIRROR, **spec))
    await passed(plugin.mutate(attributes))
    with pytest.raises(StatusError, match=said):
        await passed(plugin.validate(attributes))


SECRET_ENV = [{"name": "E", "valueFrom": {"secretKeyRef": {"name": "other", "key": "k"}}}]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"volumes": [{"name": "v", "secret": {"secretName": "mine"}}]}, ""),
        ({"imagePullSecrets": [{"name": "pull"}]}, ""),
        (
            {"volumes": [{"name": "v", "secret": {"secretName": "other"}}]},
            'volume with secret.secretName="other" is not allowed because service account limited does not reference',
        ),
        (
            {"containers": [{"name": "c", "env": SECRET_ENV}]},
            'container c with envVar E referencing secret.secretName="other" is not allowed',
        ),
        (
            {"initContainers": [{"name": "i", "envFrom": [{"secretRef": {"name": "other"}}]}]},
            'init container i with envFrom referencing secret.secretName="other" is not allowed',
        ),
        ({"imagePullSecrets": [{"name": "other"}]}, r'imagePullSecrets\[0\].name="other" is not allowed'),
    ],
)
async def test_an_account_may_limit_its_pods_to_the_secrets_it_names(
    context: PluginContext, spec: dict[str, Any], said: str
) -> None:
    limits = {"annotations": {ENFORCE: "true"}}
    names: dict[str, Any] = {"secrets": [{"name": "mine"}], "imagePullSecrets": [{"name": "pull"}]}
    await context.client.create(SERVICE_ACCOUNTS, made(Account, "limited", "default", metadata=limits, **names))
    plugin = ServiceAccount(context)
    attributes = write(PODS, pod(serviceAccountName="limited", **spec))
    await passed(plugin.mutate(attributes))
    if said:
        with pytest.raises(StatusError, match=said):
            await passed(plugin.validate(attributes))
    else:
        await passed(plugin.validate(attributes))
    debugger = [{"name": "e", "image": "x", "env": SECRET_ENV}]
    debugged = pod(serviceAccountName="limited", ephemeralContainers=debugger, **spec)
    with pytest.raises(StatusError, match="ephemeral container e with envVar E"):
        await passed(plugin.validate(write(PODS, debugged, "UPDATE", old=pod(), subresource="ephemeralcontainers")))


async def test_what_took_the_account_away_is_noticed(context: PluginContext) -> None:
    with pytest.raises(StatusError, match="no service account specified for pod default/p"):
        await passed(ServiceAccount(context).validate(write(PODS, pod())))
