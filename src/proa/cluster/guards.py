"""Who is let in and what they may: authenticators, authorizers and tokens of one API server, made from its arguments.

Adding one is its module and its line here. Not here: what each of them does (`apiserver.authn`, `apiserver.authz`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from proa.aio.clock import Clock
from proa.apiserver.access import Anonymous
from proa.apiserver.admission import Plugin
from proa.apiserver.authn.certificates import CertificateAuthenticator
from proa.apiserver.authn.service_accounts import ServiceAccountAuthenticator
from proa.apiserver.authz.escalation import EscalationCheck
from proa.apiserver.authz.node import NodeAuthorizer
from proa.apiserver.authz.rbac import RbacAuthorizer
from proa.apiserver.compose import ApiServer
from proa.apiserver.handlers.issuer import CONFIGURATION_PATH, KEYS_PATH, IssuerHandlers
from proa.apiserver.identity import LOOPBACK, Authenticator, Authorizer, FirstOpinion
from proa.apiserver.token_requests import TokenRequests
from proa.client.informer import Informers
from proa.cluster.api_arguments import ApiArguments
from proa.pki.tokens import TokenSigner


@dataclass(frozen=True, slots=True)
class Guards:
    """What `ApiServer.install` is given. checks: of writes, beside the admission plugins."""

    authenticators: Sequence[Authenticator]
    authorizers: Sequence[Authorizer]
    token_issuer: TokenRequests
    anonymous: Anonymous
    audiences: Sequence[str]
    checks: Sequence[Plugin]

    async def synced(self) -> None:
        """Return once the authorizers have seen what they decide by."""
        for each in self.authorizers:
            if isinstance(each, RbacAuthorizer | NodeAuthorizer):
                await each.synced()


def make(server: ApiServer, informers: Informers, arguments: ApiArguments, token_key: bytes, clock: Clock) -> Guards:
    """The guards of a server whose token key (PEM) this is; also serves what others need to check its tokens."""
    client = server.client_for(LOOPBACK)
    issuers = arguments.service_account_issuer
    audiences = arguments.api_audiences or issuers[:1]
    signer = TokenSigner(token_key, *issuers, audiences=audiences)
    rbac = RbacAuthorizer(informers)
    authorizers: tuple[Authorizer, ...] = (NodeAuthorizer(informers), rbac)
    _serve_issuer(server, signer, arguments.service_account_jwks_uri)
    return Guards(
        authenticators=(
            CertificateAuthenticator(),
            ServiceAccountAuthenticator(signer, audiences, client, clock, lookup=arguments.service_account_lookup),
        ),
        authorizers=authorizers,
        token_issuer=TokenRequests(
            signer,
            audiences,
            client,
            clock,
            extend=arguments.service_account_extend_token_expiration,
            maximum=arguments.service_account_max_token_expiration,
        ),
        anonymous=Anonymous(arguments.anonymous_auth),
        audiences=audiences,
        checks=(EscalationCheck(rbac, FirstOpinion(authorizers)),),
    )


def _serve_issuer(server: ApiServer, signer: TokenSigner, keys_url: str) -> None:
    """As upstream: not for an issuer that is no URL which discovery could start from."""
    if not signer.issuer.startswith("https://"):
        return
    config = server.config
    keys_url = keys_url or f"https://{config.advertise or config.host}:{config.port}{KEYS_PATH}"
    handlers = IssuerHandlers(signer.issuer, keys_url, signer.key_set())
    server.serve_path(CONFIGURATION_PATH, handlers.configuration)
    server.serve_path(KEYS_PATH, handlers.keys)
