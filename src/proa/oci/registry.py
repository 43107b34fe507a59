"""One endpoint of a registry over HTTP: the pull half of the OCI distribution specification.

A request is authorised when the registry asks for it (401 with a `Bearer` or `Basic` challenge), each set of
credentials in turn; the token is kept for the endpoint and repository. Proxies come from HTTP_PROXY, HTTPS_PROXY and
NO_PROXY, trusted certificates from SSL_CERT_FILE. Failures become the package's errors here. Which endpoint to ask,
and what for, is `pull`'s part.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from proa.oci.content import CHUNK, BlobWriter, verify
from proa.oci.errors import (
    CorruptContentError,
    ImageError,
    ManifestUnknownError,
    RateLimitedError,
    RegistryUnavailableError,
    UnauthorizedError,
)
from proa.oci.model import INDEX_TYPES, MANIFEST_TYPES, Descriptor
from proa.oci.reference import is_digest
from proa.oci.registries import Credentials, Endpoint, Tls
from proa.oci.store import ImageStore

if TYPE_CHECKING:
    import aiohttp

_CONNECT_TIMEOUT = 10.0
_READ_TIMEOUT = 60.0
_MANIFEST_LIMIT = 4 << 20
_PARAMETER = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,]+))')


class InterruptedDownloadError(RegistryUnavailableError):
    """The connection ended inside a blob; what came is kept. `progress`: bytes this attempt brought."""

    def __init__(self, message: str, progress: int) -> None:
        super().__init__(message)
        self.progress = progress


class Client:
    """The HTTP sessions: one for each TLS setting, made when first needed."""

    def __init__(self) -> None:
        self._sessions: dict[Tls, aiohttp.ClientSession] = {}
        self._tokens: dict[tuple[str, str, tuple[Credentials, ...]], str] = {}
        self.bytes_downloaded = 0
        self.requests = 0

    async def manifest(self, endpoint: Endpoint, target: str) -> tuple[bytes, str]:
        """The manifest or index of a tag or digest, verified; its media type."""
        accept = ", ".join((*INDEX_TYPES, *MANIFEST_TYPES))
        async with self._get(endpoint, f"manifests/{target}", {"Accept": accept}) as answer:
            data = await answer.content.read(_MANIFEST_LIMIT + 1)
            while not answer.content.at_eof() and len(data) <= _MANIFEST_LIMIT:
                data += await answer.content.read(_MANIFEST_LIMIT + 1)
            announced = answer.headers.get("Docker-Content-Digest", "")
        if len(data) > _MANIFEST_LIMIT:
            raise CorruptContentError(f"manifest {target} of {endpoint.host} is larger than {_MANIFEST_LIMIT} bytes")
        if ":" in target:
            verify(data, target)
        elif is_digest(announced):
            verify(data, announced)
        return data, answer.content_type

    async def blob(
        self,
        endpoint: Endpoint,
        wanted: Descriptor,
        writer: BlobWriter,
        store: ImageStore,
        advanced: Callable[[], None],
    ) -> None:
        """Download `wanted` behind what `writer` already has, calling `advanced` for each piece.

        Raises InterruptedDownloadError when cut off.
        """
        start = writer.offset
        if start > wanted.size:
            writer.restart()
            start = 0
        if start == wanted.size:
            return
        headers = {"Range": f"bytes={start}-"} if start else {}
        try:
            async with self._get(endpoint, f"blobs/{wanted.digest}", headers) as answer:
                if start and not _continues(answer, start):
                    writer.restart()
                async for data in answer.content.iter_chunked(CHUNK):
                    if writer.offset + len(data) > wanted.size:
                        raise CorruptContentError(
                            f"{wanted.digest} from {endpoint.host} is longer than {wanted.size} bytes"
                        )
                    await store.run(writer.write, data)
                    self.bytes_downloaded += len(data)
                    advanced()
        except RegistryUnavailableError as error:
            raise InterruptedDownloadError(str(error), max(0, writer.offset - start)) from error
        if writer.offset < wanted.size:
            message = f"{endpoint.host} sent {writer.offset} of {wanted.size} bytes of {wanted.digest}"
            raise InterruptedDownloadError(message, max(0, writer.offset - start))

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    @asynccontextmanager
    async def _get(
        self, endpoint: Endpoint, path: str, headers: dict[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The successful answer to a GET below the repository; everything else is an error of ours."""
        import aiohttp

        url = f"{endpoint.url}/v2/{endpoint.path}/{path}" + (f"?{endpoint.query}" if endpoint.query else "")
        session = await self._session(endpoint.tls)
        key = (endpoint.url, endpoint.path, endpoint.credentials)
        attempts: list[Credentials | None] = [*endpoint.credentials] or [None]
        try:
            while True:
                known = {"Authorization": self._tokens[key]} if key in self._tokens else {}
                self.requests += 1
                async with session.get(url, headers=headers | known) as answer:
                    if answer.status != 401:
                        await _check(answer, endpoint, path)
                        yield answer
                        return
                    challenge = answer.headers.get("WWW-Authenticate", "")
                self._tokens.pop(key, None)
                self._tokens[key] = await self._accepted(session, endpoint, challenge, attempts)
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError) as error:
            raise RegistryUnavailableError(f"{endpoint.url} cannot be reached: {_words(error)}") from error
        except aiohttp.ClientError as error:
            raise ImageError(f"GET {url}: {_words(error)}") from error

    async def _session(self, tls: Tls) -> aiohttp.ClientSession:
        import aiohttp

        if tls not in self._sessions:
            context = await asyncio.to_thread(_context, tls)
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT, sock_read=_READ_TIMEOUT)
            connector = aiohttp.TCPConnector(ssl=context)
            session = aiohttp.ClientSession(
                connector=connector, timeout=timeout, trust_env=True, auto_decompress=False,
                headers={"User-Agent": "proa"},
            )  # fmt: skip
            if tls in self._sessions:  # another request was faster
                await session.close()
            else:
                self._sessions[tls] = session
        return self._sessions[tls]

    async def _accepted(
        self, session: aiohttp.ClientSession, endpoint: Endpoint, challenge: str, left: list[Credentials | None]
    ) -> str:
        """The Authorization header for the first credentials in `left` that are not refused at once; takes them out."""
        while left:
            try:
                return await self._authorize(session, endpoint, challenge, left.pop(0))
            except UnauthorizedError:
                if not left:
                    raise
        raise _unauthorized(endpoint)

    async def _authorize(
        self, session: aiohttp.ClientSession, endpoint: Endpoint, challenge: str, user: Credentials | None
    ) -> str:
        """The Authorization header that answers `challenge`."""
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic":
            if user is None:
                raise _unauthorized(endpoint)
            return _basic(user)
        if scheme.lower() != "bearer":
            raise UnauthorizedError(
                f"{endpoint.host} wants authentication by {scheme or 'nothing known'}: expected Bearer"
            )
        if user is not None and user.registry_token:
            return f"Bearer {user.registry_token}"
        fields = {name: quoted or plain for name, quoted, plain in _PARAMETER.findall(rest)}
        realm = fields.get("realm", "")
        if not realm.startswith(("https://", "http://")):
            raise UnauthorizedError(f"{endpoint.host} names no token server (realm) in its challenge {challenge!r}")
        query = {"service": fields.get("service", ""), "scope": fields.get("scope", f"repository:{endpoint.path}:pull")}
        return f"Bearer {await self._token(session, endpoint, realm, query, user)}"

    async def _token(
        self,
        session: aiohttp.ClientSession,
        endpoint: Endpoint,
        realm: str,
        query: dict[str, str],
        user: Credentials | None,
    ) -> str:
        self.requests += 1
        if user is not None and user.identity_token:
            form = query | {"grant_type": "refresh_token", "refresh_token": user.identity_token, "client_id": "proa"}
            request = session.post(realm, data=form)
        else:
            headers = {"Authorization": _basic(user)} if user is not None else {}
            request = session.get(realm, params={k: v for k, v in query.items() if v}, headers=headers)
        async with request as answer:
            if answer.status in (400, 401, 403):
                raise _unauthorized(endpoint)
            await _check(answer, endpoint, "token")
            fields: dict[str, Any] = await answer.json(content_type=None)
        token = fields.get("token") or fields.get("access_token")
        if not token:
            raise UnauthorizedError(f"the token server {realm} of {endpoint.host} answered without a token")
        return str(token)


async def _check(answer: aiohttp.ClientResponse, endpoint: Endpoint, path: str) -> None:
    """Raises the error that a status other than 200 and 206 stands for."""
    status = answer.status
    if status in (200, 206):
        return
    what = f"{endpoint.host}/{endpoint.path}"
    detail = (await answer.content.read(500)).decode("utf-8", "replace").strip()
    if status == 429:
        wait = answer.headers.get("Retry-After", "")
        raise RateLimitedError(
            f"{endpoint.host} limits how often images are pulled (429 Too Many Requests): log in (imagePullSecrets, or "
            "configs.auth in registries.yaml), add a mirror to registries.yaml, or load the image with `image import`",
            float(wait) if wait.isdigit() else None,
        )
    if status == 404:
        raise ManifestUnknownError(f"{what}: {path} does not exist (404){': ' + detail if detail else ''}")
    if status in (401, 403):
        raise _unauthorized(endpoint)
    if status >= 500:
        raise RegistryUnavailableError(f"{endpoint.host} answered {status} {answer.reason}: {detail}")
    raise ImageError(f"{what}: {path}: unexpected answer {status} {answer.reason}: {detail}")


def _unauthorized(endpoint: Endpoint) -> UnauthorizedError:
    what = f"{endpoint.host}/{endpoint.path}"
    if endpoint.credentials:
        return UnauthorizedError(f"{what}: the registry refuses the credentials it was given")
    return UnauthorizedError(f"{what}: it does not exist or needs credentials (imagePullSecrets or registries.yaml)")


def _continues(answer: aiohttp.ClientResponse, start: int) -> bool:
    """Whether the answer goes on where we stopped, rather than starting over."""
    return answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {start}-")


def _basic(user: Credentials) -> str:
    return "Basic " + b64encode(f"{user.username}:{user.password}".encode()).decode()


def _context(tls: Tls) -> ssl.SSLContext:
    """Blocks: it reads certificates. SSL_CERT_FILE and SSL_CERT_DIR are OpenSSL's own."""
    context = ssl.create_default_context()
    try:
        if tls.ca_file:
            context.load_verify_locations(tls.ca_file)
        if tls.cert_file:
            context.load_cert_chain(tls.cert_file, tls.key_file or None)
    except OSError as error:
        raise ImageError(f"registries.yaml: tls: {tls.ca_file or tls.cert_file}: {error}") from error
    if tls.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
