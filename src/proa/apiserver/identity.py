"""Who asks, and whether they may: the protocols between the server and authentication, authorization and tokens.

Here: value objects and protocols only, and the two unions upstream has (the first authenticator that knows the
credentials wins; the first authorizer with an opinion decides). Not here: any real authenticator (`apiserver.authn`),
authorizer (`apiserver.authz`) or token format.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Protocol

import msgspec

from proa.machinery.status import StatusError, is_unauthorized

ANONYMOUS_NAME = "system:anonymous"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
MASTERS = "system:masters"

_NO_EXTRA: Mapping[str, tuple[str, ...]] = {}


@dataclass(frozen=True, slots=True)
class User:
    """Who a request comes from, after authentication and impersonation (authentication/v1 UserInfo)."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _NO_EXTRA, hash=False)


LOOPBACK = User("system:apiserver", groups=(MASTERS, AUTHENTICATED))
"""The server itself, when it reads and writes its own objects."""

ANONYMOUS = User(ANONYMOUS_NAME, groups=(UNAUTHENTICATED,))


class Remarks(msgspec.Struct):
    """What an authenticator says beside the user: audiences the token is for (None: it knows of none), warnings for the
    client and annotations for the audit log of every request with these credentials."""

    audiences: tuple[str, ...] | None = None
    warnings: list[str] = msgspec.field(default_factory=list)
    annotations: dict[str, str] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request proves itself with.

    token: the bearer token, '' without one. certificate: the client's verified leaf certificate in DER, None without
    one (TLS has already checked its chain, not its dates or usages beyond what TLS checks). headers: the request's,
    case-insensitive, for authenticators that read others. audiences: for whom a token must be, () for this server.
    """

    token: str = ""
    certificate: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    audiences: tuple[str, ...] = ()
    remarks: Remarks = field(default_factory=Remarks, compare=False)


class Authenticator(Protocol):
    """Turns credentials into a user."""

    async def authenticate(self, credentials: Credentials) -> User | None:
        """The user; None when these credentials are not of a kind this authenticator knows.

        Raises StatusError 401 when they are of its kind and wrong. The server asks again at most every
        `REMEMBERED` seconds for the same token or certificate, so a revoked one works at most that much longer. What
        else there is to say goes to `credentials.remarks`.
        """


REMEMBERED = 10.0
"""Seconds for which the server remembers who a token or certificate is (upstream's token-success cache)."""


@dataclass(frozen=True, slots=True)
class AccessAttributes:
    """One request as authorization sees it (authorization/v1 ResourceAttributes or NonResourceAttributes).

    verb: lower case, the API verb of a resource request, the HTTP method otherwise. path: for non-resource requests.
    name is '' where the request names no object; namespace is '' for cluster scope and for all namespaces.
    """

    user: User
    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    is_resource: bool = True
    field_selector: str = ""
    label_selector: str = ""


class Verdict(Enum):
    ALLOW = "allow"
    DENY = "deny"
    NO_OPINION = "no opinion"
    UNKNOWN = "unknown"


class Decision(msgspec.Struct, frozen=True):
    """An authorizer's answer. Only ALLOW lets a request pass; DENY ends the union, NO_OPINION asks the next; UNKNOWN:
    somebody outside must be asked, which only `decide` does. lasting: it holds as long as the generation stands.
    error: why an authorizer could not answer."""

    verdict: Verdict
    reason: str = ""
    lasting: bool = True
    error: str = ""

    @property
    def allowed(self) -> bool:
        return self.verdict is Verdict.ALLOW


ALLOW = Decision(Verdict.ALLOW)
NO_OPINION = Decision(Verdict.NO_OPINION)
UNKNOWN = Decision(Verdict.UNKNOWN)


class Authorizer(Protocol):
    """Decides, from memory where it can: roles, bindings and the node graph are kept by watches."""

    @property
    def generation(self) -> int:
        """Changes whenever an answer may have changed; the server remembers decisions as long as it does not."""

    def authorize(self, attributes: AccessAttributes) -> Decision:
        """The decision if it is known here and now, else UNKNOWN; never waits."""

    async def decide(self, attributes: AccessAttributes) -> Decision:
        """The decision, never UNKNOWN; asks whoever must be asked."""

    def rules_for(self, user: User, namespace: str) -> SubjectRules:
        """What `user` may do in `namespace`, for SelfSubjectRulesReview."""


class SubjectRules(msgspec.Struct, frozen=True):
    """resource and non_resource: authorization/v1 ResourceRule and NonResourceRule documents. incomplete: some
    authorizer cannot list its rules."""

    resource: tuple[Mapping[str, Any], ...] = ()
    non_resource: tuple[Mapping[str, Any], ...] = ()
    incomplete: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """expires: RFC 3339. audiences, seconds: what became of the request. id: its name in the audit log. warnings: for
    the client."""

    token: str = field(repr=False)
    expires: str
    audiences: tuple[str, ...]
    seconds: int
    id: str
    warnings: tuple[str, ...] = ()


class TokenIssuer(Protocol):
    """Issues bound service-account tokens (KEP-1205)."""

    async def issue(self, account: Mapping[str, Any], request: Mapping[str, Any]) -> IssuedToken:
        """Sign a token for a ServiceAccount document as a defaulted and valid TokenRequest document asks. Raises
        StatusError when what it is to be bound to does not fit."""


class Witness(Protocol):
    """Is told what was decided about one request, for the audit log."""

    annotations: dict[str, str]
    """Of the request's event; admission writes here too."""

    def impersonated(self, user: User, constraint: str) -> None: ...
    def authorized(self, decision: Decision) -> None: ...
    def received(self, content_type: str, body: bytes) -> None: ...
    def responded(self, response: Any) -> None:
        """A handler has answered; a stream only begins here."""

    def panicked(self, error: Exception) -> None:
        """A handler has failed in a way nobody expected; `responded` follows."""

    async def begun(self) -> None:
        """Wait, before anything is done, for what must be written down first. Raises StatusError 500."""

    async def written(self) -> None:
        """Wait, before anything is answered, for what must be written down before that."""


class DecidesFromMemory:
    """The base of authorizers that never have to ask."""

    def authorize(self, attributes: AccessAttributes) -> Decision:
        raise NotImplementedError

    async def decide(self, attributes: AccessAttributes) -> Decision:
        return self.authorize(attributes)


class AnyAuthenticator:
    """The union: the first authenticator that knows the credentials decides; it need not say system:authenticated.

    Where none does, the first failure is raised: a token may look like one kind and be of another.
    """

    def __init__(self, authenticators: Sequence[Authenticator]) -> None:
        self._authenticators = tuple(authenticators)

    async def authenticate(self, credentials: Credentials) -> User | None:
        failure: StatusError | None = None
        for each in self._authenticators:
            try:
                user = await each.authenticate(credentials)
            except StatusError as error:
                if not is_unauthorized(error):
                    raise
                failure = failure or error
            else:
                if user is not None:
                    return _with_its_group(user)
        if failure is not None:
            raise failure
        return None


def _with_its_group(user: User) -> User:
    """Who is known is in system:authenticated, whoever knows them."""
    if AUTHENTICATED in user.groups or UNAUTHENTICATED in user.groups:
        return user
    return replace(user, groups=(*user.groups, AUTHENTICATED))


class FirstOpinion:
    """The union of authorizers: the first that allows or denies decides; members of system:masters may do all."""

    def __init__(self, authorizers: Sequence[Authorizer]) -> None:
        self._authorizers = tuple(authorizers)

    @property
    def generation(self) -> int:
        total = 0  # asked at each request: no generator for two numbers
        for each in self._authorizers:
            total += each.generation
        return total

    def authorize(self, attributes: AccessAttributes) -> Decision:
        if MASTERS in attributes.user.groups:
            return ALLOW
        before: list[Decision] = []
        for each in self._authorizers:
            decision = each.authorize(attributes)
            if decision.verdict is not Verdict.NO_OPINION:
                return _after(before, decision)
            before.append(decision)
        return _after(before, NO_OPINION)

    async def decide(self, attributes: AccessAttributes) -> Decision:
        decision = self.authorize(attributes)
        if decision.verdict is not Verdict.UNKNOWN:
            return decision
        before: list[Decision] = []
        for each in self._authorizers:
            decision = await each.decide(attributes)
            if decision.verdict is not Verdict.NO_OPINION:
                return _after(before, decision)
            before.append(decision)
        return _after(before, NO_OPINION)

    def rules_for(self, user: User, namespace: str) -> SubjectRules:
        everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
        if MASTERS in user.groups:
            return SubjectRules((everything,), ({"verbs": ["*"], "nonResourceURLs": ["*"]},))
        found = [each.rules_for(user, namespace) for each in self._authorizers]
        return SubjectRules(
            tuple(rule for each in found for rule in each.resource),
            tuple(rule for each in found for rule in each.non_resource),
            any(each.incomplete for each in found),
            "; ".join(each.error for each in found if each.error),
        )


def _after(before: Sequence[Decision], decision: Decision) -> Decision:
    """The decision of the one after those without an opinion: with their reasons if nobody has one, and no longer
    lasting than any of them."""
    lasting = decision.lasting and all(each.lasting for each in before)
    reasons = [each.reason for each in before if each.reason] if decision is NO_OPINION else []
    errors = [each.error for each in (*before, decision) if each.error]
    if lasting and not reasons and not errors:
        return decision
    return Decision(decision.verdict, "\n".join(reasons) or decision.reason, lasting, "; ".join(errors))
