"""Step: a container's image is on the node, as its pull policy says (Container.imagePullPolicy)."""

from __future__ import annotations

from proa.api.core_v1 import Pod, Secret
from proa.api.core_v1.resources import SECRETS
from proa.kubelet.context import Node
from proa.kubelet.facts import find_container
from proa.kubelet.images import credentials
from proa.kubelet.services import AnyContainer, Outcome, Services, StepError
from proa.kubelet.state import PodState, PullImage
from proa.runtime.protocol import ImageAuth, RuntimeFault


async def pull(node: Node, pod: Pod, state: PodState, instruction: PullImage) -> Outcome:
    services = node.services
    container = find_container(pod, instruction.container)
    if container is None:
        raise StepError("CreateContainerConfigError", f"the pod has no container {instruction.container} any more")
    path = f"spec.containers{{{container.name}}}"
    policy = pull_policy(container)
    image = container.image
    if policy != "Always":
        found = await services.images.find(image)
        if found is not None:
            text = f'Container image "{image}" already present on machine and can be accessed by the pod'
            services.events.normal(pod, "Pulled", text, field_path=path)
            return Outcome(image=image)
        if policy == "Never":
            text = f'Container image "{image}" is not present with pull policy of Never'
            raise StepError(
                "ErrImageNeverPull", text, events=[("ErrImageNeverPull", text), ("Failed", "Error: ErrImageNeverPull")]
            )
    began = services.clock.monotonic()
    services.events.normal(pod, "Pulling", f'Pulling image "{image}"', field_path=path)
    try:
        auth = await _credentials(services, pod, image)
        pulled, _ = await services.images.pull(image, auth, always=policy == "Always")
    except RuntimeFault as fault:
        reason = fault.reason or "ErrImagePull"
        text = f'Failed to pull image "{image}": {fault}'
        raise StepError(reason, str(fault), events=[("Failed", text), ("Failed", f"Error: {reason}")]) from fault
    took = services.clock.monotonic() - began
    text = f'Successfully pulled image "{image}" in {_duration(took)} ({_duration(took)} including waiting).'
    services.events.normal(pod, "Pulled", f"{text} Image size: {pulled.size} bytes.", field_path=path)
    return Outcome(image=image)


def pull_policy(container: AnyContainer) -> str:
    """What the API defaults when it is left out: Always for `:latest` and untagged images."""
    if container.imagePullPolicy:
        return container.imagePullPolicy
    name = container.image.rpartition("/")[2]
    if "@" in name:
        return "IfNotPresent"
    tag = name.partition(":")[2]
    return "Always" if tag in ("", "latest") else "IfNotPresent"


async def _credentials(services: Services, pod: Pod, image: str) -> tuple[ImageAuth, ...]:
    secrets: list[Secret] = []
    missing: list[str] = []
    for reference in pod.spec.imagePullSecrets:
        secret = await services.objects.get(SECRETS, pod.metadata.namespace, reference.name, pod.metadata.uid)
        if secret is None:
            missing.append(reference.name)
        else:
            secrets.append(secret)
    if missing:
        text = (
            f"Unable to retrieve some image pull secrets ({', '.join(missing)}); "
            "attempting to pull the image may not succeed."
        )
        services.events.warning(pod, "FailedToRetrieveImagePullSecret", text)
    return credentials(image, secrets)


def _duration(seconds: float) -> str:
    """As Go prints it, to the millisecond."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    return f"{seconds:.3f}s"
