"""A container's environment: literals with $(VAR), ConfigMaps, Secrets, fields of the pod, resources, service links.

Order and precedence (core/v1 Container.env, .envFrom): service variables first, then envFrom in order, then env in
order; a later one of the same name wins, and $(VAR) sees what came before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from proa.api.core_v1 import ConfigMap, EnvFromSource, EnvVar, EnvVarSource, Pod, Secret, Service
from proa.api.core_v1.resources import CONFIG_MAPS, SECRETS
from proa.kubelet.fields import FieldError, pod_field, resource_field
from proa.kubelet.services import AnyContainer, Services, StepError

_REFERENCE = re.compile(r"\$(\$|\(([^)]*)\))")


def expand(text: str, known: Mapping[str, str]) -> str:
    """Replace $(VAR) by what is known of it; an unknown reference stays as it is, $$ is a literal $."""

    def one(found: re.Match[str]) -> str:
        if found[1] == "$":
            return "$"
        return known.get(found[2], found[0])

    return _REFERENCE.sub(one, text)


async def environment(services: Services, pod: Pod, container: AnyContainer, pod_ips: Sequence[str]) -> dict[str, str]:
    """Everything the container's process finds in its environment. Raises StepError (CreateContainerConfigError)."""
    found: dict[str, str] = {}
    await services.services.synced()
    links = pod.spec.enableServiceLinks is not False
    for service in services.services.visible(pod.metadata.namespace):
        if links or (service.metadata.namespace == "default" and service.metadata.name == "kubernetes"):
            found.update(service_variables(service))
    sources = _Sources(services, pod, container, pod_ips)
    for bundle in container.envFrom:
        found.update(await sources.bundle(bundle))
    for variable in container.env:
        if variable.valueFrom is None:
            found[variable.name] = expand(variable.value, found)
        else:
            value = await sources.value(variable, variable.valueFrom)
            if value is not None:
                found[variable.name] = value
    return found


def service_variables(service: Service) -> dict[str, str]:
    """`REDIS_SERVICE_HOST`, `REDIS_PORT_6379_TCP` and their kin for a service with a cluster IP."""
    address = service.spec.clusterIP
    if address in ("", "None") or not service.spec.ports:
        return {}
    prefix = service.metadata.name.upper().replace("-", "_")
    host = f"[{address}]" if ":" in address else address
    ports = service.spec.ports
    found = {f"{prefix}_SERVICE_HOST": address, f"{prefix}_SERVICE_PORT": str(ports[0].port)}
    for port in ports:
        if port.name:
            found[f"{prefix}_SERVICE_PORT_{port.name.upper().replace('-', '_')}"] = str(port.port)
    for index, port in enumerate(ports):
        protocol = (port.protocol or "TCP").lower()
        url = f"{protocol}://{host}:{port.port}"
        if index == 0:
            found[f"{prefix}_PORT"] = url
        link = f"{prefix}_PORT_{port.port}_{protocol.upper()}"
        found |= {link: url, f"{link}_PROTO": protocol, f"{link}_PORT": str(port.port), f"{link}_ADDR": address}
    return found


class _Sources:
    """Where one container's values come from; every refusal is a CreateContainerConfigError that names the culprit."""

    def __init__(self, services: Services, pod: Pod, container: AnyContainer, pod_ips: Sequence[str]) -> None:
        self.services = services
        self.pod = pod
        self.container = container
        self.pod_ips = pod_ips

    async def bundle(self, source: EnvFromSource) -> dict[str, str]:
        if source.configMapRef is not None:
            reference = source.configMapRef
            found = await self._config_map(reference.name, bool(reference.optional))
            values = dict(found.data) if found is not None else {}
        elif source.secretRef is not None:
            secret = await self._secret(source.secretRef.name, bool(source.secretRef.optional))
            values = _texts(secret.data.items()) if secret is not None else {}
        else:
            return {}
        return {source.prefix + name: value for name, value in values.items() if name and "=" not in name}

    async def value(self, variable: EnvVar, source: EnvVarSource) -> str | None:
        meta = self.pod.metadata
        try:
            if source.fieldRef is not None:
                return pod_field(self.pod, source.fieldRef.fieldPath, self.services.host.ips, self.pod_ips)
            if source.resourceFieldRef is not None:
                return resource_field(self.pod, self.container, source.resourceFieldRef, self.services.config.capacity)
        except FieldError as error:
            raise _refusal(str(error)) from error
        if source.configMapKeyRef is not None:
            key = source.configMapKeyRef
            found = await self._config_map(key.name, bool(key.optional))
            if found is not None and key.key in found.data:
                return found.data[key.key]
            if found is not None and not key.optional:
                raise _refusal(f"couldn't find key {key.key} in ConfigMap {meta.namespace}/{key.name}")
            return None
        if source.secretKeyRef is not None:
            secret_key = source.secretKeyRef
            secret = await self._secret(secret_key.name, bool(secret_key.optional))
            if secret is not None and secret_key.key in secret.data:
                return secret.data[secret_key.key].decode(errors="replace")
            if secret is not None and not secret_key.optional:
                raise _refusal(f"couldn't find key {secret_key.key} in Secret {meta.namespace}/{secret_key.name}")
            return None
        raise _refusal(
            f"environment variable {variable.name}: this source is not supported by this node; use one of fieldRef, "
            "resourceFieldRef, configMapKeyRef, secretKeyRef"
        )

    async def _config_map(self, name: str, optional: bool) -> ConfigMap | None:
        meta = self.pod.metadata
        found = await self.services.objects.get(CONFIG_MAPS, meta.namespace, name, meta.uid)
        if found is None and not optional:
            raise _refusal(f'configmap "{name}" not found')
        return found

    async def _secret(self, name: str, optional: bool) -> Secret | None:
        meta = self.pod.metadata
        found = await self.services.objects.get(SECRETS, meta.namespace, name, meta.uid)
        if found is None and not optional:
            raise _refusal(f'secret "{name}" not found')
        return found


def _texts(items: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    return {name: value.decode(errors="replace") for name, value in items}


def _refusal(message: str) -> StepError:
    return StepError("CreateContainerConfigError", message, events=[("Failed", f"Error: {message}")])
