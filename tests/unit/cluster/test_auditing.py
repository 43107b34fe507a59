"""The audit log as the API server's arguments want it."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from proa.aio.clock import SystemClock
from proa.api.core_v1.resources import CONFIG_MAPS
from proa.apiserver.compose import ApiServer, Config
from proa.apiserver.identity import MASTERS, User
from proa.cluster.api_arguments import ApiArguments
from proa.cluster.auditing import make
from proa.store.memory import MemoryStore

ADMIN = User("admin", groups=(MASTERS,))


@pytest.mark.parametrize("mode", ["", "blocking", "blocking-strict"])
async def test_what_is_answered_is_in_the_log_unless_it_is_written_in_batches(tmp_path: Path, mode: str) -> None:
    policy, log = tmp_path / "policy.yaml", tmp_path / "audit.log"
    policy.write_text("{apiVersion: audit.k8s.io/v1, kind: Policy, rules: [{level: Metadata}]}")
    said = {"audit_log_mode": mode} if mode else {}
    arguments = ApiArguments(audit_policy_file=str(policy), audit_log_path=str(log), **said)
    store = MemoryStore()
    server = ApiServer(Config(store, port=0))
    await server.load()
    auditor = make(server, arguments, SystemClock(), Random(1))
    assert auditor is not None
    server.audit(auditor)
    await server.client_for(ADMIN).list(CONFIG_MAPS, "default")
    stages = [json.loads(line)["stage"] for line in log.read_text().splitlines()]
    assert stages == ["RequestReceived", "ResponseComplete"]
    await server.stop()
    await auditor.close()
    await store.close()
