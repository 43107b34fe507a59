"""The files of the volumes that show API objects: configMap, secret, downwardAPI, projected with its tokens.

What should be in the directory; putting it there is `volumes`. Modes and owners follow the volume's defaultMode, an
item's mode, and the pod's fsGroup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from proa.aio.clock import Clock
from proa.api.authentication_v1 import BoundObjectReference, TokenRequest, TokenRequestSpec
from proa.api.core_v1 import (
    DownwardAPIVolumeFile,
    KeyToPath,
    Pod,
    ServiceAccountTokenProjection,
    Volume,
    VolumeProjection,
)
from proa.api.core_v1.resources import CONFIG_MAPS, SECRETS, SERVICE_ACCOUNTS
from proa.base.errors import ProaError
from proa.client.protocol import Client
from proa.kubelet.atomic import Payload
from proa.kubelet.fields import pod_field, resource_field
from proa.kubelet.services import Objects
from proa.machinery.timestamps import to_epoch

DEFAULT_MODE = 0o644
# A token is asked for anew after this part of its life.
TOKEN_REFRESH = 0.8


class VolumeError(ProaError):
    """A volume cannot be made; the message says what is missing or wrong."""


@dataclass(slots=True)
class _Token:
    token: str
    refresh_at: float


@dataclass(slots=True)
class Tokens:
    """Service account tokens by pod and projection; an old one is used until it is due."""

    client: Client
    clock: Clock
    _tokens: dict[tuple[str, str, str, int], _Token] = field(default_factory=dict)

    async def get(self, pod: Pod, source: ServiceAccountTokenProjection) -> str:
        meta = pod.metadata
        seconds = source.expirationSeconds or 3600
        key = (meta.uid, source.audience, source.path, seconds)
        now = self.clock.now().timestamp()
        known = self._tokens.get(key)
        if known is not None and now < known.refresh_at:
            return known.token
        request = TokenRequest(
            spec=TokenRequestSpec(
                audiences=(source.audience,) if source.audience else (),
                expirationSeconds=seconds,
                boundObjectRef=BoundObjectReference(kind="Pod", apiVersion="v1", name=meta.name, uid=meta.uid),
            )
        )
        account = pod.spec.serviceAccountName or "default"
        answer = await self.client.post(SERVICE_ACCOUNTS, account, meta.namespace, "token", request)
        status = answer["status"]
        expires = to_epoch(status["expirationTimestamp"])
        self._tokens[key] = _Token(status["token"], now + (expires - now) * TOKEN_REFRESH)
        return str(status["token"])

    def due(self, pod_uid: str) -> float | None:
        """When a token of the pod should be asked for anew."""
        return min((each.refresh_at for key, each in self._tokens.items() if key[0] == pod_uid), default=None)

    def forget(self, pod_uid: str) -> None:
        for key in [each for each in self._tokens if each[0] == pod_uid]:
            del self._tokens[key]


@dataclass(frozen=True, slots=True)
class PayloadMaker:
    """Collects the files of one pod's volumes."""

    objects: Objects
    tokens: Tokens
    allocatable: Mapping[str, str]

    async def files(self, pod: Pod, volume: Volume) -> dict[str, Payload] | None:
        """The files of `volume`, or None when it is of another kind. Raises VolumeError."""
        if volume.configMap is not None:
            source = volume.configMap
            found = await self._config_map(pod, source.name, source.items, bool(source.optional))
            return self._owned(pod, found, source.defaultMode)
        if volume.secret is not None:
            secret = volume.secret
            found = await self._secret(pod, secret.secretName, secret.items, bool(secret.optional))
            return self._owned(pod, found, secret.defaultMode)
        if volume.downwardAPI is not None:
            return self._owned(pod, self._downward(pod, volume.downwardAPI.items), volume.downwardAPI.defaultMode)
        if volume.projected is not None:
            files: dict[str, Payload] = {}
            for projection in volume.projected.sources:
                files |= await self._projection(pod, projection, volume.projected.defaultMode)
            return files
        return None

    async def _projection(self, pod: Pod, projection: VolumeProjection, default_mode: int | None) -> dict[str, Payload]:
        if projection.configMap is not None:
            source = projection.configMap
            found = await self._config_map(pod, source.name, source.items, bool(source.optional))
        elif projection.secret is not None:
            secret = projection.secret
            found = await self._secret(pod, secret.name, secret.items, bool(secret.optional))
        elif projection.downwardAPI is not None:
            found = self._downward(pod, projection.downwardAPI.items)
        elif projection.serviceAccountToken is not None:
            return await self._token(pod, projection.serviceAccountToken, default_mode)
        else:
            raise VolumeError(
                "this projected source is not supported by this node: "
                "use configMap, secret, downwardAPI or serviceAccountToken"
            )
        return self._owned(pod, found, default_mode)

    async def _token(
        self, pod: Pod, source: ServiceAccountTokenProjection, default_mode: int | None
    ) -> dict[str, Payload]:
        """Readable by the one user all containers run as, else by the pod's fsGroup, else by everybody in the pod."""
        token = (await self.tokens.get(pod, source)).encode()
        user, group = _single_user(pod), _fs_group(pod)
        mode = DEFAULT_MODE if default_mode is None else default_mode
        if user is not None:
            return {source.path: Payload(token, 0o600 | (0o440 if group is not None else 0), user, _gid(group))}
        if group is not None:
            return {source.path: Payload(token, 0o640, -1, group)}
        return {source.path: Payload(token, mode)}

    async def _config_map(
        self, pod: Pod, name: str, items: Sequence[KeyToPath], optional: bool
    ) -> dict[str, tuple[bytes, int | None]]:
        meta = pod.metadata
        found = await self.objects.get(CONFIG_MAPS, meta.namespace, name, meta.uid)
        if found is None:
            if optional:
                return {}
            raise VolumeError(f'configmap "{name}" not found')
        data = {**{key: value.encode() for key, value in found.data.items()}, **found.binaryData}
        return _select(data, items, optional, f"configmap references non-existent config key: {{}} ({name})")

    async def _secret(
        self, pod: Pod, name: str, items: Sequence[KeyToPath], optional: bool
    ) -> dict[str, tuple[bytes, int | None]]:
        meta = pod.metadata
        found = await self.objects.get(SECRETS, meta.namespace, name, meta.uid)
        if found is None:
            if optional:
                return {}
            raise VolumeError(f'secret "{name}" not found')
        return _select(found.data, items, optional, f"references non-existent secret key: {{}} ({name})")

    def _downward(self, pod: Pod, items: Sequence[DownwardAPIVolumeFile]) -> dict[str, tuple[bytes, int | None]]:
        files: dict[str, tuple[bytes, int | None]] = {}
        for item in items:
            if item.fieldRef is not None:
                text = pod_field(pod, item.fieldRef.fieldPath)
            elif item.resourceFieldRef is not None:
                text = resource_field(pod, pod.spec.containers[0], item.resourceFieldRef, self.allocatable)
            else:
                raise VolumeError(f"downwardAPI item {item.path}: one of fieldRef and resourceFieldRef is needed")
            files[item.path] = (text.encode(), item.mode)
        return files

    def _owned(
        self, pod: Pod, files: Mapping[str, tuple[bytes, int | None]], default_mode: int | None
    ) -> dict[str, Payload]:
        group = _fs_group(pod)
        more = 0o440 if group is not None else 0
        default = DEFAULT_MODE if default_mode is None else default_mode
        return {
            path: Payload(data, (default if mode is None else mode) | more, -1, _gid(group))
            for path, (data, mode) in files.items()
        }


def _select(
    data: Mapping[str, bytes], items: Sequence[KeyToPath], optional: bool, missing: str
) -> dict[str, tuple[bytes, int | None]]:
    """All keys under their own names, or the listed ones under theirs."""
    if not items:
        return {key: (value, None) for key, value in data.items()}
    files: dict[str, tuple[bytes, int | None]] = {}
    for item in items:
        if item.key in data:
            files[_safe(item.path)] = (data[item.key], item.mode)
        elif not optional:
            raise VolumeError(missing.format(item.key))
    return files


def _safe(path: str) -> str:
    """Validation has refused such paths; a file name from the API is checked again before it is written as root."""
    parts = path.split("/")
    if path.startswith(("/", "..")) or ".." in parts:
        raise VolumeError(f"path {path!r} must be relative and must not contain '..'")
    return path


def _fs_group(pod: Pod) -> int | None:
    return pod.spec.securityContext.fsGroup if pod.spec.securityContext is not None else None


def _gid(group: int | None) -> int:
    return -1 if group is None else group


def _single_user(pod: Pod) -> int | None:
    """The user every container runs as by its spec, if that is one."""
    shared = pod.spec.securityContext.runAsUser if pod.spec.securityContext is not None else None
    users = set()
    for each in (*pod.spec.initContainers, *pod.spec.containers):
        own = each.securityContext.runAsUser if each.securityContext is not None else None
        users.add(own if own is not None else shared)
    return users.pop() if len(users) == 1 else None
