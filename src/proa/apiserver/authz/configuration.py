"""The file of `--authorization-config`: which authorizers there are, in which order, and how webhooks are asked.

Source: apiserver.config.k8s.io AuthorizationConfiguration. Not here: the authorizers.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path as FilePath

import msgspec
import yaml

from proa.apiserver.authz.webhook import Conditions
from proa.apiserver.identity import Verdict
from proa.base.errors import ProaError
from proa.lang.durations import parse_duration
from proa.machinery.fields import ErrorList, Path
from proa.machinery.names import dns1123_subdomain

WEBHOOK = "Webhook"
_VERSIONS = ("apiserver.config.k8s.io/v1", "apiserver.config.k8s.io/v1beta1")
_REVIEWS = ("v1", "v1beta1")
_ON_FAILURE = {"NoOpinion": Verdict.NO_OPINION, "Deny": Verdict.DENY}
_LONGEST = 30.0
_MOST_CONDITIONS = 64


class ConfigurationError(ProaError):
    """The file holds no authorization configuration; the message names what is wrong with which field."""


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """How a webhook is asked. allowed, refused: seconds for which answers are remembered, 0: not at all."""

    kubeconfig: FilePath
    version: str
    timeout: float
    allowed: float
    refused: float
    on_failure: Verdict
    conditions: Conditions | None


@dataclass(frozen=True, slots=True)
class AuthorizerSettings:
    """webhook: None for every other type."""

    type: str
    webhook: WebhookSettings | None = None


class _Struct(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A part of the file."""


class _Connection(_Struct, frozen=True):
    type: str = ""
    kube_config_file: str = ""


class _Condition(_Struct, frozen=True):
    expression: str = ""


class _Webhook(_Struct, frozen=True):
    authorized_ttl: str = msgspec.field(default="", name="authorizedTTL")
    cache_authorized_requests: bool = True
    unauthorized_ttl: str = msgspec.field(default="", name="unauthorizedTTL")
    cache_unauthorized_requests: bool = True
    timeout: str = ""
    subject_access_review_version: str = ""
    match_condition_subject_access_review_version: str = ""
    failure_policy: str = ""
    connection_info: _Connection = _Connection()
    match_conditions: tuple[_Condition, ...] = ()


class _Authorizer(_Struct, frozen=True):
    type: str = ""
    name: str = ""
    webhook: _Webhook | None = None


class _File(_Struct, frozen=True):
    api_version: str = ""
    kind: str = ""
    authorizers: tuple[_Authorizer, ...] = ()


def load(path: FilePath, known: Collection[str]) -> list[AuthorizerSettings]:
    """The authorizers a file names. known: types that there are. Raises ConfigurationError, OSError."""
    try:
        read = msgspec.convert(yaml.load(path.read_text(), yaml.CSafeLoader), _File)
    except (yaml.YAMLError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"authorization configuration {path}: {error}") from error
    if read.api_version not in _VERSIONS or read.kind != "AuthorizationConfiguration":
        raise ConfigurationError(
            f"authorization configuration {path}: apiVersion must be one of {', '.join(_VERSIONS)} and kind must be "
            "AuthorizationConfiguration"
        )
    errors, made = ErrorList(), []
    if not read.authorizers:
        errors.required(Path("authorizers"), "at least one authorization mode must be defined")
    for index, each in enumerate(read.authorizers):
        at, before = Path("authorizers").index(index), read.authorizers[:index]
        _check(each, at, before, known, errors)
        webhook = _webhook(each.webhook, at, errors) if each.webhook is not None and each.type == WEBHOOK else None
        made.append(AuthorizerSettings(each.type, webhook))
    if errors:
        raise ConfigurationError(f"authorization configuration {path}: {errors.message}")
    return made


def _check(
    given: _Authorizer, at: Path, before: Collection[_Authorizer], known: Collection[str], errors: ErrorList
) -> None:
    if not given.type:
        errors.required(at.child("type"))
        return
    if given.type not in known:
        errors.unsupported(at.child("type"), given.type, sorted(known))
        return
    if given.type != WEBHOOK and any(each.type == given.type for each in before):
        errors.duplicate(at.child("type"), given.type)
    if not given.name:
        errors.required(at.child("name"))
    elif any(each.name == given.name for each in before):
        errors.duplicate(at.child("name"), given.name)
    elif wrong := dns1123_subdomain(given.name):
        errors.invalid(at.child("name"), given.name, f"authorizer name is invalid: {', '.join(wrong)}")
    if given.type == WEBHOOK and given.webhook is None:
        errors.required(at.child("webhook"), "required when type=Webhook")
    if given.type != WEBHOOK and given.webhook is not None:
        errors.invalid(at.child("webhook"), "non-null", "may only be specified when type=Webhook")


def _webhook(given: _Webhook, at: Path, errors: ErrorList) -> WebhookSettings:
    timeout = _seconds(given.timeout, at.child("timeout"), errors)
    if timeout > _LONGEST:
        errors.invalid(at.child("timeout"), given.timeout, "must be > 0s and <= 30s")
    allowed = _seconds(given.authorized_ttl, at.child("authorizedTTL"), errors)
    refused = _seconds(given.unauthorized_ttl, at.child("unauthorizedTTL"), errors)
    _one_of(given.subject_access_review_version, _REVIEWS, at.child("subjectAccessReviewVersion"), errors)
    _one_of(given.failure_policy, _ON_FAILURE, at.child("failurePolicy"), errors)
    matching = at.child("matchConditionSubjectAccessReviewVersion")
    if given.match_conditions and not given.match_condition_subject_access_review_version:
        errors.required(matching, "required if match conditions are specified")
    elif given.match_condition_subject_access_review_version not in ("", "v1"):
        errors.unsupported(matching, given.match_condition_subject_access_review_version, ("v1",))
    return WebhookSettings(
        _kubeconfig(given.connection_info, at.child("connectionInfo"), errors),
        given.subject_access_review_version,
        timeout,
        allowed if given.cache_authorized_requests else 0.0,
        refused if given.cache_unauthorized_requests else 0.0,
        _ON_FAILURE.get(given.failure_policy, Verdict.NO_OPINION),
        _conditions(given.match_conditions, at.child("matchConditions"), errors),
    )


def _kubeconfig(given: _Connection, at: Path, errors: ErrorList) -> FilePath:
    path = FilePath(given.kube_config_file)
    if given.type == "InClusterConfig":
        errors.invalid(at.child("type"), given.type, "this server runs in no pod: use KubeConfigFile")
    elif given.type != "KubeConfigFile":
        _one_of(given.type, ("InClusterConfig", "KubeConfigFile"), at.child("type"), errors)
    elif not given.kube_config_file:
        errors.required(at.child("kubeConfigFile"))
    elif not path.is_absolute():
        errors.invalid(at.child("kubeConfigFile"), given.kube_config_file, "must be an absolute path")
    elif not path.is_file():
        errors.invalid(at.child("kubeConfigFile"), given.kube_config_file, "must be a regular file")
    return path


def _conditions(given: Collection[_Condition], at: Path, errors: ErrorList) -> Conditions | None:
    if not given:
        return None
    from proa.apiserver.authz.match_conditions import MatchConditions
    from proa.lang.cel.errors import CelError

    if len(given) > _MOST_CONDITIONS:
        errors.too_many(at, len(given), _MOST_CONDITIONS)
        return None
    sources: list[str] = []
    for index, each in enumerate(given):
        where = at.index(index).child("expression")
        if not each.expression.strip():
            errors.required(where)
        elif each.expression in sources:
            errors.duplicate(where, each.expression)
        else:
            try:
                MatchConditions([each.expression])
            except CelError as error:
                errors.invalid(where, each.expression, str(error))
                continue
            sources.append(each.expression)
    return MatchConditions(sources)


def _seconds(text: str, at: Path, errors: ErrorList) -> float:
    try:
        seconds = parse_duration(text) if text else 0.0
    except ValueError as error:
        errors.invalid(at, text, str(error))
        return 0.0
    if not seconds:
        errors.required(at)
    elif seconds < 0:
        errors.invalid(at, text, "must be > 0s")
    return seconds


def _one_of(text: str, known: Collection[str], at: Path, errors: ErrorList) -> None:
    if not text:
        errors.required(at)
    elif text not in known:
        errors.unsupported(at, text, known)
