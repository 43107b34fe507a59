from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from proa.api.batch_v1 import indexes
from proa.api.batch_v1.resources import CRON_JOBS, JOBS
from proa.api.batch_v1.schedule import schedule_problem, zone_problem
from tests.unit.api.writing import create_errors, created, defaulted, update_errors

Document = dict[str, Any]
UID = "8e2b5a0e-0000-4000-8000-000000000000"


def template(**spec: Any) -> Document:
    return {"spec": {"containers": [{"name": "main", "image": "x"}], "restartPolicy": "Never", **spec}}


def job(name: str = "work", **spec: Any) -> Document:
    return {"metadata": {"name": name, "namespace": "d", "uid": UID}, "spec": {"template": template(), **spec}}


def indexed(**spec: Any) -> Document:
    return job(completionMode="Indexed", **{"completions": 5, **spec})


def stored(document: Document, **status: Any) -> Document:
    return {**created(JOBS, deepcopy(document)), "status": status}


# --- defaults ---


def test_a_job_runs_one_pod_once_by_default() -> None:
    spec = defaulted(JOBS, job())["spec"]
    assert {
        name: spec[name] for name in ("parallelism", "completions", "backoffLimit", "completionMode", "suspend")
    } == {
        "parallelism": 1,
        "completions": 1,
        "backoffLimit": 6,
        "completionMode": "NonIndexed",
        "suspend": False,
    }
    assert spec["podReplacementPolicy"] == "TerminatingOrFailed"


def test_a_job_with_parallelism_only_has_no_number_of_completions() -> None:
    spec = defaulted(JOBS, job(parallelism=3))["spec"]
    assert (spec["parallelism"], spec.get("completions")) == (3, None)


def test_a_limit_per_index_lifts_the_limit_of_the_job() -> None:
    assert defaulted(JOBS, indexed(backoffLimitPerIndex=1))["spec"]["backoffLimit"] == 2**31 - 1


def test_a_failure_policy_replaces_pods_only_when_they_failed() -> None:
    policy = {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]}
    spec = defaulted(JOBS, job(podFailurePolicy=policy))["spec"]
    assert spec["podReplacementPolicy"] == "Failed"
    assert spec["podFailurePolicy"]["rules"][0]["onPodConditions"][0]["status"] == "True"


def test_a_job_takes_the_labels_of_its_pods() -> None:
    document = job()
    document["spec"]["template"]["metadata"] = {"labels": {"app": "a"}}
    assert created(JOBS, document)["metadata"]["labels"] == {"app": "a"}


def test_the_template_of_a_cron_job_is_not_filled_in_as_a_job_is() -> None:
    spec = defaulted(CRON_JOBS, cron_job())["spec"]["jobTemplate"]["spec"]
    assert "parallelism" not in spec
    assert spec["template"]["spec"]["containers"][0]["imagePullPolicy"] == "Always"


# --- the generated selector ---


def test_a_job_selects_its_pods_by_its_uid() -> None:
    spec = created(JOBS, job())["spec"]
    assert spec["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": UID}}
    assert spec["template"]["metadata"]["labels"] == {
        "job-name": "work",
        "batch.kubernetes.io/job-name": "work",
        "controller-uid": UID,
        "batch.kubernetes.io/controller-uid": UID,
    }
    assert create_errors(JOBS, job()) == []


def test_labels_that_contradict_the_generated_ones_are_refused() -> None:
    document = job()
    document["spec"]["template"]["metadata"] = {"labels": {"job-name": "other"}}
    (error,) = create_errors(JOBS, document)
    assert error.startswith("spec.template.metadata.labels[job-name]: Invalid value:")
    assert error.endswith("must be 'work'")


def test_a_selector_of_ones_own_needs_to_be_asked_for() -> None:
    document = job(selector={"matchLabels": {"app": "a"}})
    document["spec"]["template"]["metadata"] = {"labels": {"app": "a"}}
    (error,) = create_errors(JOBS, deepcopy(document))
    assert error.endswith("`selector` not auto-generated")
    document["spec"]["manualSelector"] = True
    assert create_errors(JOBS, document) == []


def test_a_manual_selector_is_required_and_must_match() -> None:
    assert "spec.selector: Required value" in create_errors(JOBS, job(manualSelector=True))
    (error,) = create_errors(JOBS, job(manualSelector=True, selector={"matchLabels": {"app": "a"}}))
    assert error.endswith("`selector` does not match template `labels`")


# --- validation ---

EXIT_CODES = {"operator": "In", "values": [1]}


def failing(**rule: Any) -> Document:
    return {"podFailurePolicy": {"rules": [{"action": "FailJob", **rule}]}}


def succeeding(**rule: Any) -> Document:
    return {"successPolicy": {"rules": [rule]}}


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        (
            {"template": template(restartPolicy="Always")},
            'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
        ),
        (
            {"template": template(restartPolicy="OnFailure"), **failing(onExitCodes=EXIT_CODES)},
            'spec.template.spec.restartPolicy: Invalid value: "OnFailure": only "Never" is supported when'
            " podFailurePolicy is specified",
        ),
        ({"backoffLimitPerIndex": 1}, "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"),
        ({"managedBy": "nobody"}, 'must be a domain-prefixed path (such as "acme.io/foo")'),
        ({"managedBy": "a.io/" + "x" * 60}, "spec.managedBy: Too long: may not be more than 63 bytes"),
        (
            failing(onExitCodes={"operator": "In", "values": [0]}),
            "spec.podFailurePolicy.rules[0].onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In operator",
        ),
        (
            failing(onExitCodes={"operator": "NotIn", "values": [2, 1]}),
            "spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [2,1]: must be ordered",
        ),
        (
            failing(onExitCodes={"operator": "NotIn", "values": [1, 1]}),
            "spec.podFailurePolicy.rules[0].onExitCodes.values[1]: Duplicate value: 1",
        ),
        (
            failing(onExitCodes={"operator": "In", "values": []}),
            "spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: []: at least one value is required",
        ),
        (
            failing(onExitCodes={**EXIT_CODES, "containerName": "other"}),
            'onExitCodes.containerName: Invalid value: "other": must be one of the container or initContainer names',
        ),
        (
            failing(),
            "spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is",
        ),
        (
            failing(onExitCodes=EXIT_CODES, onPodConditions=[{"type": "Odd"}]),
            "spec.podFailurePolicy.rules[0]: Invalid value: specifying both OnExitCodes and OnPodConditions is not",
        ),
        (
            failing(action="FailIndex", onExitCodes=EXIT_CODES),
            'rules[0].action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set',
        ),
        (
            {"podReplacementPolicy": "TerminatingOrFailed", **failing(onExitCodes=EXIT_CODES)},
            'spec.podReplacementPolicy: Unsupported value: "TerminatingOrFailed": supported values: "Failed"',
        ),
        (succeeding(succeededCount=1), "requires indexed completion mode"),
    ],
)
def test_a_wrong_job_is_refused(spec: Document, error: str) -> None:
    found = create_errors(JOBS, job(**spec))
    assert len(found) == 1, found
    assert error in found[0]


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"completions": None, "parallelism": 2}, "spec.completions: Required value: when completion mode is Indexed"),
        ({"maxFailedIndexes": 1}, "spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified"),
        (
            {"maxFailedIndexes": 6, "backoffLimitPerIndex": 1},
            "spec.maxFailedIndexes: Invalid value: 6: must be less than or equal to completions",
        ),
        (
            {"parallelism": 100_001},
            "spec.parallelism: Invalid value: 100001: must be less than or equal to 100000 when completion mode",
        ),
        (
            {"completions": 100_001, "backoffLimitPerIndex": 1},
            "spec.maxFailedIndexes: Required value: must be specified when completions is above 100000",
        ),
        ({"successPolicy": {"rules": []}}, "spec.successPolicy.rules: Required value: at least one rules must be"),
        (
            succeeding(),
            "spec.successPolicy.rules[0]: Required value: at least one of succeededCount or succeededIndexes",
        ),
        (succeeding(succeededCount=6), "must be less than or equal to 5 (the number of specified completions)"),
        (
            succeeding(succeededIndexes="0-1", succeededCount=3),
            "must be less than or equal to 2 (the number of indexes in the specified succeededIndexes field)",
        ),
        (succeeding(succeededIndexes="7"), 'error parsing succeededIndexes: too large index: "7"'),
    ],
)
def test_a_wrong_indexed_job_is_refused(spec: Document, error: str) -> None:
    found = create_errors(JOBS, indexed(**spec))
    assert len(found) == 1, found
    assert error in found[0]


def test_an_indexed_job_needs_a_name_that_its_pods_can_be_called_by() -> None:
    document = indexed(completions=1001)
    document["metadata"]["name"] = "x" * 60
    (error,) = create_errors(JOBS, document)
    assert f"will not able to create pod with invalid DNS label: {'x' * 60}-1000" in error


def test_facts_are_checked_too() -> None:
    assert create_errors(JOBS, indexed(**succeeding(succeededCount=2, succeededIndexes="0,2-3"))) == []


# --- updates ---


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("completions", 2),
        ("completionMode", "Indexed"),
        ("managedBy", "example.com/other"),
        ("podFailurePolicy", {"rules": [{"action": "FailJob", "onExitCodes": EXIT_CODES}]}),
        ("selector", {"matchLabels": {"a": "b"}}),
        ("backoffLimitPerIndex", 3),
    ],
)
def test_most_of_a_job_is_fixed(field: str, value: Any) -> None:
    old = stored(job())
    new = deepcopy(old)
    new["spec"][field] = value
    assert any(f"spec.{field}: Invalid value:" in each for each in update_errors(JOBS, old, new))


def test_an_indexed_job_is_scaled_as_a_whole() -> None:
    old = stored(indexed(parallelism=5))
    new = deepcopy(old)
    new["spec"] |= {"completions": 3, "parallelism": 3}
    assert update_errors(JOBS, old, new) == []
    new["spec"]["parallelism"] = 2
    (error,) = update_errors(JOBS, old, new)
    assert error == "spec.completions: Invalid value: 3: can only be modified in tandem with spec.parallelism"


def placed(document: Document) -> Document:
    changed = deepcopy(document)
    spec = changed["spec"]["template"]["spec"]
    spec["nodeSelector"] = {"zone": "a"}
    spec["tolerations"] = [{"key": "a", "operator": "Exists"}]
    spec["containers"][0]["resources"] = {"requests": {"cpu": "2"}}
    return changed


def test_a_suspended_job_may_still_say_where_its_pods_run_and_what_they_need() -> None:
    waiting = stored(job(suspend=True))
    assert update_errors(JOBS, waiting, placed(waiting)) == []


@pytest.mark.parametrize(
    ("suspend", "status"),
    [
        (False, {}),
        (True, {"startTime": "2026-01-01T00:00:00Z"}),
        (True, {"active": 1}),
    ],
)
def test_the_template_of_a_job_that_has_run_is_fixed(suspend: bool, status: Document) -> None:
    old = stored(job(suspend=suspend), **status)
    (error,) = update_errors(JOBS, old, placed(old))
    assert error.startswith("spec.template: Invalid value:")
    assert error.endswith("field is immutable")


def test_a_job_that_was_stopped_again_may_move() -> None:
    suspended = {"type": "Suspended", "status": "True"}
    old = stored(job(suspend=True), startTime="2026-01-01T00:00:00Z", conditions=[suspended])
    assert update_errors(JOBS, old, placed(old)) == []


def test_a_suspended_job_keeps_its_images() -> None:
    old = stored(job(suspend=True))
    new = deepcopy(old)
    new["spec"]["template"]["spec"]["containers"][0]["image"] = "other"
    (error,) = update_errors(JOBS, old, new)
    assert error.startswith("spec.template.spec: Invalid value:")


# --- status ---

START, END = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"
COMPLETE = [{"type": "SuccessCriteriaMet", "status": "True"}, {"type": "Complete", "status": "True"}]
FAILED = [{"type": "FailureTarget", "status": "True"}, {"type": "Failed", "status": "True"}]


def transition(before: Document, after: Document, **spec: Any) -> list[str]:
    document = stored(job(**spec))
    return update_errors(JOBS, {**document, "status": before}, {**deepcopy(document), "status": after})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"startTime": START, "active": 1, "ready": 1}),
        ({"startTime": START}, {"startTime": START, "completionTime": END, "conditions": COMPLETE, "succeeded": 1}),
        ({"startTime": START}, {"startTime": START, "conditions": FAILED, "failed": 7}),
    ],
)
def test_a_job_goes_its_way(before: Document, after: Document) -> None:
    assert transition(before, after) == []


@pytest.mark.parametrize(
    ("before", "after", "error"),
    [
        ({}, {"startTime": START, "completionTime": END}, "cannot set completionTime when there is no Complete=True"),
        ({}, {"startTime": START, "conditions": COMPLETE}, "completionTime is required for Complete jobs"),
        (
            {},
            {"completionTime": END, "conditions": COMPLETE},
            "status.startTime: Required value: startTime is required",
        ),
        (
            {},
            {"startTime": END, "completionTime": START, "conditions": COMPLETE},
            "must be equal to or after `startTime`",
        ),
        ({}, {"startTime": START, "conditions": FAILED[1:]}, "without the FailureTarget=true condition"),
        (
            {},
            {"startTime": START, "completionTime": END, "conditions": COMPLETE[1:]},
            "without the SuccessCriteriaMet=true condition",
        ),
        ({}, {"startTime": START, "conditions": FAILED, "active": 1}, "active>0 is invalid for finished job"),
        ({}, {"startTime": START, "conditions": FAILED, "terminating": 1}, "terminating>0 is invalid for finished job"),
        (
            {},
            {"startTime": START, "conditions": FAILED, "uncountedTerminatedPods": {"failed": ["a"]}},
            "must be empty for finished job",
        ),
        ({}, {"active": 1, "ready": 2}, "cannot set more ready pods than active"),
        ({"failed": 2}, {"failed": 1}, "cannot decrease the failed counter"),
        ({"succeeded": 2}, {"succeeded": 1}, "cannot decrease the succeeded counter"),
        ({"startTime": START}, {"startTime": END}, "field is immutable for unsuspended job once set"),
        (
            {"startTime": START, "conditions": FAILED},
            {"startTime": START, "conditions": FAILED[:1]},
            "cannot disable the terminal Failed=True condition",
        ),
        ({}, {"completedIndexes": "1"}, "cannot set non-empty completedIndexes when non-indexed completion mode"),
        ({}, {"failedIndexes": "1"}, "cannot set non-null failedIndexes when backoffLimitPerIndex is null"),
        (
            {},
            {"uncountedTerminatedPods": {"succeeded": ["a"], "failed": ["a"]}},
            'status.uncountedTerminatedPods.failed[0]: Duplicate value: "a"',
        ),
    ],
)
def test_a_job_does_not_go_astray(before: Document, after: Document, error: str) -> None:
    found = transition(before, after, parallelism=4, completions=4)
    assert any(error in each for each in found), found


def test_indexes_that_both_failed_and_completed_are_refused() -> None:
    after = {"completedIndexes": "0-2", "failedIndexes": "2-3"}
    found = transition({}, after, completionMode="Indexed", completions=5, backoffLimitPerIndex=1)
    assert found == [
        'status.failedIndexes: Invalid value: "2-3": failedIndexes and completedIndexes overlap at index: 2'
    ]


def test_a_status_that_was_wrong_before_can_be_mended_in_steps() -> None:
    wrong = {"startTime": START, "conditions": FAILED, "active": 1}
    assert transition(wrong, {**wrong, "failed": 1}) == []


# --- indexes ---


@pytest.mark.parametrize(("text", "count"), [("", 0), ("1", 1), ("0,2-4", 4)])
def test_indexes_are_counted(text: str, count: int) -> None:
    assert indexes.count(text, 5) == count


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a", 'cannot convert string to integer for index: "a"'),
        ("1-2-3", "at most two parts separated by '-'"),
        ("5", 'too large index: "5"'),
        ("1,1", "non-increasing order, previous: 1, current: 1"),
        ("2-2", "non-increasing order, previous: 2, current: 2"),
        ("1,", 'cannot convert string to integer for index: ""'),
    ],
)
def test_malformed_indexes_are_refused(text: str, error: str) -> None:
    with pytest.raises(indexes.IndexesError, match=error.replace("(", r"\(")):
        indexes.intervals(text, 5)


# --- cron jobs ---


def cron_job(**spec: Any) -> Document:
    return {
        "metadata": {"name": "tick", "namespace": "d"},
        "spec": {"schedule": "*/5 * * * *", "jobTemplate": {"spec": {"template": template()}}, **spec},
    }


def test_a_cron_job_is_filled_in() -> None:
    spec = defaulted(CRON_JOBS, cron_job())["spec"]
    assert (spec["concurrencyPolicy"], spec["suspend"]) == ("Allow", False)
    assert (spec["successfulJobsHistoryLimit"], spec["failedJobsHistoryLimit"]) == (3, 1)
    assert create_errors(CRON_JOBS, cron_job(timeZone="Europe/Berlin")) == []


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"schedule": ""}, "spec.schedule: Required value"),
        ({"schedule": "* * *"}, "expected exactly 5 fields, found 3: [* * *]"),
        ({"schedule": "TZ=UTC 0 * * * *"}, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"),
        ({"timeZone": ""}, "timeZone must be nil or non-empty string"),
        ({"timeZone": "Europe/Nowhere"}, 'spec.timeZone: Invalid value: "Europe/Nowhere": unknown time zone'),
        ({"timeZone": "local"}, "timeZone must be an explicit time zone"),
        (
            {"jobTemplate": {"spec": {"template": template(), "manualSelector": True}}},
            'spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false"',
        ),
        (
            {"jobTemplate": {"spec": {"template": template(), "selector": {"matchLabels": {"a": "b"}}}}},
            "`selector` will be auto-generated",
        ),
        (
            {"jobTemplate": {"spec": {"template": template(restartPolicy="Always")}}},
            "spec.jobTemplate.spec.template.spec.restartPolicy: Required value",
        ),
    ],
)
def test_a_wrong_cron_job_is_refused(spec: Document, error: str) -> None:
    found = create_errors(CRON_JOBS, cron_job(**spec))
    assert len(found) == 1, found
    assert error in found[0]


def test_a_cron_job_leaves_room_in_the_names_of_its_jobs() -> None:
    document = cron_job()
    document["metadata"]["name"] = "x" * 53
    assert create_errors(CRON_JOBS, document) == [
        f'metadata.name: Invalid value: "{"x" * 53}": must be no more than 52 characters'
    ]


@pytest.mark.parametrize(
    "text",
    [
        "0 0 * * *",
        "*/5 * * * ?",
        "0 9-17/2 * JAN-mar mon,wed,6",
        "@daily",
        "@every 1h30m",
        "@every 1.5s",
        "CRON_TZ=Europe/Berlin @hourly",
        "TZ=UTC 0 0 1 1 *",
        "5/15 * * * *",
    ],
)
def test_a_schedule_may_be_written_so(text: str) -> None:
    assert schedule_problem(text) == ""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("* * * * 5-3", "beginning of range (5) beyond end of range (3): 5-3"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        ("a * * * *", 'failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax'),
        ("* * * * 7", "end of range (7) above maximum (6): 7"),
        ("@often", "unrecognized descriptor: @often"),
        ("@every day", 'failed to parse duration @every day: time: invalid duration "day"'),
        ("TZ=Nowhere/At/All 0 0 * * *", "provided bad location Nowhere/At/All: unknown time zone Nowhere/At/All"),
        ("TZ=UTC", "invalid schedule format: nothing follows the time zone"),
    ],
)
def test_a_malformed_schedule_is_explained(text: str, problem: str) -> None:
    assert schedule_problem(text) == problem


@pytest.mark.parametrize("zone", ["UTC", "Etc/UTC", "America/Argentina/Buenos_Aires", "Asia/Kolkata"])
def test_a_time_zone_is_known(zone: str) -> None:
    assert zone_problem(zone) == ""


@pytest.mark.parametrize("zone", ["../etc/passwd", "/UTC", "Europe//Berlin", "Mars/Olympus", "-UTC"])
def test_a_time_zone_is_unknown(zone: str) -> None:
    assert zone_problem(zone) == f"unknown time zone {zone}"
