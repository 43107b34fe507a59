"""The API over one blocking connection: what a command that starts, asks once and ends needs, and nothing more.

Standard library only, because an event loop and its HTTP client cost more to import than a `get` takes. Not here: what
is asked for (`discovery`, the verbs); anything long-lived (that is `proa.client`).
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import urlencode, urlsplit

from proa.base.errors import ProaError
from proa.client.connection import Connection

JSON = "application/json"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


class StatusError(ProaError):
    """The server said no; the words are those kubectl users know."""

    def __init__(self, code: int, status: Mapping[str, Any]) -> None:
        self.code = code
        self.status = status
        self.reason = str(status.get("reason") or "")
        message = str(status.get("message") or f"the server answered {code}")
        self.message = message
        super().__init__(f"Error from server ({self.reason}): {message}" if self.reason else f"Error: {message}")


class UnreachableError(ProaError):
    """No answer from the server."""


class Client:
    """Requests to one server, one after the other over one connection that is kept."""

    def __init__(self, connection: Connection, *, timeout: float | None = 60.0) -> None:
        """`timeout`: seconds of silence after which a server counts as gone; None waits for ever."""
        self.connection = connection
        self._timeout = timeout
        url = urlsplit(connection.server)
        self._https = url.scheme == "https"
        self._host = url.hostname or ""
        self._port = url.port or (443 if self._https else 80)
        self._prefix = url.path.rstrip("/")
        self._kept: http.client.HTTPConnection | None = None

    @cached_property
    def tls(self) -> ssl.SSLContext | None:
        return self.connection.tls()

    def headers(self) -> dict[str, str]:
        """Who we are, for every request."""
        found = {"User-Agent": "proa-kubectl"}
        token = self.connection.token
        if self.connection.token_file:
            with open(self.connection.token_file) as file:
                token = file.read().strip()
        if token:
            found["Authorization"] = f"Bearer {token}"
        if self.connection.impersonate:
            found["Impersonate-User"] = self.connection.impersonate
        return found

    def get(self, path: str, query: Mapping[str, str] | None = None, *, accept: str = JSON) -> dict[str, Any]:
        return self.request("GET", path, query, accept=accept)

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: object = None,
        *,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> dict[str, Any]:
        """The answer, decoded. Raises StatusError, UnreachableError."""
        found: dict[str, Any] = json.loads(self.read(method, path, query, body, content_type, accept))
        return found

    def read(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> bytes:
        """The answer's bytes. Raises StatusError, UnreachableError."""
        response = self._send(method, path, query, body, content_type, accept)
        try:
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        _check(response, content)
        return content

    def stream(
        self, path: str, query: Mapping[str, str] | None = None, *, accept: str = JSON
    ) -> http.client.HTTPResponse:
        """An answer that goes on: a watch, a log that is followed. Raises StatusError, UnreachableError."""
        response = self._send("GET", path, query, None, JSON, accept)
        if response.status >= 400:
            _check(response, response.read())
        self._kept = None  # the stream has it
        return response

    def lines(
        self, path: str, query: Mapping[str, str] | None = None, *, accept: str = JSON
    ) -> Iterator[dict[str, Any]]:
        """The events of a watch until the server ends it."""
        with self.stream(path, query, accept=accept) as response:
            for line in response:
                yield json.loads(line)

    def connect(self) -> socket.socket:
        """A fresh socket to the server, through TLS where it speaks that. Raises UnreachableError."""
        try:
            plain = socket.create_connection((self._host, self._port), timeout=self._timeout)
            if self.tls is None:
                return plain
            return self.tls.wrap_socket(plain, server_hostname=self.connection.server_name or self._host)
        except OSError as error:
            raise self._unreachable(error) from error

    def target(self, path: str, query: Mapping[str, Any] | None = None) -> str:
        """What stands in the request line."""
        return f"{self._prefix}{path}{'?' + urlencode(query, doseq=True) if query else ''}"

    @property
    def authority(self) -> str:
        return f"{self._host}:{self._port}"

    def close(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _send(
        self, method: str, path: str, query: Mapping[str, str] | None, body: object, content_type: str, accept: str
    ) -> http.client.HTTPResponse:
        headers = {**self.headers(), "Accept": accept}
        content = None
        if body is not None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            headers["Content-Type"] = content_type
        fresh = self._kept is None
        if self._kept is None:
            self._kept = self._open()
        try:
            self._kept.request(method, self.target(path, query), content, headers)
            return self._kept.getresponse()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            # A connection that was kept may have been closed meanwhile: reading again is safe.
            if not fresh and method == "GET":
                return self._send(method, path, query, body, content_type, accept)
            raise self._unreachable(error) from error

    def _open(self) -> http.client.HTTPConnection:
        opened = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        opened.sock = self.connect()
        return opened

    def _unreachable(self, error: BaseException) -> UnreachableError:
        if isinstance(error, ConnectionRefusedError):
            return UnreachableError(
                f"The connection to the server {self.authority} was refused - did you specify the right host or port?"
            )
        return UnreachableError(f"Unable to connect to the server: {str(error) or type(error).__name__}")


def _check(response: http.client.HTTPResponse, content: bytes) -> None:
    if response.status < 400:
        return
    try:
        status = json.loads(content)
    except ValueError:
        status = {"message": content.decode(errors="replace").strip() or response.reason}
    if not isinstance(status, dict):
        status = {"message": str(status)}
    raise StatusError(response.status, status)
