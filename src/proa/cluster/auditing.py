"""The audit log of one API server, made from its arguments; without them nothing of it is even imported."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from proa.aio.clock import Clock
from proa.apiserver.compose import ApiServer
from proa.apiserver.identity import LOOPBACK
from proa.cluster.api_arguments import ApiArguments

if TYPE_CHECKING:
    from proa.apiserver.audit.auditor import Auditor, Backend


def make(server: ApiServer, arguments: ApiArguments, clock: Clock, random: Random) -> Auditor | None:
    """The auditor, None without a policy. Raises PolicyError, KubeconfigError. Close it after the server."""
    if not arguments.audit_policy_file:
        return None
    from proa.apiserver.audit import policy
    from proa.apiserver.audit.auditor import Auditor
    from proa.apiserver.audit.bodies import Bodies

    return Auditor(
        policy.load(Path(arguments.audit_policy_file)),
        [*_log(arguments), *_webhook(server, arguments, random)],
        Bodies(server.resources),
        clock,
        server.families,
    )


def _log(arguments: ApiArguments) -> list[Backend]:
    if not arguments.audit_log_path:
        return []
    from proa.apiserver.audit.log import STDOUT, LogBackend, RotatedFile, StandardOutput

    if arguments.audit_log_path == STDOUT:
        return [LogBackend(StandardOutput(), arguments.audit_log_mode)]
    return [
        LogBackend(
            RotatedFile(
                Path(arguments.audit_log_path),
                megabytes=arguments.audit_log_maxsize,
                days=arguments.audit_log_maxage,
                backups=arguments.audit_log_maxbackup,
                compress=arguments.audit_log_compress,
            ),
            arguments.audit_log_mode,
        )
    ]


def _webhook(server: ApiServer, arguments: ApiArguments, random: Random) -> list[Backend]:
    if not arguments.audit_webhook_config_file:
        return []
    from proa.aio.backoff import Backoff
    from proa.apiserver.audit.webhook import Batching, BlockingWebhookBackend, WebhookBackend
    from proa.apiserver.services import ServiceResolver
    from proa.apiserver.webhooks.client import WebhookClient
    from proa.apiserver.webhooks.kubeconfig import KubeconfigWebhook

    first = arguments.audit_webhook_initial_backoff
    # A client of its own: the server's is closed before the last events are sent.
    client = WebhookClient(ServiceResolver(server.client_for(LOOPBACK), random))
    webhook = KubeconfigWebhook(
        Path(arguments.audit_webhook_config_file), client, retry=Backoff(base=first, factor=1.5, jitter=0.2)
    )
    if arguments.audit_webhook_mode != "batch":
        return [BlockingWebhookBackend(webhook, client, arguments.audit_webhook_mode)]
    batching = Batching(
        buffered=arguments.audit_webhook_batch_buffer_size,
        largest=arguments.audit_webhook_batch_max_size,
        wait=arguments.audit_webhook_batch_max_wait,
        rate=arguments.audit_webhook_batch_throttle_qps if arguments.audit_webhook_batch_throttle_enable else 0.0,
        burst=arguments.audit_webhook_batch_throttle_burst,
    )
    return [WebhookBackend(webhook, batching, client)]
