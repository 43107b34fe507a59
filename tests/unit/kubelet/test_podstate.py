"""The pod state machine: a bare state in, instructions out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from proa.api.core_v1 import Container, Pod, PodSpec, PodStatus, Probe
from proa.api.core_v1 import ContainerStatus as Told
from proa.kubelet.facts import container_hash
from proa.kubelet.labels import CONTAINER_HASH
from proa.kubelet.podstate import decide
from proa.kubelet.state import (
    CreateSandbox,
    FinishDeletion,
    Instruction,
    KillContainer,
    PodState,
    ProbeKind,
    PullImage,
    RemoveContainer,
    SetUpVolumes,
    StartContainer,
    StopSandbox,
    TearDownVolumes,
    Work,
)
from proa.machinery.meta import ObjectMeta
from proa.machinery.timestamps import from_epoch
from proa.runtime.protocol import ContainerConfig, ContainerState, ContainerStatus, SandboxConfig, SandboxState
from proa.runtime.protocol import SandboxStatus as Sandbox

NOW = 1_000_000.0
APP = Container(name="app", image="app:1")


def pod(*containers: Container, meta: dict[str, Any] | None = None, **spec: Any) -> Pod:
    return Pod(
        metadata=ObjectMeta(name="web", namespace="default", uid="u1", **(meta or {})),
        spec=PodSpec(containers=containers or (APP,), **{"restartPolicy": "Always", **spec}),
    )


def deleted(subject: Pod, grace: int = 30) -> Pod:
    meta = msgspec.structs.replace(
        subject.metadata, deletionTimestamp=from_epoch(NOW + grace), deletionGracePeriodSeconds=grace
    )
    return msgspec.structs.replace(subject, metadata=meta)


def box(state: SandboxState = SandboxState.READY, attempt: int = 0) -> Sandbox:
    return Sandbox(f"s{attempt}", SandboxConfig("web", "default", "u1", attempt), state, NOW - 100, ("10.0.0.1",))


def ran(
    name: str = "app",
    *,
    attempt: int = 0,
    code: int | None = None,
    ago: float = 0.0,
    sandbox: str = "s0",
    made: bool = False,
    hash_of: Container | None = None,
) -> ContainerStatus:
    """A container that runs, has exited with `code` `ago` seconds back, or was only `made`."""
    annotations = {CONTAINER_HASH: container_hash(hash_of)} if hash_of else {}
    config = ContainerConfig(name, "app:1", attempt, annotations=annotations)
    state = ContainerState.CREATED if made else ContainerState.RUNNING if code is None else ContainerState.EXITED
    return ContainerStatus(
        f"{name}-{attempt}-{sandbox}", sandbox, config, state, NOW - 100 + attempt, NOW - 99, NOW - ago, code or 0
    )


def state(*containers: ContainerStatus, **changes: Any) -> PodState:
    return replace(PodState(sandbox=box(), containers=containers, volumes_ready=True, seen_at=NOW - 100), **changes)


def todo(subject: Pod, known: PodState, now: float = NOW) -> tuple[Instruction, ...]:
    return decide(subject, known, now).instructions


# Starting


def test_a_new_pod_gets_volumes_sandbox_and_image_at_once() -> None:
    assert todo(pod(), PodState(seen_at=NOW)) == (SetUpVolumes(), CreateSandbox(0), PullImage("app"))


def test_what_is_under_way_is_not_asked_for_again() -> None:
    known = PodState(seen_at=NOW)
    for instruction in todo(pod(), known):
        known = known.begun(instruction, NOW)
    assert todo(pod(), known) == ()


def test_a_container_starts_when_sandbox_volumes_and_image_are_there() -> None:
    assert todo(pod(), state(images={"app": "app:1"})) == (StartContainer("app", 0),)


@pytest.mark.parametrize("lacks", ["volumes", "sandbox", "image"])
def test_a_container_waits_for_each_of_them(lacks: str) -> None:
    known = state(images={} if lacks == "image" else {"app": "app:1"})
    if lacks == "volumes":
        known = replace(known, volumes_ready=False)
    if lacks == "sandbox":
        known = replace(known, sandbox=None)
    assert not any(isinstance(each, StartContainer) for each in todo(pod(), known))


def test_a_container_the_runtime_has_forgotten_still_counts_as_started_before() -> None:
    told = PodStatus(containerStatuses=(Told(name="app", restartCount=2, containerID="proa://gone"),))
    rebooted = msgspec.structs.replace(pod(), status=told)
    assert todo(rebooted, state(images={"app": "app:1"})) == (StartContainer("app", 3),)


def test_containers_start_one_after_the_other_in_order() -> None:
    both = pod(APP, Container(name="log", image="log:1"))
    known = state(images={"app": "app:1", "log": "log:1"})
    assert todo(both, known) == (StartContainer("app", 0),)
    known = known.begun(StartContainer("app", 0), NOW)
    assert todo(both, known) == ()
    known = known.with_container(ran()).succeeded(StartContainer("app", 0))
    assert todo(both, known) == (StartContainer("log", 0),)


def test_a_container_whose_image_fails_does_not_hold_up_the_next() -> None:
    both = pod(APP, Container(name="log", image="log:1"))
    known = state(images={"log": "log:1"}).failed(PullImage("app"), "ErrImagePull", "no such image", NOW)
    assert todo(both, known) == (StartContainer("log", 0),)


def test_images_are_pulled_beside_each_other() -> None:
    both = pod(APP, Container(name="log", image="log:1"))
    assert todo(both, state()) == (PullImage("app"), PullImage("log"))


def test_a_running_pod_needs_nothing() -> None:
    assert todo(pod(), state(ran())) == ()


def test_a_container_left_between_create_and_start_is_made_anew() -> None:
    known = state(ran(made=True), images={"app": "app:1"})
    assert StartContainer("app", 1) in todo(pod(), known)
    assert RemoveContainer("app", "app-0-s0") in todo(
        pod(), replace(known, containers=(ran(made=True), ran(attempt=1)))
    )


# Restarting


@pytest.mark.parametrize(
    ("policy", "code", "restarts"),
    [
        ("Always", 0, True),
        ("Always", 1, True),
        ("OnFailure", 0, False),
        ("OnFailure", 1, True),
        ("Never", 0, False),
        ("Never", 1, False),
    ],
)
def test_restart_policy(policy: str, code: int, restarts: bool) -> None:
    known = state(ran(code=code), images={"app": "app:1"})
    assert (StartContainer("app", 1) in todo(pod(restartPolicy=policy), known)) is restarts


def test_a_containers_own_policy_goes_before_the_pods() -> None:
    stubborn = Container(name="app", image="app:1", restartPolicy="Never")
    assert not any(isinstance(each, StartContainer) for each in todo(pod(stubborn), state(ran(code=1))))


def test_crash_backoff_doubles_to_five_minutes() -> None:
    known = state(ran(code=1), images={"app": "app:1"})
    delays, now = [], NOW
    for attempt in range(1, 9):
        plan = decide(pod(), known, now)
        while StartContainer("app", attempt) not in plan.instructions:
            assert plan.waiting["app"].reason == "CrashLoopBackOff"
            assert plan.wake_at is not None
            delays.append(plan.wake_at - now)
            now = plan.wake_at
            plan = decide(pod(), known, now)
        known = known.begun(StartContainer("app", attempt), now).succeeded(StartContainer("app", attempt))
        crashed = replace(ran(attempt=attempt, code=1), finished_at=now)
        known = replace(known, containers=(crashed,), images={"app": "app:1"})
    assert delays == [10, 20, 40, 80, 160, 300, 300]


def test_a_crash_after_ten_good_minutes_is_forgiven() -> None:
    known = state(ran(code=1), images={"app": "app:1"}).begun(StartContainer("app", 1), NOW)
    known = known.succeeded(StartContainer("app", 1))
    later = NOW + 601
    known = replace(known, images={"app": "app:1"}, containers=(replace(ran(attempt=1, code=1), finished_at=later),))
    assert todo(pod(), known, later) == (StartContainer("app", 2),)


def test_only_one_dead_incarnation_is_kept() -> None:
    known = state(ran(code=1), ran(attempt=1, code=1), ran(attempt=2))
    assert todo(pod(), known) == (RemoveContainer("app", "app-0-s0"),)


def test_a_changed_image_restarts_the_container() -> None:
    changed = Container(name="app", image="app:2")
    (kill,) = todo(pod(changed), state(ran(hash_of=APP)))
    assert isinstance(kill, KillContainer)
    assert kill.message == "Container app definition changed, will be restarted"


# Failing


def test_a_failed_pull_is_first_an_error_and_then_a_backoff() -> None:
    known = state().failed(PullImage("app"), "ErrImagePull", "no such image", NOW)
    assert decide(pod(), known, NOW).waiting["app"].reason == "ErrImagePull"
    plan = decide(pod(), known, NOW + 3)
    assert plan.waiting["app"].reason == "ImagePullBackOff"
    assert plan.waiting["app"].message == 'Back-off pulling image "app:1": ErrImagePull: no such image'
    assert plan.wake_at == NOW + 10
    assert todo(pod(), known, NOW + 10) == (PullImage("app"),)


def test_pull_backoff_doubles() -> None:
    known = state()
    for _ in range(3):
        known = known.failed(PullImage("app"), "ErrImagePull", "no", NOW)
    assert known.failures[Work.IMAGE, "app"].retry_at == NOW + 40


def test_a_start_that_failed_shows_its_reason_and_is_tried_again() -> None:
    known = state(images={"app": "app:1"}).failed(
        StartContainer("app", 0), "CreateContainerConfigError", 'secret "x" not found', NOW
    )
    plan = decide(pod(), known, NOW)
    assert plan.instructions == ()
    assert (plan.waiting["app"].reason, plan.waiting["app"].message) == (
        "CreateContainerConfigError",
        'secret "x" not found',
    )
    assert todo(pod(), known, NOW + 1) == (PullImage("app"),)


def test_a_change_of_what_it_refers_to_ends_the_wait() -> None:
    known = state(images={"app": "app:1"}).failed(StartContainer("app", 0), "CreateContainerConfigError", "x", NOW)
    assert todo(pod(), known.reconsidered()) == (PullImage("app"),)


# Sandboxes


def test_volumes_that_change_while_they_are_set_up_are_set_up_again() -> None:
    ready = state(ran()).outdated()
    assert todo(pod(), ready) == (SetUpVolumes(),)
    under_way = ready.begun(SetUpVolumes(), NOW)
    assert under_way.succeeded(SetUpVolumes()).volumes_ready
    again = under_way.outdated().succeeded(SetUpVolumes())
    assert todo(pod(), again) == (SetUpVolumes(),)
    assert again.begun(SetUpVolumes(), NOW).succeeded(SetUpVolumes()).volumes_ready


def test_a_dead_sandbox_is_replaced_when_its_containers_have_stopped() -> None:
    dead = box(SandboxState.NOT_READY)
    assert [type(each) for each in todo(pod(), state(ran(), sandbox=dead))] == [KillContainer]
    assert todo(pod(), state(ran(code=137), sandbox=dead)) == (CreateSandbox(1), PullImage("app"))


def test_a_finished_pod_gets_no_new_sandbox() -> None:
    known = state(ran(code=0), sandbox=box(SandboxState.NOT_READY))
    assert todo(pod(restartPolicy="Never"), known) == (TearDownVolumes(),)


def test_containers_that_ended_for_good_stay_so_in_a_new_sandbox() -> None:
    both = pod(APP, Container(name="job", image="job:1"), restartPolicy="OnFailure")
    known = state(ran(code=137), ran("job", code=0), sandbox=box(attempt=1), images={"app": "app:1", "job": "job:1"})
    starts = [each for each in todo(both, known) if isinstance(each, StartContainer)]
    assert starts == [StartContainer("app", 1)]


def test_an_empty_old_sandbox_is_removed() -> None:
    known = state(replace(ran(), sandbox_id="s1"), sandbox=box(attempt=1), old_sandboxes=(box(SandboxState.NOT_READY),))
    assert todo(pod(), known) == (StopSandbox("s0", remove=True),)


# Init containers


def with_inits(*inits: Container, **spec: Any) -> Pod:
    return pod(APP, initContainers=inits, **spec)


FIRST, SECOND = Container(name="one", image="i:1"), Container(name="two", image="i:1")
PROXY = Container(name="proxy", image="p:1", restartPolicy="Always")
ALL_IMAGES = {"app": "app:1", "one": "i:1", "two": "i:1", "proxy": "p:1"}


def test_init_containers_run_in_order_before_the_others() -> None:
    subject = with_inits(FIRST, SECOND)
    assert todo(subject, state(images=ALL_IMAGES)) == (StartContainer("one", 0),)
    assert todo(subject, state(ran("one"), images=ALL_IMAGES)) == ()
    assert todo(subject, state(ran("one", code=0), images=ALL_IMAGES)) == (StartContainer("two", 0),)
    done = state(ran("one", code=0), ran("two", code=0), images=ALL_IMAGES)
    assert todo(subject, done) == (StartContainer("app", 0),)


def test_a_failed_init_container_is_tried_again_or_ends_the_pod() -> None:
    failed = state(ran("one", code=1), images=ALL_IMAGES)
    assert todo(with_inits(FIRST), failed) == (StartContainer("one", 1),)
    assert todo(with_inits(FIRST, restartPolicy="OnFailure"), failed) == (StartContainer("one", 1),)
    assert set(todo(with_inits(FIRST, restartPolicy="Never"), failed)) == {
        StopSandbox("s0", remove=False),
        TearDownVolumes(),
    }


def test_init_containers_do_not_run_again_beside_running_ones() -> None:
    assert todo(with_inits(FIRST), state(ran("one", code=0), ran(), images=ALL_IMAGES)) == ()


def test_a_new_sandbox_runs_them_again() -> None:
    known = state(ran("one", code=0), ran(code=137), sandbox=box(attempt=1), images=ALL_IMAGES)
    assert [each for each in todo(with_inits(FIRST), known) if isinstance(each, StartContainer)] == [
        StartContainer("one", 1)
    ]


def test_a_sidecar_lets_the_next_begin_once_it_is_started() -> None:
    probed = Container(name="proxy", image="p:1", restartPolicy="Always", startupProbe=Probe())
    subject = with_inits(probed, SECOND)
    known = state(ran("proxy"), images=ALL_IMAGES)
    assert todo(subject, known) == ()
    assert todo(subject, known.probed("proxy-0-s0", ProbeKind.STARTUP, True)) == (StartContainer("two", 0),)


def test_a_sidecar_is_restarted_beside_running_containers_whatever_the_pods_policy() -> None:
    known = state(ran("proxy", code=0), ran(), images=ALL_IMAGES)
    assert todo(with_inits(PROXY, restartPolicy="Never"), known) == (StartContainer("proxy", 1),)


def test_sidecars_stop_after_the_last_container_in_reverse_order() -> None:
    inits = (PROXY, Container(name="log", image="l:1", restartPolicy="Always"))
    subject = with_inits(*inits, restartPolicy="Never")
    known = state(ran("proxy"), ran("log"), ran(code=0))
    assert [each.container for each in todo(subject, known) if isinstance(each, KillContainer)] == ["log"]
    known = state(ran("proxy"), ran("log", code=0), ran(code=0))
    assert [each.container for each in todo(subject, known) if isinstance(each, KillContainer)] == ["proxy"]


# Probes


def probing(*kinds: str, **fields: Any) -> Pod:
    return pod(Container(name="app", image="app:1", **{f"{kind}Probe": Probe(**fields) for kind in kinds}))


ID = "app-0-s0"


def test_the_startup_probe_runs_alone_until_it_passes() -> None:
    subject = probing("startup", "readiness", "liveness")
    assert decide(subject, state(ran()), NOW).probes == {(ID, ProbeKind.STARTUP)}
    passed = state(ran()).probed(ID, ProbeKind.STARTUP, True)
    assert decide(subject, passed, NOW).probes == {(ID, ProbeKind.READINESS), (ID, ProbeKind.LIVENESS)}


def test_probes_wait_for_the_post_start_hook() -> None:
    known = state(ran()).begun(StartContainer("app", 0), NOW)
    assert decide(probing("liveness"), known, NOW).probes == frozenset()


@pytest.mark.parametrize("kind", ["startup", "liveness"])
def test_a_failed_probe_restarts_the_container_within_the_probes_grace(kind: str) -> None:
    known = state(ran()).probed(ID, ProbeKind(kind), False)
    (kill,) = todo(probing(kind, terminationGracePeriodSeconds=7), known)
    assert kill == KillContainer("app", ID, 7.0, f"Container app failed {kind} probe, will be restarted")


def test_on_its_way_out_a_container_is_only_probed_for_readiness() -> None:
    subject = deleted(probing("readiness", "liveness"))
    assert decide(subject, state(ran()), NOW).probes == {(ID, ProbeKind.READINESS)}


# Ending


def test_a_deleted_pods_containers_stop_together_with_its_grace() -> None:
    both = deleted(pod(APP, Container(name="log", image="l:1")), grace=12)
    assert todo(both, state(ran(), ran("log"))) == (
        KillContainer("app", ID, 12.0, "Stopping container app"),
        KillContainer("log", "log-0-s0", 12.0, "Stopping container log"),
    )


def test_then_sandbox_and_volumes_go_and_at_last_the_object() -> None:
    gone = deleted(pod())
    known = state(ran(code=0))
    assert set(todo(gone, known)) == {StopSandbox("s0", remove=True), TearDownVolumes()}
    known = known.succeeded(StopSandbox("s0", remove=True)).succeeded(TearDownVolumes())
    assert todo(gone, known) == (FinishDeletion(),)
    assert todo(gone, known.succeeded(FinishDeletion())) == ()


def test_a_shorter_grace_hastens_a_stop_under_way() -> None:
    known = state(ran()).begun(KillContainer("app", ID, 30.0), NOW)
    assert todo(deleted(pod(), grace=30), known) == ()
    assert todo(deleted(pod(), grace=1), known) == (KillContainer("app", ID, 1.0, "", hook=False),)


def test_a_deleted_pod_gives_up_what_it_was_doing() -> None:
    known = state(images={"app": "app:1"}).begun(StartContainer("app", 0), NOW).begun(PullImage("log"), NOW)
    plan = decide(deleted(pod()), known, NOW)
    assert plan.cancel == {(Work.START, "app"), (Work.IMAGE, "log")}
    assert plan.instructions == ()


def test_a_pod_that_vanished_from_the_api_is_removed_too() -> None:
    known = state(ran(), gone=True)
    assert [type(each) for each in todo(pod(), known)] == [KillContainer]


def test_a_finished_pod_keeps_its_containers_for_their_logs() -> None:
    known = state(ran(code=0))
    assert set(todo(pod(restartPolicy="Never"), known)) == {StopSandbox("s0", remove=False), TearDownVolumes()}


def test_the_active_deadline_ends_a_pod() -> None:
    subject = pod(activeDeadlineSeconds=100)
    assert decide(subject, state(ran()), NOW - 1).wake_at == NOW
    plan = decide(subject, state(ran()), NOW)
    assert plan.end is not None
    assert plan.end.reason == "DeadlineExceeded"


def test_a_pod_that_was_ended_is_stopped_and_not_restarted() -> None:
    plan = decide(pod(activeDeadlineSeconds=100), state(ran(), ended=None), NOW)
    known = state(ran(), ended=plan.end)
    assert [type(each) for each in todo(pod(), known)] == [KillContainer]


def test_a_terminal_pod_never_runs_again() -> None:
    subject = pod()
    over = msgspec.structs.replace(subject, status=msgspec.structs.replace(subject.status, phase="Failed"))
    assert todo(over, PodState(seen_at=NOW)) == (TearDownVolumes(),)


def test_an_exit_once_seen_is_not_undone_by_older_news() -> None:
    known = state(ran(code=1)).with_container(ran())
    assert known.containers[0].state is ContainerState.EXITED
