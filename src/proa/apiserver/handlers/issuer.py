"""What others need to check this cluster's service-account tokens: OpenID Connect discovery of their issuer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from proa.apiserver.reply import JSON, Reply
from proa.apiserver.request import Request, Response
from proa.machinery import status as failures

CONFIGURATION_PATH = "/.well-known/openid-configuration"
KEYS_PATH = "/openid/v1/jwks"
_KEYS_TYPE = "application/jwk-set+json"
_HEADERS = (("Cache-Control", "public, max-age=3600"),)


class IssuerHandlers:
    """keys: the JSON Web Key Set; keys_url: where others are told to fetch it."""

    def __init__(self, issuer: str, keys_url: str, keys: Mapping[str, Any]) -> None:
        configuration = {
            "issuer": issuer,
            "jwks_uri": keys_url,
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": sorted({each["alg"] for each in keys["keys"]}),
        }
        self._configuration = msgspec.json.encode(configuration)
        self._keys = msgspec.json.encode(keys)

    async def configuration(self, request: Request) -> Response:
        """/.well-known/openid-configuration"""
        return _answer(request, self._configuration, JSON)

    async def keys(self, request: Request) -> Response:
        """/openid/v1/jwks"""
        return _answer(request, self._keys, _KEYS_TYPE)


def _answer(request: Request, body: bytes, content_type: str) -> Response:
    if request.info.verb not in ("get", "head"):
        raise failures.method_not_allowed()
    return Reply(200, body, content_type, _HEADERS)
