"""API failures: the one exception that becomes a `Status` on the wire, and the constructors for every reason.

Reasons, codes and the beginnings of messages are what client libraries and people match on, so they are said here
once. Not here: where a failure is detected, and HTTP.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, Protocol

import msgspec

from proa.base.errors import ProaError
from proa.machinery.fields import ErrorList, quoted
from proa.machinery.meta import Status, StatusCause, StatusDetails


class Qualified(Protocol):
    """What an error says about a resource; every `Resource` is one."""

    @property
    def group(self) -> str: ...
    @property
    def plural(self) -> str: ...
    @property
    def qualified(self) -> str: ...


class GroupPlural(msgspec.Struct, frozen=True):
    """A resource known only by name, where no `Resource` is at hand."""

    group: str
    plural: str

    @property
    def qualified(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural


class StatusError(ProaError):
    """An API failure. `status` is what the client sees."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.message)
        self.status = status

    @property
    def code(self) -> int:
        return self.status.code

    @property
    def reason(self) -> str:
        return self.status.reason

    @property
    def message(self) -> str:
        return self.status.message

    @property
    def retry_after(self) -> int:
        """Seconds to wait before a retry (the Retry-After header); 0: not said."""
        return self.status.details.retryAfterSeconds if self.status.details else 0

    def __repr__(self) -> str:
        return f"StatusError({self.code} {self.reason}: {self.message})"

    def __reduce__(self) -> tuple[Any, ...]:
        return StatusError, (self.status,)


def _failure(code: int, reason: str, message: str, details: StatusDetails | None = None) -> StatusError:
    return StatusError(Status(status="Failure", message=message, reason=reason, details=details, code=code))


def _about(resource: Qualified, name: str, **more: Any) -> StatusDetails:
    return StatusDetails(name=name, group=resource.group, kind=resource.plural, **more)


def bad_request(message: str) -> StatusError:
    """400: the request cannot be understood."""
    return _failure(400, "BadRequest", message)


def unauthorized(message: str = "Unauthorized") -> StatusError:
    """401: who asks is not known."""
    return _failure(401, "Unauthorized", message)


def forbidden(resource: Qualified, name: str, why: str) -> StatusError:
    """403: `pods "x" is forbidden: why`. Admission refuses with this too."""
    subject = f"{resource.qualified} {quoted(name)}" if name else resource.qualified
    return _failure(403, "Forbidden", f"{subject} is forbidden: {why}" if resource.plural else f"forbidden: {why}",
                    _about(resource, name))  # fmt: skip


def denied(
    user: str,
    verb: str,
    resource: Qualified | None = None,
    *,
    subresource: str = "",
    name: str = "",
    namespace: str = "",
    path: str = "",
    reason: str = "",
) -> StatusError:
    """403 of the authorizer: `pods is forbidden: User "u" cannot list resource "pods" in API group "" in the namespace
    "n"`. Without a resource, `path` is the non-resource URL."""
    tail = f": {reason}" if reason else ""
    if resource is None:
        return _failure(403, "Forbidden", f"forbidden: User {quoted(user)} cannot {verb} path {quoted(path)}{tail}",
                        StatusDetails())  # fmt: skip
    plural = f"{resource.plural}/{subresource}" if subresource else resource.plural
    where = f"in the namespace {quoted(namespace)}" if namespace else "at the cluster scope"
    why = f"User {quoted(user)} cannot {verb} resource {quoted(plural)} in API group {quoted(resource.group)} {where}"
    return forbidden(resource, name, why + tail)


def not_found(resource: Qualified, name: str) -> StatusError:
    """404: `pods "x" not found`."""
    return _failure(404, "NotFound", f"{resource.qualified} {quoted(name)} not found", _about(resource, name))


class NoSuchPathError(StatusError):
    """404 for a path that no part of the server knows: told in plain text over HTTP, as Go's servers do."""

    def __init__(self) -> None:
        super().__init__(Status(status="Failure", message="404 page not found", reason="NotFound", code=404))

    def __reduce__(self) -> tuple[Any, ...]:
        return NoSuchPathError, ()


def no_such_page() -> StatusError:
    """404 for a path that serves nothing in a group of the server's own."""
    return _failure(404, "NotFound", "the server could not find the requested resource", StatusDetails())


def method_not_supported(resource: Qualified, action: str) -> StatusError:
    """405: the resource exists but not this verb on it."""
    message = f"{action} is not supported on resources of kind {quoted(resource.qualified)}"
    return _failure(405, "MethodNotAllowed", message, _about(resource, ""))


def method_not_allowed() -> StatusError:
    """405 for a path that knows other HTTP methods."""
    message = "the server does not allow this method on the requested resource"
    return _failure(405, "MethodNotAllowed", message, StatusDetails())


def not_acceptable(accepted: Iterable[str]) -> StatusError:
    """406: none of the client's Accept types can be written."""
    return _failure(
        406, "NotAcceptable", f"only the following media types are accepted: {', '.join(accepted)}", StatusDetails()
    )


def not_acceptable_view(view: str, found: str) -> StatusError:
    """406: the view exists, but not of what was found."""
    message = f"you requested {view}, but the requested object is {found}"
    return _failure(406, "NotAcceptable", message, StatusDetails())


def already_exists(resource: Qualified, name: str, *, going: bool = False) -> StatusError:
    """409: `pods "x" already exists`. going: it is being deleted, so that trying again will do."""
    message = f"{resource.qualified} {quoted(name)} already exists"
    if going:
        message = f"object is being deleted: {message}"
    return _failure(409, "AlreadyExists", message, _about(resource, name))


def generate_name_conflict(resource: Qualified, name: str, retry_after: int = 1) -> StatusError:
    """409: every name generated from `generateName` was taken; the client should try again."""
    message = (
        f"{resource.qualified} {quoted(name)} already exists, "
        "the server was not able to generate a unique name for the object"
    )
    return _failure(409, "AlreadyExists", message, _about(resource, name, retryAfterSeconds=retry_after))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(resource: Qualified, name: str, why: str = MODIFIED) -> StatusError:
    """409: the write was based on an old version, or a precondition failed."""
    message = f"Operation cannot be fulfilled on {resource.qualified} {quoted(name)}: {why}"
    return _failure(409, "Conflict", message, _about(resource, name))


def other_uid(resource: Qualified, name: str, said: str, found: str) -> StatusError:
    """409: the write is meant for another object of this name. found: '' where there is none."""
    return conflict(resource, name, f"Precondition failed: UID in precondition: {said}, UID in object meta: {found}")


def apply_conflict(causes: Iterable[StatusCause], message: str) -> StatusError:
    """409 of server-side apply: another manager owns fields (causes: reason FieldManagerConflict, message, field)."""
    return _failure(409, "Conflict", message, StatusDetails(causes=tuple(causes)))


def gone(message: str) -> StatusError:
    """410: it existed and does not any more."""
    return _failure(410, "Gone", message)


def expired(message: str) -> StatusError:
    """410, reason Expired: the resourceVersion or continue token is too old; list again."""
    return _failure(410, "Expired", message)


def with_continue(error: StatusError, token: str) -> StatusError:
    """The same failure with a continue token, for who would rather go on than begin again."""
    metadata = msgspec.structs.replace(error.status.metadata, continue_=token)
    return StatusError(msgspec.structs.replace(error.status, metadata=metadata))


def too_old_resource_version(asked: int | str, oldest: int | str) -> StatusError:
    """410 of a watch or list at a compacted revision."""
    return expired(f"too old resource version: {asked} ({oldest})")


def too_large_resource_version(asked: int | str, current: int | str, retry_after: int = 1) -> StatusError:
    """504 of a read at a revision the server has not reached."""
    cause = StatusCause(reason="ResourceVersionTooLarge", message="Too large resource version")
    message = f"Timeout: Too large resource version: {asked}, current: {current}"
    return _failure(504, "Timeout", message, StatusDetails(retryAfterSeconds=retry_after, causes=(cause,)))


def request_entity_too_large(message: str) -> StatusError:
    """413: the body exceeds the limit."""
    return _failure(413, "RequestEntityTooLarge", f"Request entity too large: {message}")


def unsupported_media_type(accepted: Iterable[str]) -> StatusError:
    """415: the body's Content-Type cannot be read."""
    kinds = ", ".join(accepted)
    message = f"the body of the request was in an unknown format - accepted media types include: {kinds}"
    return _failure(415, "UnsupportedMediaType", message)


def invalid(group: str, kind: str, name: str, errors: ErrorList) -> StatusError:
    """422: `Pod "x" is invalid: spec.containers: Required value`, or `[a, b]` where several things are wrong."""
    qualified = f"{kind}.{group}" if group else kind
    message = f"{qualified} {quoted(name)} is invalid" + (f": {errors.message}" if errors else "")
    details = StatusDetails(name=name, group=group, kind=kind, causes=errors.causes())
    return _failure(422, "Invalid", message, details)


def unprocessable(why: str) -> StatusError:
    """A well-formed request that cannot be carried out on this object (a failed JSON patch)."""
    message = f"the server rejected our request due to an error in our request: {why}"
    return _failure(422, "Invalid", message, StatusDetails(causes=(StatusCause(message=why),)))


def with_cause(error: StatusError, *causes: StatusCause) -> StatusError:
    """The same failure with causes added, for clients that look at `details.causes`."""
    details = error.status.details or StatusDetails()
    details = msgspec.structs.replace(details, causes=(*details.causes, *causes))
    return StatusError(msgspec.structs.replace(error.status, details=details))


def too_many_requests(message: str, retry_after: int = 1) -> StatusError:
    """429: come back in `retry_after` seconds (overload; an eviction its disruption budget refuses)."""
    return _failure(429, "TooManyRequests", message, StatusDetails(retryAfterSeconds=retry_after))


def internal_error(error: object) -> StatusError:
    """500: a bug or a broken dependency of the server."""
    details = StatusDetails(causes=(StatusCause(message=str(error)),))
    return _failure(500, "InternalError", f"Internal error occurred: {error}", details)


def server_timeout(resource: Qualified, operation: str, retry_after: int = 1) -> StatusError:
    """500, reason ServerTimeout: it may work later."""
    message = (
        f"The {operation} operation against {resource.qualified} could not be completed at this time, please try again."
    )
    return _failure(500, "ServerTimeout", message, _about(resource, "", retryAfterSeconds=retry_after))


def not_implemented(message: str) -> StatusError:
    """501: Kubernetes has this and proa does not, yet. Never accept silently what raises this."""
    return _failure(501, "NotImplemented", message)


def failed(message: str) -> StatusError:
    """500 without a reason: what was asked cannot be done, for a reason that has no name."""
    return _failure(500, "", message)


def service_unavailable(message: str) -> StatusError:
    """503: not ready, or a backend is away."""
    return _failure(503, "ServiceUnavailable", message)


def timeout(message: str, retry_after: int = 0) -> StatusError:
    """504: the request took longer than allowed; its effect is not known."""
    return _failure(504, "Timeout", f"Timeout: {message}", StatusDetails(retryAfterSeconds=retry_after))


def success(resource: Qualified, name: str, uid: str = "") -> Status:
    """The body of a completed delete."""
    return Status(status="Success", details=_about(resource, name, uid=uid))


def _has(error: BaseException, *reasons: str) -> bool:
    return isinstance(error, StatusError) and error.reason in reasons


def is_not_found(error: BaseException) -> bool:
    return _has(error, "NotFound")


def is_already_exists(error: BaseException) -> bool:
    return _has(error, "AlreadyExists")


def is_conflict(error: BaseException) -> bool:
    return _has(error, "Conflict")


def is_invalid(error: BaseException) -> bool:
    return _has(error, "Invalid")


def is_bad_request(error: BaseException) -> bool:
    return _has(error, "BadRequest")


def is_unauthorized(error: BaseException) -> bool:
    return _has(error, "Unauthorized")


def is_forbidden(error: BaseException) -> bool:
    return _has(error, "Forbidden")


def is_expired(error: BaseException) -> bool:
    """A list or watch must start anew (reasons Expired and Gone)."""
    return _has(error, "Expired", "Gone")


def is_timeout(error: BaseException) -> bool:
    return _has(error, "Timeout", "ServerTimeout")


def is_too_many_requests(error: BaseException) -> bool:
    return _has(error, "TooManyRequests")


def is_service_unavailable(error: BaseException) -> bool:
    return _has(error, "ServiceUnavailable")


@cache
def _decoder() -> msgspec.json.Decoder[Status]:
    return msgspec.json.Decoder(Status)


def encode_status(status: Status) -> bytes:
    """The JSON body."""
    return msgspec.json.encode(status)


def decode_status(body: bytes, code: int = 0) -> Status:
    """The Status in a failed response; a body that is none (a proxy's HTML) becomes one with the HTTP `code`."""
    try:
        status = _decoder().decode(body)
    except msgspec.MsgspecError:
        text = body[:2048].decode("utf-8", "replace").strip()
        message = text or f"the server responded with the status code {code} but did not return more information"
        return Status(status="Failure", message=message, reason=_REASONS.get(code, ""), code=code)
    return status


_REASONS = {
    400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 405: "MethodNotAllowed",
    406: "NotAcceptable", 409: "Conflict", 410: "Gone", 413: "RequestEntityTooLarge", 415: "UnsupportedMediaType",
    422: "Invalid", 429: "TooManyRequests", 500: "InternalError", 501: "NotImplemented", 503: "ServiceUnavailable",
    504: "Timeout",
}  # fmt: skip
