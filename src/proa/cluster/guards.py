"""Who is let in and what they may: authenticators, authorizers and tokens of one API server, made from its arguments.

Adding one is its module and its line in `_AUTHENTICATORS` or `_AUTHORIZERS`. Not here: what each of them does
(`apiserver.authn`, `apiserver.authz`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from proa.aio.clock import Clock
from proa.apiserver.access import Anonymous
from proa.apiserver.admission import Plugin
from proa.apiserver.authn import token_file
from proa.apiserver.authn.bootstrap_tokens import BootstrapTokenAuthenticator
from proa.apiserver.authn.certificates import CertificateAuthenticator
from proa.apiserver.authn.claims import ClaimMappings, named_groups, named_username, required
from proa.apiserver.authn.front_proxy import FrontProxyAuthenticator, Headers
from proa.apiserver.authn.oidc import Issuer, OidcAuthenticator
from proa.apiserver.authn.service_accounts import ServiceAccountAuthenticator
from proa.apiserver.authn.static_tokens import StaticTokenAuthenticator
from proa.apiserver.authn.webhook import WebhookAuthenticator
from proa.apiserver.authz.always import AlwaysAllow, AlwaysDeny
from proa.apiserver.authz.escalation import EscalationCheck
from proa.apiserver.authz.node import NodeAuthorizer
from proa.apiserver.authz.rbac import RbacAuthorizer
from proa.apiserver.authz.webhook import WebhookAuthorizer
from proa.apiserver.certificate_requests import CertificateRequestMarks
from proa.apiserver.compose import ApiServer
from proa.apiserver.handlers.issuer import CONFIGURATION_PATH, KEYS_PATH, IssuerHandlers
from proa.apiserver.identity import LOOPBACK, Authenticator, Authorizer, FirstOpinion
from proa.apiserver.token_requests import TokenRequests
from proa.apiserver.webhooks.kubeconfig import KubeconfigWebhook
from proa.client.informer import Informers
from proa.client.protocol import Client
from proa.cluster.api_arguments import ApiArguments
from proa.pki.certificates import Authorities
from proa.pki.tokens import TokenSigner

if TYPE_CHECKING:
    from proa.apiserver.authn.configured import ConfiguredIssuers
    from proa.apiserver.authz.configuration import WebhookSettings


class Guards(msgspec.Struct, frozen=True):
    """What `ApiServer.install` is given. checks, marks: what the API itself does with writes before and after the
    admission plugins."""

    authenticators: Sequence[Authenticator]
    authorizers: Sequence[Authorizer]
    token_issuer: TokenRequests
    front_proxy: FrontProxyAuthenticator | None
    anonymous: Anonymous
    audiences: Sequence[str]
    checks: Sequence[Plugin]
    marks: Sequence[Plugin]
    rbac: RbacAuthorizer
    configured: ConfiguredIssuers | None

    async def synced(self) -> None:
        """Return once the authorizers have seen what they decide by."""
        for each in (self.rbac, *self.authorizers):
            if isinstance(each, RbacAuthorizer | NodeAuthorizer):
                await each.synced()

    async def close(self) -> None:
        """Close connections to identity providers."""
        for each in self.authenticators:
            if isinstance(each, OidcAuthenticator):
                await each.close()
        if self.configured is not None:
            await self.configured.close()


class _Parts(msgspec.Struct, frozen=True):
    """What guards are made of. authorities: who signs clients' certificates, None: whoever TLS trusts."""

    arguments: ApiArguments
    server: ApiServer
    client: Client
    clock: Clock
    signer: TokenSigner
    audiences: tuple[str, ...]
    authorities: Authorities | None
    node: NodeAuthorizer
    rbac: RbacAuthorizer


def make(
    server: ApiServer,
    informers: Informers,
    arguments: ApiArguments,
    clock: Clock,
    *,
    token_key: bytes,
    root_ca: str = "",
    front_proxy_ca: bytes = b"",
) -> Guards:
    """The guards of a server. Serves what others need to check its tokens, and lets TLS trust front proxies.

    token_key: signs tokens. root_ca, front_proxy_ca: who signs clients' and front proxies' certificates. All PEM.
    """
    issuers = arguments.service_account_issuer
    audiences = arguments.api_audiences or issuers[:1]
    signer = TokenSigner(token_key, *issuers, audiences=audiences)
    client, rbac = server.client_for(LOOPBACK), RbacAuthorizer(informers)
    if arguments.requestheader_client_ca_file:
        front_proxy_ca = Path(arguments.requestheader_client_ca_file).read_bytes()
    front_proxy = _front_proxy(server, arguments, front_proxy_ca, clock)
    parts = _Parts(
        arguments,
        server,
        client,
        clock,
        signer,
        audiences,
        Authorities(root_ca.encode()) if front_proxy is not None else None,
        NodeAuthorizer(informers, client),
        rbac,
    )
    authorizers = _authorizers(parts)
    configured = _configured(arguments, clock)
    anonymous = configured.anonymous if configured is not None else None
    _serve_issuer(server, signer, arguments.service_account_jwks_uri)
    return Guards(
        authenticators=[
            *(made for each in _AUTHENTICATORS if (made := each(parts)) is not None),
            *(() if configured is None else (configured,)),
        ],
        authorizers=authorizers,
        token_issuer=TokenRequests(
            signer,
            audiences,
            client,
            clock,
            extend=arguments.service_account_extend_token_expiration,
            maximum=arguments.service_account_max_token_expiration,
        ),
        front_proxy=front_proxy,
        anonymous=anonymous or Anonymous(arguments.anonymous_auth),
        audiences=audiences,
        checks=(EscalationCheck(rbac, FirstOpinion(authorizers)),),
        marks=(CertificateRequestMarks(clock),),
        rbac=rbac,
        configured=configured,
    )


def _token_file(parts: _Parts) -> Authenticator | None:
    path = parts.arguments.token_auth_file
    return StaticTokenAuthenticator(token_file.read(Path(path))) if path else None


def _service_accounts(parts: _Parts) -> Authenticator:
    lookup = parts.arguments.service_account_lookup
    return ServiceAccountAuthenticator(parts.signer, parts.audiences, parts.client, parts.clock, lookup=lookup)


def _bootstrap_tokens(parts: _Parts) -> Authenticator | None:
    if not parts.arguments.enable_bootstrap_token_auth:
        return None
    return BootstrapTokenAuthenticator(parts.client, parts.clock)


def _oidc(parts: _Parts) -> Authenticator | None:
    arguments = parts.arguments
    url, claim, prefix = arguments.oidc_issuer_url, arguments.oidc_username_claim, arguments.oidc_username_prefix
    if not url:
        return None
    if prefix == "-":
        prefix = ""
    elif not prefix and claim != "email":
        prefix = f"{url}#"  # names of another issuer's users, or of this cluster's, must not be theirs
    authorities = Path(arguments.oidc_ca_file).read_bytes() if arguments.oidc_ca_file else b""
    issuer = Issuer(url, (arguments.oidc_client_id,), authorities, arguments.oidc_signing_algs)
    groups = arguments.oidc_groups_claim
    mappings = ClaimMappings(
        named_username(claim, prefix),
        named_groups(groups, arguments.oidc_groups_prefix) if groups else lambda claims: (),
        checks=[required(*each) for each in arguments.oidc_required_claim],
    )
    return OidcAuthenticator(issuer, mappings, parts.clock)


def _configured(arguments: ApiArguments, clock: Clock) -> ConfiguredIssuers | None:
    """By the file of --authentication-config."""
    if not arguments.authentication_config:
        return None
    from proa.apiserver.authn.configured import ConfiguredIssuers

    return ConfiguredIssuers(Path(arguments.authentication_config), arguments.service_account_issuer, clock)


def _token_webhook(parts: _Parts) -> Authenticator | None:
    arguments = parts.arguments
    if not arguments.authentication_token_webhook_config_file:
        return None
    return WebhookAuthenticator(
        KubeconfigWebhook(Path(arguments.authentication_token_webhook_config_file), parts.server.webhooks),
        parts.audiences,
        parts.clock,
        version=arguments.authentication_token_webhook_version,
        remember=arguments.authentication_token_webhook_cache_ttl,
    )


# In upstream's order.
_AUTHENTICATORS: tuple[Callable[[_Parts], Authenticator | None], ...] = (
    lambda parts: CertificateAuthenticator(parts.authorities, clock=parts.clock, metrics=parts.server.families),
    _token_file,
    _service_accounts,
    _bootstrap_tokens,
    _oidc,
    _token_webhook,
)


def _webhook(parts: _Parts) -> Authorizer:
    arguments = parts.arguments
    return WebhookAuthorizer(
        KubeconfigWebhook(Path(arguments.authorization_webhook_config_file), parts.server.webhooks),
        parts.clock,
        version=arguments.authorization_webhook_version,
        allowed=arguments.authorization_webhook_cache_authorized_ttl,
        refused=arguments.authorization_webhook_cache_unauthorized_ttl,
    )


def _authorizers(parts: _Parts) -> list[Authorizer]:
    """By --authorization-config, else by --authorization-mode."""
    path = parts.arguments.authorization_config
    if not path:
        return [_AUTHORIZERS[each](parts) for each in parts.arguments.authorization_mode]
    from proa.apiserver.authz import configuration

    return [
        _AUTHORIZERS[each.type](parts) if each.webhook is None else _configured_webhook(parts, each.webhook)
        for each in configuration.load(Path(path), _AUTHORIZERS)
    ]


def _configured_webhook(parts: _Parts, settings: WebhookSettings) -> Authorizer:
    return WebhookAuthorizer(
        KubeconfigWebhook(settings.kubeconfig, parts.server.webhooks),
        parts.clock,
        version=settings.version,
        allowed=settings.allowed,
        refused=settings.refused,
        on_failure=settings.on_failure,
        timeout=settings.timeout,
        conditions=settings.conditions,
    )


_AUTHORIZERS: Mapping[str, Callable[[_Parts], Authorizer]] = {
    "Node": lambda parts: parts.node,
    "RBAC": lambda parts: parts.rbac,
    "Webhook": _webhook,
    "AlwaysAllow": lambda parts: AlwaysAllow(),
    "AlwaysDeny": lambda parts: AlwaysDeny(),
}


def _front_proxy(
    server: ApiServer, arguments: ApiArguments, authority: bytes, clock: Clock
) -> FrontProxyAuthenticator | None:
    if not authority:
        return None
    if server.config.tls is not None:
        server.config.tls.load_verify_locations(cadata=authority.decode())
    headers = Headers(
        arguments.requestheader_username_headers,
        arguments.requestheader_uid_headers,
        arguments.requestheader_group_headers,
        arguments.requestheader_extra_headers_prefix,
    )
    return FrontProxyAuthenticator(Authorities(authority), arguments.requestheader_allowed_names, headers, clock)


def _serve_issuer(server: ApiServer, signer: TokenSigner, keys_url: str) -> None:
    """As upstream: not for an issuer that is no URL which discovery could start from."""
    if not signer.issuer.startswith("https://"):
        return
    config = server.config
    keys_url = keys_url or f"https://{config.advertise or config.host}:{config.port}{KEYS_PATH}"
    handlers = IssuerHandlers(signer.issuer, keys_url, signer.key_set())
    server.serve_path(CONFIGURATION_PATH, handlers.configuration)
    server.serve_path(KEYS_PATH, handlers.keys)
