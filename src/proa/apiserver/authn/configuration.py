"""The file of `--authentication-config`: issuers of tokens, how their claims make users, who may come without any.

Source: apiserver.config.k8s.io AuthenticationConfiguration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
import yaml

from proa.apiserver.access import Anonymous
from proa.apiserver.authn import claims as named
from proa.apiserver.authn.claims import ClaimMappings, Claims
from proa.apiserver.authn.oidc import Issuer
from proa.base.errors import ProaError
from proa.machinery.fields import ErrorList, Path
from proa.machinery.names import dns1123_subdomain

T = TypeVar("T")

_VERSIONS = ("apiserver.config.k8s.io/v1", "apiserver.config.k8s.io/v1beta1")
_RESERVED = ("k8s.io", "kubernetes.io")
_EMAIL = re.compile(r"\bclaims\.email\b")
_VERIFIED = re.compile(r"\bclaims\.\??email_verified\b")
_MOST_ISSUERS = 64


class ConfigurationError(ProaError):
    """The file holds no authentication configuration; the message names what is wrong with which field."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """anonymous: None where the file does not say."""

    issuers: tuple[tuple[Issuer, ClaimMappings], ...]
    anonymous: Anonymous | None


class _Struct(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A part of the file."""


class _Condition(_Struct, frozen=True):
    path: str = ""


class _Anonymous(_Struct, frozen=True):
    enabled: bool = False
    conditions: tuple[_Condition, ...] = ()


class _Issuer(_Struct, frozen=True):
    url: str = ""
    discovery_url: str = msgspec.field(default="", name="discoveryURL")
    certificate_authority: str = ""
    audiences: tuple[str, ...] = ()
    audience_match_policy: str = ""


class _ClaimRule(_Struct, frozen=True):
    claim: str = ""
    required_value: str = ""
    expression: str = ""
    message: str = ""


class _Prefixed(_Struct, frozen=True):
    claim: str = ""
    prefix: str | None = None
    expression: str = ""


class _Extra(_Struct, frozen=True):
    key: str = ""
    value_expression: str = ""


class _Mappings(_Struct, frozen=True):
    username: _Prefixed = _Prefixed()
    groups: _Prefixed = _Prefixed()
    uid: _Prefixed = _Prefixed()
    extra: tuple[_Extra, ...] = ()


class _UserRule(_Struct, frozen=True):
    expression: str = ""
    message: str = ""


class _Jwt(_Struct, frozen=True):
    issuer: _Issuer = _Issuer()
    claim_validation_rules: tuple[_ClaimRule, ...] = ()
    claim_mappings: _Mappings = _Mappings()
    user_validation_rules: tuple[_UserRule, ...] = ()


class _File(_Struct, frozen=True):
    api_version: str = ""
    kind: str = ""
    jwt: tuple[_Jwt, ...] = ()
    anonymous: _Anonymous | None = None


def load(path: FilePath, own_issuers: Sequence[str] = ()) -> Configuration:
    """The configuration in a file. own_issuers: this cluster's, which no other may claim to be. Raises
    ConfigurationError, OSError."""
    try:
        document = yaml.load(path.read_text(), yaml.CSafeLoader)
        read = msgspec.convert(document, _File)
    except (yaml.YAMLError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"authentication configuration {path}: {error}") from error
    if read.api_version not in _VERSIONS or read.kind != "AuthenticationConfiguration":
        raise ConfigurationError(
            f"authentication configuration {path}: apiVersion must be one of {', '.join(_VERSIONS)} and kind must be "
            "AuthenticationConfiguration"
        )
    errors = ErrorList()
    if len(read.jwt) > _MOST_ISSUERS:
        errors.too_many(Path("jwt"), len(read.jwt), _MOST_ISSUERS)
    made = []
    for index, each in enumerate(read.jwt):
        at = Path("jwt").index(index)
        if each.issuer.url in [other.issuer.url for other in read.jwt[:index]]:
            errors.duplicate(at.child("issuer", "url"), each.issuer.url)
        _check_issuer(each.issuer, at.child("issuer"), own_issuers, errors)
        mappings = _Reader(each, at, errors).mappings()
        made.append((_issuer(each.issuer), mappings))
    anonymous = read.anonymous
    if anonymous is not None and anonymous.conditions and not anonymous.enabled:
        why = "enabled should be set to true when conditions are defined"
        errors.invalid(Path("anonymous", "conditions"), [each.path for each in anonymous.conditions], why)
    if errors:
        raise ConfigurationError(f"authentication configuration {path}: {errors.message}")
    who = None
    if anonymous is not None:
        who = Anonymous(anonymous.enabled, tuple(each.path for each in anonymous.conditions))
    return Configuration(tuple(made), who)


def _issuer(given: _Issuer) -> Issuer:
    return Issuer(given.url, given.audiences, given.certificate_authority.encode(), discovery_url=given.discovery_url)


def _check_issuer(given: _Issuer, at: Path, own: Sequence[str], errors: ErrorList) -> None:
    for name, url in (("url", given.url), ("discoveryURL", given.discovery_url)):
        if not url:
            if name == "url":
                errors.required(at.child(name))
            continue
        where, parts = at.child(name), urlsplit(url)
        if name == "url" and url in own:
            errors.invalid(where, url, f"URL must not overlap with disallowed issuers: {sorted(own)}")
        if parts.scheme != "https":
            errors.invalid(where, url, "URL scheme must be https")
        if parts.username is not None or parts.password is not None:
            errors.invalid(where, url, "URL must not contain a username or password")
        if parts.query:
            errors.invalid(where, url, "URL must not contain a query")
        if parts.fragment:
            errors.invalid(where, url, "URL must not contain a fragment")
    if given.discovery_url and given.discovery_url.rstrip("/") == given.url.rstrip("/"):
        errors.invalid(at.child("discoveryURL"), given.discovery_url, "discoveryURL must be different from URL")
    audiences = at.child("audiences")
    if not given.audiences:
        errors.required(audiences, f"at least one {audiences} is required")
    for index, each in enumerate(given.audiences):
        if not each:
            errors.required(audiences.index(index))
        elif each in given.audiences[:index]:
            errors.duplicate(audiences.index(index), each)
    policy = at.child("audienceMatchPolicy")
    if len(given.audiences) > 1 and given.audience_match_policy != "MatchAny":
        why = "audienceMatchPolicy must be MatchAny for multiple audiences"
        errors.invalid(policy, given.audience_match_policy, why)
    elif given.audience_match_policy not in ("", "MatchAny"):
        why = "audienceMatchPolicy must be empty or MatchAny for single audience"
        errors.invalid(policy, given.audience_match_policy, why)


class _Reader:
    """Reads what one issuer's claims mean; collects what is wrong with it."""

    def __init__(self, given: _Jwt, at: Path, errors: ErrorList) -> None:
        self._given = given
        self._at = at
        self._errors = errors

    def mappings(self) -> ClaimMappings:
        given, at = self._given.claim_mappings, self._at.child("claimMappings")
        return ClaimMappings(
            username=self._username(given.username, at.child("username")),
            groups=self._groups(given.groups, at.child("groups")),
            uid=self._uid(given.uid, at.child("uid")),
            extra=self._extra(given.extra, at.child("extra")),
            checks=self._checks(),
            user_checks=self._user_checks(),
        )

    def _username(self, given: _Prefixed, at: Path) -> Callable[[Claims], str]:
        if not given.claim and not given.expression:
            self._errors.required(at, "claim or expression is required")
        self._check_prefixed(given, at)
        if not given.expression:
            return named.named_username(given.claim, given.prefix or "")
        if _EMAIL.search(given.expression) and not self._says_verified():
            where = at.child("expression")
            self._errors.invalid(
                where,
                given.expression,
                "claims.email_verified must be used in claimMappings.username.expression or "
                "claimMappings.extra[*].valueExpression or claimValidationRules[*].expression "
                "when claims.email is used in claimMappings.username.expression",
            )
        from proa.apiserver.authn.claim_expressions import text

        return self._compiled(lambda: text(given.expression, "username"), at.child("expression"), given.expression)

    def _groups(self, given: _Prefixed, at: Path) -> Callable[[Claims], tuple[str, ...]]:
        self._check_prefixed(given, at)
        if given.claim:
            return named.named_groups(given.claim, given.prefix or "")
        if not given.expression:
            return lambda claims: ()
        from proa.apiserver.authn.claim_expressions import texts

        return self._compiled(lambda: texts(given.expression, "group"), at.child("expression"), given.expression)

    def _uid(self, given: _Prefixed, at: Path) -> Callable[[Claims], str]:
        if given.claim and given.expression:
            self._errors.invalid(at, "", "claim and expression can't both be set")
        if given.claim:
            return lambda claims: named.text(claims, given.claim, f"oidc: parse uid claim {given.claim!r}")
        if not given.expression:
            return lambda claims: ""
        from proa.apiserver.authn.claim_expressions import text

        return self._compiled(lambda: text(given.expression, "uid"), at.child("expression"), given.expression)

    def _extra(self, given: Sequence[_Extra], at: Path) -> Mapping[str, Callable[[Claims], tuple[str, ...]]]:
        found: dict[str, Callable[[Claims], tuple[str, ...]]] = {}
        for index, each in enumerate(given):
            where = at.index(index)
            self._check_key(each.key, where.child("key"), found)
            if not each.value_expression:
                self._errors.required(where.child("valueExpression"))
                continue
            found[each.key] = self._texts(each.value_expression, where.child("valueExpression"))
        return found

    def _texts(self, source: str, at: Path) -> Callable[[Claims], tuple[str, ...]]:
        from proa.apiserver.authn.claim_expressions import texts

        return self._compiled(lambda: texts(source, "extra"), at, source)

    def _check_key(self, key: str, at: Path, known: Mapping[str, object]) -> None:
        domain, slash, path = key.partition("/")
        if not key:
            self._errors.required(at)
        elif not slash or not path or dns1123_subdomain(domain):
            self._errors.invalid(at, key, 'must be a domain-prefixed path (such as "acme.io/foo")')
        elif key != key.lower():
            self._errors.invalid(at, key, "must be lowercase")
        elif any(domain == each or domain.endswith(f".{each}") for each in _RESERVED):
            why = "k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use"
            self._errors.invalid(at, key, why)
        if key in known:
            self._errors.duplicate(at, key)

    def _check_prefixed(self, given: _Prefixed, at: Path) -> None:
        if given.claim and given.expression:
            self._errors.invalid(at, "", "claim and expression can't both be set")
        if given.expression and given.prefix is not None:
            self._errors.invalid(at.child("prefix"), given.prefix, "may not be specified when expression is set")
        if given.claim and given.prefix is None:
            why = "prefix is required when claim is set. It can be set to an empty string to disable prefixing"
            self._errors.required(at.child("prefix"), why)

    def _checks(self) -> list[Callable[[Claims], None]]:
        made: list[Callable[[Claims], None]] = []
        for index, rule in enumerate(self._given.claim_validation_rules):
            at = self._at.child("claimValidationRules").index(index)
            if rule.claim and rule.expression:
                self._errors.invalid(at, rule.claim, "claim and expression can't both be set")
            elif rule.claim:
                if rule.message:
                    self._errors.invalid(at.child("message"), rule.message, "may not be specified when claim is set")
                made.append(named.required(rule.claim, rule.required_value))
            elif rule.expression:
                if rule.required_value:
                    why = "may not be specified when expression is set"
                    self._errors.invalid(at.child("requiredValue"), rule.required_value, why)
                made.append(self._claim_check(rule, at.child("expression")))
            else:
                self._errors.required(at, "claim or expression is required")
        return made

    def _claim_check(self, rule: _ClaimRule, at: Path) -> Callable[[Claims], None]:
        from proa.apiserver.authn.claim_expressions import claim_check

        return self._compiled(lambda: claim_check(rule.expression, rule.message), at, rule.expression)

    def _user_checks(self) -> list[Any]:
        made = []
        for index, rule in enumerate(self._given.user_validation_rules):
            at = self._at.child("userValidationRules").index(index).child("expression")
            if not rule.expression:
                self._errors.required(at)
                continue
            made.append(self._user_check(rule, at))
        return made

    def _user_check(self, rule: _UserRule, at: Path) -> Any:
        from proa.apiserver.authn.claim_expressions import user_check

        return self._compiled(lambda: user_check(rule.expression, rule.message), at, rule.expression)

    def _says_verified(self) -> bool:
        given = self._given
        sources = [given.claim_mappings.username.expression]
        sources += [each.value_expression for each in given.claim_mappings.extra]
        sources += [each.expression for each in given.claim_validation_rules]
        return any(_VERIFIED.search(each) for each in sources)

    def _compiled(self, compile: Callable[[], T], at: Path, source: str) -> T:
        from proa.lang.cel.errors import CelError

        try:
            return compile()
        except CelError as error:
            self._errors.invalid(at, source, str(error))
            return None  # type: ignore[return-value]  # never used: the errors are raised
