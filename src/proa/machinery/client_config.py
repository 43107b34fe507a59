"""What holds of every clientConfig: how webhooks of admission and of conversion say whom to ask. Pure checks.

Not here: asking (the API server's webhook client).
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any
from urllib.parse import urlsplit

from proa.machinery import names
from proa.machinery.fields import ErrorList, Path

_FORM = "; desired format: https://host[/path]"
_PEM_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")


def validate_client_config(config: Any, path: Path, errors: ErrorList) -> None:
    """A declared WebhookClientConfig: one of url and service, each well formed."""
    if (config.url is None) == (config.service is None):
        errors.required(path, "exactly one of url or service is required")
    elif config.url is not None:
        validate_url(config.url, path.child("url"), errors)
    else:
        validate_service(config.service, path.child("service"), errors)


def validate_url(url: str, path: Path, errors: ErrorList) -> None:
    """An https URL that is a host and a path, nothing else."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port  # raises for what is no number
    except ValueError as error:
        errors.required(path, f"url must be a valid URL: {error}{_FORM}")
        return
    if parts.scheme != "https":
        errors.invalid(path, parts.scheme, "'https' is the only allowed URL scheme" + _FORM)
    if not host:
        errors.invalid(path, "", "host must be specified" + _FORM)
    if parts.username is not None:
        errors.invalid(path, parts.netloc.rpartition("@")[0], "user information is not permitted in the URL")
    if parts.fragment:
        errors.invalid(path, parts.fragment, "fragments are not permitted in the URL")
    if parts.query:
        errors.invalid(path, parts.query, "query parameters are not permitted in the URL")


def validate_service(service: Any, path: Path, errors: ErrorList) -> None:
    """A declared ServiceReference."""
    for field in ("name", "namespace"):
        if not getattr(service, field):
            errors.required(path.child(field))
    if service.port is not None and (wrong := names.port_number(service.port)):
        errors.invalid(path.child("port"), service.port, "port is not valid: " + ", ".join(wrong))
    at, found = path.child("path"), service.path
    if not found or found == "/":
        return
    if found == "//":
        errors.invalid(at, found, "segment[0] may not be empty")
        return
    if not found.startswith("/"):
        errors.invalid(at, found, "must start with a '/'")
    for position, step in enumerate(found[1:].removesuffix("/").split("/")):
        if not step:
            errors.invalid(at, found, f"segment[{position}] may not be empty")
            continue
        for wrong_step in names.dns1123_subdomain(step):
            errors.invalid(at, found, f"segment[{position}]: {wrong_step}")


def validate_ca_bundle(bundle: bytes, path: Path, errors: ErrorList) -> None:
    """PEM with at least one certificate; a bundle of nothing or white space means the system's roots."""
    if bundle.strip() and not any(map(_is_base64, _PEM_BLOCK.findall(bundle))):
        why = "unable to load root certificates: unable to parse bytes as PEM block"
        errors.invalid(path, base64.b64encode(bundle).decode(), why)


def _is_base64(block: bytes) -> bool:
    try:
        return bool(base64.b64decode(b"".join(block.split()), validate=True))
    except binascii.Error:
        return False
