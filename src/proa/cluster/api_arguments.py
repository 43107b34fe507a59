"""Arguments of the API server that users may give, under the names of kube-apiserver's flags: one line each.

`proa up --api-arg NAME=VALUE` keeps them in the cluster's settings; `start_api` hands the values to the parts they are
for. Here: names, kinds, defaults, and what contradicts what. Not here: what an argument does.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import urlsplit

import msgspec

from proa.apiserver.authn.algorithms import ASYMMETRIC
from proa.base.errors import ProaError
from proa.lang.durations import parse_duration

T = TypeVar("T")
ISSUER = "https://kubernetes.default.svc.cluster.local"
FRONT_PROXY_USER = "front-proxy-client"
"""As whom the server itself speaks for users to other API servers."""
MODES = ("Node", "RBAC", "Webhook", "AlwaysAllow", "AlwaysDeny")
_MODES = ("Node", "RBAC")


class ArgumentError(ProaError):
    """An argument is unknown, has a value of the wrong kind, or contradicts another."""


class Kind(msgspec.Struct, Generic[T], frozen=True):
    """read: from its text, raises ValueError or OSError. right: what a value must be, for people. many: given several
    times, the values are joined by commas; else the last one counts. path: a file name, kept absolute."""

    read: Callable[[str], T]
    right: str
    many: bool = False
    path: bool = False


def _flag(text: str) -> bool:
    known = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
    if text.lower() not in known:
        raise ValueError(f"{text!r} is neither true nor false")
    return known[text.lower()]


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"{text!r} is no whole number")
    return int(text)


def _rate(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError(f"{text!r} is no positive number")
    return number


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for each in text.split(",") if (word := each.strip()))


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    for each in _words(text):
        name, said, value = each.partition("=")
        if not said or not name:
            raise ValueError(f"{each!r} is not of the form name=value")
        pairs.append((name, value))
    return tuple(pairs)


def _seconds(text: str) -> float:
    seconds = parse_duration(text)
    if seconds < 0:
        raise ValueError(f"{text!r} is negative")
    return seconds


def _file(text: str) -> str:
    with Path(text).open("rb"):
        return text


def one_of(*values: str) -> Kind[str]:
    """One of a few words."""

    def read(text: str) -> str:
        if text not in values:
            raise ValueError(f"{text!r} is not known")
        return text

    return Kind(read, "one of " + ", ".join(values))


def some_of(*values: str) -> Kind[tuple[str, ...]]:
    """Several of a few words, in the order given."""

    def read(text: str) -> tuple[str, ...]:
        words = _words(text)
        for each in words:
            if each not in values:
                raise ValueError(f"{each!r} is not known")
        if len(set(words)) < len(words):
            raise ValueError("one is named twice")
        return words

    return Kind(read, "a comma separated list of " + ", ".join(values))


FLAG = Kind(_flag, "true or false")
Flag = Annotated[bool, FLAG]
Text = Annotated[str, Kind(str, "a text")]
Rate = Annotated[float, Kind(_rate, "a number, such as 10 or 0.5")]
Count = Annotated[int, Kind(_count, "a whole number, such as 100")]
Seconds = Annotated[float, Kind(_seconds, "a duration, such as 30s or 1h15m")]
Words = Annotated[tuple[str, ...], Kind(_words, "a comma separated list", many=True)]
Pairs = Annotated[tuple[tuple[str, str], ...], Kind(_pairs, "name=value pairs, separated by commas", many=True)]
File = Annotated[str, Kind(_file, "a file that can be read", path=True)]
Output = Annotated[str, Kind(str, "a file name, or - for the standard output", path=True)]
Webhooks = Annotated[str, one_of("v1beta1", "v1")]
Algorithms = Annotated[tuple[str, ...], some_of(*ASYMMETRIC)]
Modes = Annotated[tuple[str, ...], some_of(*MODES)]
AuditMode = Annotated[str, one_of("batch", "blocking", "blocking-strict")]


class ApiArguments(msgspec.Struct, frozen=True):
    """The values, with upstream's defaults where proa has no reason for others ('' for a file: none).

    The flag of a field is its name with dashes.
    """

    anonymous_auth: Flag = True
    authentication_config: File = ""
    token_auth_file: File = ""
    enable_bootstrap_token_auth: Flag = True
    service_account_issuer: Words = (ISSUER,)
    service_account_jwks_uri: Text = ""
    service_account_lookup: Flag = True
    service_account_extend_token_expiration: Flag = True
    service_account_max_token_expiration: Seconds = 0.0
    api_audiences: Words = ()
    oidc_issuer_url: Text = ""
    oidc_client_id: Text = ""
    oidc_ca_file: File = ""
    oidc_username_claim: Text = "sub"
    oidc_username_prefix: Text = ""
    oidc_groups_claim: Text = ""
    oidc_groups_prefix: Text = ""
    oidc_required_claim: Pairs = ()
    oidc_signing_algs: Algorithms = ("RS256",)
    authentication_token_webhook_config_file: File = ""
    authentication_token_webhook_version: Webhooks = "v1beta1"
    authentication_token_webhook_cache_ttl: Seconds = 120.0
    requestheader_client_ca_file: File = ""
    requestheader_allowed_names: Words = (FRONT_PROXY_USER,)
    requestheader_username_headers: Words = ("X-Remote-User",)
    requestheader_uid_headers: Words = ("X-Remote-Uid",)
    requestheader_group_headers: Words = ("X-Remote-Group",)
    requestheader_extra_headers_prefix: Words = ("X-Remote-Extra-",)
    authorization_config: File = ""
    authorization_mode: Modes = _MODES
    authorization_webhook_config_file: File = ""
    authorization_webhook_version: Webhooks = "v1beta1"
    authorization_webhook_cache_authorized_ttl: Seconds = 300.0
    authorization_webhook_cache_unauthorized_ttl: Seconds = 30.0
    audit_policy_file: File = ""
    audit_log_path: Output = ""
    audit_log_mode: AuditMode = "blocking"
    audit_log_maxsize: Count = 100
    audit_log_maxage: Count = 0
    audit_log_maxbackup: Count = 0
    audit_log_compress: Flag = False
    audit_webhook_config_file: File = ""
    audit_webhook_mode: AuditMode = "batch"
    audit_webhook_batch_buffer_size: Count = 10_000
    audit_webhook_batch_max_size: Count = 400
    audit_webhook_batch_max_wait: Seconds = 30.0
    audit_webhook_batch_throttle_enable: Flag = True
    audit_webhook_batch_throttle_qps: Rate = 10.0
    audit_webhook_batch_throttle_burst: Count = 15
    audit_webhook_initial_backoff: Seconds = 10.0
    enable_admission_plugins: Words = ()
    disable_admission_plugins: Words = ()
    admission_control_config_file: File = ""
    max_requests_inflight: Count = 400
    max_mutating_requests_inflight: Count = 200
    enable_priority_and_fairness: Flag = True
    request_timeout: Seconds = 60.0

    def shown(self) -> Mapping[str, str]:
        """Every argument as a text, by its name."""
        return {name.replace("_", "-"): _shown(value) for name, value in msgspec.structs.asdict(self).items()}

    @classmethod
    def of(cls, given: Iterable[str]) -> "ApiArguments":
        """From `NAME=VALUE` texts. Raises ArgumentError."""
        values = {name.replace("-", "_"): _read(name, text) for name, text in _joined(given).items()}
        arguments = cls(**values)
        _check(arguments)
        return arguments


_KINDS: Mapping[str, Kind[Any]] = {
    name.replace("_", "-"): hint.__metadata__[0] for name, hint in ApiArguments.__annotations__.items()
}
KNOWN = tuple(_KINDS)
"""The names, in the order of the declaration."""


def merged(kept: Iterable[str], given: Iterable[str]) -> tuple[str, ...]:
    """The texts to keep when a cluster that has `kept` is given others: they replace those of the same name, and
    `NAME=` goes back to the default. File names become absolute. Raises ArgumentError."""
    given = tuple(given)
    names = {_split(each)[0] for each in given}
    result = [each for each in kept if _split(each)[0] not in names]
    for each in given:
        name, value = _split(each)
        if not value:
            continue
        if _KINDS[name].path and value != "-":
            value = str(Path(value).absolute())
        result.append(f"{name}={value}")
    ApiArguments.of(result)
    return tuple(result)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join("=".join(each) if isinstance(each, tuple) else str(each) for each in value)
    return f"{value:g}s" if isinstance(value, float) else str(value)


def _split(text: str) -> tuple[str, str]:
    name, said, value = text.partition("=")
    name = name.strip().removeprefix("--")
    kind = _KINDS.get(name)
    if kind is None:
        from difflib import get_close_matches

        close = get_close_matches(name, KNOWN, 1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise ArgumentError(f"--api-arg {name}: no such argument{hint}; known are: {', '.join(sorted(KNOWN))}")
    if not said:
        if kind is not FLAG:
            raise ArgumentError(f"--api-arg {name}: the value is missing: write {name}=VALUE, {kind.right}")
        value = "true"
    return name, value


def _joined(given: Iterable[str]) -> Mapping[str, str]:
    texts: dict[str, str] = {}
    for each in given:
        name, value = _split(each)
        texts[name] = f"{texts[name]},{value}" if name in texts and _KINDS[name].many else value
    return texts


def _read(name: str, text: str) -> Any:
    kind = _KINDS[name]
    try:
        return kind.read(text)
    except (ValueError, OSError) as error:
        raise ArgumentError(f"--api-arg {name}={text}: {error}: it must be {kind.right}") from error


def _check(arguments: ApiArguments) -> None:
    """What holds between arguments. Raises ArgumentError."""
    issuers = arguments.service_account_issuer
    if not issuers:
        raise ArgumentError("--api-arg service-account-issuer: at least one issuer is needed")
    for each in issuers:
        if ":" in each and not urlsplit(each).scheme:
            raise ArgumentError(f"--api-arg service-account-issuer={each}: contains a colon, so it must be a valid URL")
    if arguments.service_account_jwks_uri and not arguments.service_account_jwks_uri.startswith("https://"):
        raise ArgumentError("--api-arg service-account-jwks-uri: must be a URL that begins with https://")
    longest = arguments.service_account_max_token_expiration
    if longest and not 3600 <= longest <= 2**32:
        raise ArgumentError("--api-arg service-account-max-token-expiration: must be between 1h and 2^32 seconds")
    if bool(arguments.oidc_issuer_url) != bool(arguments.oidc_client_id):
        raise ArgumentError("--api-arg oidc-issuer-url and oidc-client-id must be specified together")
    if arguments.oidc_issuer_url and arguments.authentication_config:
        raise ArgumentError("--api-arg authentication-config and oidc-issuer-url: only one of them says who is who")
    if arguments.oidc_issuer_url and not arguments.oidc_issuer_url.startswith("https://"):
        raise ArgumentError(f"--api-arg oidc-issuer-url={arguments.oidc_issuer_url}: must begin with https://")
    if ("Webhook" in arguments.authorization_mode) != bool(arguments.authorization_webhook_config_file):
        raise ArgumentError(
            "--api-arg authorization-mode=...,Webhook and authorization-webhook-config-file must be specified together"
        )
    if arguments.enable_admission_plugins or arguments.disable_admission_plugins:
        # The plugins are much code; who names none need not wait for it.
        from proa.apiserver.plugins import UnknownPluginError, check_names

        try:
            check_names(arguments.enable_admission_plugins, arguments.disable_admission_plugins)
        except UnknownPluginError as error:
            raise ArgumentError(f"--api-arg enable-admission-plugins, disable-admission-plugins: {error}") from error
    backends = arguments.audit_log_path or arguments.audit_webhook_config_file
    if backends and not arguments.audit_policy_file:
        raise ArgumentError("--api-arg audit-policy-file: it must say what the audit log is to hold")
    if arguments.audit_policy_file and not backends:
        raise ArgumentError("--api-arg audit-log-path or audit-webhook-config-file: the audit log must go somewhere")
    webhook = arguments.authorization_webhook_config_file
    if arguments.authorization_config and (arguments.authorization_mode != _MODES or webhook):
        raise ArgumentError("--api-arg authorization-config: it says itself what authorization-mode would")
    if not arguments.authorization_mode:
        raise ArgumentError("--api-arg authorization-mode: at least one mode is needed: " + ", ".join(MODES))
