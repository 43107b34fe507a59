"""Jobs on a whole simulated cluster: real controllers, scheduler and kubelets, virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from proa.api.batch_v1.resources import JOBS
from proa.api.core_v1.resources import PODS
from proa.testing import Cluster

pytestmark = pytest.mark.proa(virtual_time=True, nodes=3)

TRACKING = "batch.kubernetes.io/job-tracking"


def job(*, exits: str = "0", after: str = "1", restart: str = "Never", **spec: Any) -> dict[str, Any]:
    """A Job whose pods end with code `exits` after `after` seconds."""
    annotations = {"proa.fake/exit-after": after, "proa.fake/exit-code": exits}
    pod = {"restartPolicy": restart, "containers": [{"name": "main", "image": "v1"}]}
    template = {"metadata": {"annotations": annotations}, "spec": pod}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "work"},
        "spec": {**spec, "template": template},
    }


async def conditions(cluster: Cluster) -> dict[str, str]:
    found = await cluster.get(JOBS, "work")
    return {each.type: each.reason for each in found.status.conditions if each.status == "True"} if found else {}


async def is_decided(cluster: Cluster) -> bool:
    return bool({"Complete", "Failed"} & (await conditions(cluster)).keys())


async def test_a_job_completes_when_its_pods_have_succeeded_and_counts_each_once(proa_cluster: Cluster) -> None:
    await proa_cluster.apply(job(completions=5, parallelism=2))
    await proa_cluster.until(lambda: is_decided(proa_cluster), "60s")
    found = await proa_cluster.get(JOBS, "work")
    assert found is not None
    assert await conditions(proa_cluster) == {
        "SuccessCriteriaMet": "CompletionsReached",
        "Complete": "CompletionsReached",
    }
    status = found.status
    assert (status.succeeded, status.failed, status.active, status.ready) == (5, 0, 0, 0)
    assert status.startTime is not None
    assert status.completionTime is not None
    pods = await proa_cluster.all(PODS)
    assert len(pods) == 5
    assert all(TRACKING not in pod.metadata.finalizers for pod in pods)
    told = [each.reason for each in await proa_cluster.events()]
    assert {"SuccessfulCreate", "Completed"} <= set(told)


async def test_a_job_fails_after_as_many_retries_as_it_allows_each_later_than_the_one_before(
    proa_cluster: Cluster,
) -> None:
    started = proa_cluster.clock.monotonic()
    await proa_cluster.apply(job(exits="1", backoffLimit=2))
    await proa_cluster.until(lambda: is_decided(proa_cluster), "120s")
    found = await proa_cluster.get(JOBS, "work")
    assert found is not None
    assert (await conditions(proa_cluster))["Failed"] == "BackoffLimitExceeded"
    assert (found.status.failed, found.status.succeeded) == (3, 0)
    assert proa_cluster.clock.monotonic() - started > 10 + 20, "it waited 10, then 20 seconds"


async def test_an_indexed_job_runs_each_index_once_and_tells_the_pod_which_it_is(proa_cluster: Cluster) -> None:
    await proa_cluster.apply(job(completions=4, parallelism=4, completionMode="Indexed"))
    await proa_cluster.until(lambda: is_decided(proa_cluster), "60s")
    found = await proa_cluster.get(JOBS, "work")
    assert found is not None
    assert (found.status.completedIndexes, found.status.succeeded) == ("0-3", 4)
    pods = await proa_cluster.all(PODS)
    index = "batch.kubernetes.io/job-completion-index"
    assert sorted(pod.metadata.labels[index] for pod in pods) == ["0", "1", "2", "3"]
    assert sorted(pod.spec.hostname for pod in pods) == ["work-0", "work-1", "work-2", "work-3"]
    assert pods[0].spec.containers[0].env[0].name == "JOB_COMPLETION_INDEX"


async def test_a_job_out_of_time_ends_its_pods(proa_cluster: Cluster) -> None:
    await proa_cluster.apply(job(after="1000", activeDeadlineSeconds=5))
    await proa_cluster.until(lambda: is_decided(proa_cluster), "60s")
    assert (await conditions(proa_cluster))["Failed"] == "DeadlineExceeded"
    assert [pod for pod in await proa_cluster.all(PODS) if pod.status.phase == "Running"] == []


async def test_a_suspended_job_has_no_pods_and_goes_on_when_resumed(proa_cluster: Cluster) -> None:
    await proa_cluster.apply(job(suspend=True))
    await proa_cluster.clock.advance("5s")
    assert await proa_cluster.all(PODS) == []
    assert (await conditions(proa_cluster)) == {"Suspended": "JobSuspended"}
    await proa_cluster.client.patch(JOBS, "work", "default", {"spec": {"suspend": False}}, type="merge")
    await proa_cluster.until(lambda: is_decided(proa_cluster), "60s")
    assert "Complete" in await conditions(proa_cluster)


async def test_a_failure_policy_ends_a_job_at_once_or_lets_failures_pass(proa_cluster: Cluster) -> None:
    rule = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}}
    await proa_cluster.apply(job(exits="42", backoffLimit=6, podFailurePolicy={"rules": [rule]}))
    await proa_cluster.until(lambda: is_decided(proa_cluster), "60s")
    found = await proa_cluster.get(JOBS, "work")
    assert found is not None
    assert (await conditions(proa_cluster))["Failed"] == "PodFailurePolicy"
    assert found.status.failed == 1
    assert "failed with exit code 42 matching FailJob rule at index 0" in found.status.conditions[-1].message


async def test_a_finished_job_is_deleted_with_its_pods_when_its_time_is_up(proa_cluster: Cluster) -> None:
    await proa_cluster.apply(job(ttlSecondsAfterFinished=30))
    await proa_cluster.until(lambda: is_decided(proa_cluster), "60s")
    await proa_cluster.clock.advance("25s")
    assert await proa_cluster.get(JOBS, "work") is not None
    await proa_cluster.clock.advance("10s")
    assert await proa_cluster.get(JOBS, "work") is None
    assert await proa_cluster.all(PODS) == []


async def test_deleting_a_job_leaves_no_pod_waiting_to_be_counted(proa_cluster: Cluster) -> None:
    await proa_cluster.apply(job(after="1000", parallelism=2, completions=2))
    await proa_cluster.clock.advance("5s")
    assert len(await proa_cluster.all(PODS)) == 2
    await proa_cluster.client.delete(JOBS, "work", "default", propagation="Background")
    await proa_cluster.clock.advance("60s")
    assert await proa_cluster.all(PODS) == []
