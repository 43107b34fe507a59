"""Failures become the Status documents that clients match on."""

import pickle

import msgspec
import pytest

from proa.machinery import status
from proa.machinery.fields import ErrorList, Path
from proa.machinery.meta import StatusCause

PODS = status.GroupPlural("", "pods")
DEPLOYMENTS = status.GroupPlural("apps", "deployments")


@pytest.mark.parametrize(
    ("error", "code", "reason", "message"),
    [
        (status.not_found(DEPLOYMENTS, "x"), 404, "NotFound", 'deployments.apps "x" not found'),
        (status.already_exists(PODS, "x"), 409, "AlreadyExists", 'pods "x" already exists'),
        (
            status.conflict(PODS, "x"),
            409,
            "Conflict",
            'Operation cannot be fulfilled on pods "x": the object has been modified; '
            "please apply your changes to the latest version and try again",
        ),
        (status.forbidden(PODS, "x", "no"), 403, "Forbidden", 'pods "x" is forbidden: no'),
        (status.forbidden(PODS, "", "no"), 403, "Forbidden", "pods is forbidden: no"),
        (
            status.denied("eve", "list", DEPLOYMENTS, namespace="kube-system"),
            403,
            "Forbidden",
            'deployments.apps is forbidden: User "eve" cannot list resource "deployments" in API group "apps" '
            'in the namespace "kube-system"',
        ),
        (
            status.denied("eve", "get", PODS, subresource="log", name="p", reason="rule"),
            403,
            "Forbidden",
            'pods "p" is forbidden: User "eve" cannot get resource "pods/log" in API group "" '
            "at the cluster scope: rule",
        ),
        (status.denied("eve", "get", path="/x"), 403, "Forbidden", 'forbidden: User "eve" cannot get path "/x"'),
        (status.unauthorized(), 401, "Unauthorized", "Unauthorized"),
        (status.bad_request("why"), 400, "BadRequest", "why"),
        (
            status.method_not_supported(PODS, "watch"),
            405,
            "MethodNotAllowed",
            'watch is not supported on resources of kind "pods"',
        ),
        (status.gone("old"), 410, "Gone", "old"),
        (status.too_old_resource_version(3, 9), 410, "Expired", "too old resource version: 3 (9)"),
        (status.too_many_requests("slow down", 7), 429, "TooManyRequests", "slow down"),
        (status.internal_error("boom"), 500, "InternalError", "Internal error occurred: boom"),
        (status.not_implemented("later"), 501, "NotImplemented", "later"),
        (status.service_unavailable("starting"), 503, "ServiceUnavailable", "starting"),
        (status.timeout("too slow"), 504, "Timeout", "Timeout: too slow"),
        (
            status.request_entity_too_large("limit is 3"),
            413,
            "RequestEntityTooLarge",
            "Request entity too large: limit is 3",
        ),
        (
            status.not_acceptable(["application/json"]),
            406,
            "NotAcceptable",
            "only the following media types are accepted: application/json",
        ),
    ],
)
def test_a_failure_has_its_code_reason_and_wording(
    error: status.StatusError, code: int, reason: str, message: str
) -> None:
    assert (error.code, error.reason, error.message) == (code, reason, message)
    assert error.status.status == "Failure"
    assert str(error) == message


def test_an_invalid_object_names_every_field() -> None:
    errors = ErrorList()
    errors.required(Path("spec").child("containers").index(0).child("name"), "it has none")
    one = status.invalid("", "Pod", "x", errors)
    assert one.message == 'Pod "x" is invalid: spec.containers[0].name: Required value: it has none'
    errors.invalid(Path("spec", "replicas"), -1, "must be greater than or equal to 0")
    two = status.invalid("apps", "Deployment", "x", errors)
    assert two.message == (
        'Deployment.apps "x" is invalid: [spec.containers[0].name: Required value: it has none, '
        "spec.replicas: Invalid value: -1: must be greater than or equal to 0]"
    )
    assert two.code == 422
    assert two.status.details is not None
    assert [(each.reason, each.field) for each in two.status.details.causes] == [
        ("FieldValueRequired", "spec.containers[0].name"),
        ("FieldValueInvalid", "spec.replicas"),
    ]
    assert (two.status.details.kind, two.status.details.group, two.status.details.name) == ("Deployment", "apps", "x")


def test_details_name_the_resource() -> None:
    details = status.not_found(DEPLOYMENTS, "x").status.details
    assert details is not None
    assert (details.name, details.group, details.kind) == ("x", "apps", "deployments")


def test_an_apply_conflict_lists_its_causes() -> None:
    cause = StatusCause(reason="FieldManagerConflict", message='conflict with "a"', field=".spec")
    error = status.apply_conflict([cause], "Apply failed with 1 conflict")
    assert error.status.details is not None
    assert error.status.details.causes == (cause,)
    assert status.is_conflict(error)


def test_retry_after_is_where_clients_look() -> None:
    assert status.too_many_requests("x", 7).retry_after == 7
    assert status.bad_request("x").retry_after == 0


def test_predicates_tell_reasons_apart() -> None:
    assert status.is_not_found(status.not_found(PODS, "x"))
    assert not status.is_not_found(status.conflict(PODS, "x"))
    assert not status.is_not_found(ValueError())
    assert status.is_expired(status.gone("x"))
    assert status.is_expired(status.expired("x"))


def test_a_status_survives_the_wire_and_pickle() -> None:
    error = status.not_found(PODS, "x")
    body = status.encode_status(error.status)
    document = msgspec.json.decode(body)
    assert (document["kind"], document["apiVersion"], document["metadata"]) == ("Status", "v1", {})
    assert status.decode_status(body) == error.status
    assert pickle.loads(pickle.dumps(error)).status == error.status


def test_a_body_that_is_no_status_becomes_one() -> None:
    found = status.decode_status(b"<html>nope</html>", 503)
    assert (found.code, found.reason, found.message) == (503, "ServiceUnavailable", "<html>nope</html>")
    assert "404" in status.decode_status(b"", 404).message
