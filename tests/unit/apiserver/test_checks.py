from __future__ import annotations

import pytest

from proa.apiserver.checks import PROBES, Checks, once, well
from proa.apiserver.compose import ApiServer


@pytest.mark.parametrize("probe", PROBES)
async def test_every_probe_waits_for_what_is_done_after_the_start(probe: str) -> None:
    checks = Checks()
    done = checks.step("rbac/bootstrap-roles")
    check = checks.of(probe)["poststarthook/rbac/bootstrap-roles"]
    assert await check() == "not finished"
    done()
    assert await check() == ""


async def test_what_is_checked_once_holds_for_ever() -> None:
    missing = ["pods"]
    check = once(lambda: ", ".join(missing))
    assert await check() == "pods"
    missing.clear()
    assert await check() == ""
    missing.append("pods")
    assert await check() == ""


def test_checks_come_in_their_order_and_that_of_the_end_comes_last() -> None:
    checks = Checks()
    checks.live("ping", well)
    checks.ready("etcd-readiness", well)
    checks.ready("shutdown", well)
    checks.hook("bootstrap-controller", lambda: True)
    assert [*checks.of("livez")] == ["ping", "poststarthook/bootstrap-controller"]
    assert [*checks.of("readyz")] == ["ping", "etcd-readiness", "poststarthook/bootstrap-controller", "shutdown"]


async def test_a_server_tells_what_it_made_at_its_start(server: ApiServer) -> None:
    checks = server.checks.of("livez")
    for name in ("start-system-namespaces-controller", "scheduling/bootstrap-system-priority-classes"):
        assert await checks[f"poststarthook/{name}"]() == ""
