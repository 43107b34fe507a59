"""How the core resources differ from the generic registry: defaults across fields, immutability, validation.

One class for each resource that differs. Documents are plain JSON before admission; validation sees typed objects.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import msgspec

from proa.api.core_v1 import pod_annotations
from proa.api.core_v1.configuration import ConfigMap, Secret
from proa.api.core_v1.identity import Namespace, ServiceAccount
from proa.api.core_v1.pod import Pod
from proa.api.core_v1.pod_changes import check_changes
from proa.api.core_v1.pod_defaults import default_pod, default_pod_addresses, default_pod_template
from proa.api.core_v1.pod_label_keys import merge_label_keys
from proa.api.core_v1.pod_network import validate_addresses
from proa.api.core_v1.pod_status import check_status
from proa.api.core_v1.pod_validation import validate_images, validate_pod_spec, validate_pod_template
from proa.api.core_v1.pod_warnings import name_warnings, pod_status_warnings, pod_warnings, template_warnings
from proa.api.core_v1.replication import ReplicationController
from proa.api.core_v1.template import PodTemplate
from proa.machinery.checks import check_names, check_not_negative
from proa.machinery.fields import ErrorList, Path
from proa.machinery.names import config_key
from proa.machinery.strategy import DefaultStrategy, is_other, keep

Document = dict[str, Any]
_SPEC = Path("spec")
_STATUS = Path("status")
_ANNOTATIONS = Path("metadata", "annotations")
_MAX_DATA = 1024 * 1024
# The counts of a replication controller's status that are part of another one.
_PARTS = {"fullyLabeledReplicas": "replicas", "readyReplicas": "replicas", "availableReplicas": "readyReplicas"}


class PodStrategy(DefaultStrategy):
    def default(self, document: Document) -> None:
        spec = document.get("spec")
        if spec is not None:
            default_pod(spec)
        status = document.get("status")
        if status:
            default_pod_addresses(status)

    def prepare_for_create(self, document: Document) -> None:
        document["status"] = {"phase": "Pending"}
        spec = document.get("spec") or {}
        if spec.get("affinity") or spec.get("topologySpreadConstraints"):
            merge_label_keys(spec, (document.get("metadata") or {}).get("labels") or {})
        gates = spec.get("schedulingGates")
        if gates:
            waiting = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}
            document["status"]["conditions"] = [
                {**waiting, "message": "Scheduling is blocked due to non-empty scheduling gates"}
            ]

    def prepare_for_status_update(self, document: Document, old: Mapping[str, Any]) -> None:
        """The class of a pod stays, whether or not who writes the status repeats it; owners are not its matter."""
        super().prepare_for_status_update(document, old)
        keep(document["metadata"], old["metadata"], "ownerReferences")
        kept = (old.get("status") or {}).get("qosClass")
        status = document.setdefault("status", {})
        if kept and not status.get("qosClass"):
            status["qosClass"] = kept

    def validate_create(self, new: Pod, errors: ErrorList) -> None:
        _validate_pod(new, errors)
        if new.spec.ephemeralContainers:  # they come through their subresource
            errors.forbidden(_SPEC.child("ephemeralContainers"), "cannot be set on create")
        if new.spec.nodeName and new.spec.schedulingGates:
            detail = "cannot be set until all schedulingGates have been cleared"
            errors.forbidden(_SPEC.child("nodeName"), detail)
        if new.metadata.annotations:
            pod_annotations.check_fields(new.metadata.annotations, new.spec, _SPEC, errors)

    def validate_update(self, new: Pod, old: Pod, errors: ErrorList) -> None:
        """A spec that nobody changed is as good as it was: most updates are of the status."""
        if new.metadata.annotations != old.metadata.annotations:
            pod_annotations.check_changes(new.metadata.annotations, old.metadata.annotations, _ANNOTATIONS, errors)
            pod_annotations.validate_annotations(new.metadata.annotations, new.spec, _ANNOTATIONS, errors)
        if new.spec != old.spec:
            _validate_pod(new, errors)
            check_changes(new, old, errors)
        if new.status != old.status:
            check_status(new, old, errors)
        if (new.status.podIPs, new.status.hostIPs) != (old.status.podIPs, old.status.hostIPs):
            validate_addresses(new.status, errors)

    def warnings(self, new: Pod, old: Pod | None) -> list[str]:
        """Of new pods only: nobody reads what is said of the many changes that programs make."""
        return pod_warnings(new) if old is None else []

    def status_warnings(self, new: Pod) -> list[str]:
        return pod_status_warnings(new)


def _validate_pod(pod: Pod, errors: ErrorList) -> None:
    """What holds of pods beyond what holds of templates."""
    if pod.metadata.annotations:
        pod_annotations.validate_annotations(pod.metadata.annotations, pod.spec, _ANNOTATIONS, errors)
    validate_pod_spec(pod.spec, _SPEC, errors, pod.metadata.name)
    validate_images(pod.spec, _SPEC, errors)
    if pod.spec.serviceAccountName:
        return
    for index, volume in enumerate(pod.spec.volumes):
        for position, source in enumerate(volume.projected.sources if volume.projected is not None else ()):
            if source.serviceAccountToken is not None:
                where = _SPEC.child("volumes").index(index).child("projected", "sources").index(position)
                detail = "must not be specified when serviceAccountName is not set"
                errors.forbidden(where.child("serviceAccountToken"), detail)


class PodTemplateStrategy(DefaultStrategy):
    def default(self, document: Document) -> None:
        default_pod_template({"spec": document})

    def validate(self, new: PodTemplate, errors: ErrorList) -> None:
        validate_pod_template(new.template, Path("template"), errors)

    def warnings(self, new: PodTemplate, old: PodTemplate | None) -> list[str]:
        return template_warnings(new.template, Path("template")) if is_other(new, old) else []


class ReplicationControllerStrategy(DefaultStrategy):
    orphans_dependents = True

    def default(self, document: Document) -> None:
        default_pod_template(document)
        spec = document.get("spec") or {}
        labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
        if labels:
            if not spec.get("selector"):
                spec["selector"] = dict(labels)
            metadata = document.setdefault("metadata", {})
            if not metadata.get("labels"):
                metadata["labels"] = dict(labels)

    def prepare_for_create(self, document: Document) -> None:
        document.pop("status", None)

    def validate(self, new: ReplicationController, errors: ErrorList) -> None:
        if not new.spec.selector:
            errors.required(_SPEC.child("selector"))
        if new.spec.template is None:
            errors.required(_SPEC.child("template"))
            return
        labels = new.spec.template.metadata.labels
        if any(labels.get(key) != value for key, value in new.spec.selector.items()):
            errors.invalid(
                _SPEC.child("template", "metadata", "labels"),
                dict(labels),
                "`selector` does not match template `labels`",
            )
        template, at = new.spec.template, _SPEC.child("template")
        validate_pod_template(template, at, errors)
        if template.spec.restartPolicy != "Always":
            errors.unsupported(at.child("spec", "restartPolicy"), template.spec.restartPolicy, ("Always",))
        if template.spec.activeDeadlineSeconds is not None:
            detail = "activeDeadlineSeconds in ReplicationController is not Supported"
            errors.forbidden(at.child("spec", "activeDeadlineSeconds"), detail)

    def validate_update(self, new: ReplicationController, old: ReplicationController, errors: ErrorList) -> None:
        if new.status == old.status:
            return
        for field in ("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration"):
            check_not_negative(errors, _STATUS.child(field), getattr(new.status, field))
        for field, whole in _PARTS.items():
            if getattr(new.status, field) > getattr(new.status, whole):
                errors.invalid(
                    _STATUS.child(field), getattr(new.status, field), f"cannot be greater than status.{whole}"
                )

    def warnings(self, new: ReplicationController, old: ReplicationController | None) -> list[str]:
        found = name_warnings(new.metadata.name) if old is None else []
        if is_other(new, old) and new.spec.template is not None:
            found += template_warnings(new.spec.template, _SPEC.child("template"))
        return found


class NamespaceStrategy(DefaultStrategy):
    """A namespace ends only when its `kubernetes` finalizer has been taken off through /finalize."""

    def default(self, document: Document) -> None:
        metadata = document.setdefault("metadata", {})
        if metadata.get("name"):
            labels = metadata.get("labels") or {}
            metadata["labels"] = {**labels, "kubernetes.io/metadata.name": metadata["name"]}

    def prepare_for_create(self, document: Document) -> None:
        document["status"] = {"phase": "Active"}
        finalizers = (document.get("spec") or {}).get("finalizers") or []
        if "kubernetes" not in finalizers:
            finalizers = [*finalizers, "kubernetes"]
        document["spec"] = {"finalizers": finalizers}

    def prepare_for_update(self, document: Document, old: Mapping[str, Any]) -> None:
        document["spec"] = old.get("spec") or {}
        document["status"] = old.get("status") or {}

    def validate(self, new: Namespace, errors: ErrorList) -> None:
        for index, name in enumerate(new.spec.finalizers):
            if name != "kubernetes" and "/" not in name:
                errors.invalid(
                    _SPEC.child("finalizers").index(index),
                    name,
                    "name is neither a standard finalizer name nor is it fully qualified",
                )


def _validate_data(names: Mapping[str, Any], path: Path, errors: ErrorList) -> None:
    for name in names:
        check_names(errors, path.key(name), name, config_key(name))


def _size(*parts: Mapping[str, str | bytes]) -> int:
    return sum(len(each if isinstance(each, bytes) else each.encode()) for part in parts for each in part.values())


class ConfigMapStrategy(DefaultStrategy):
    def validate(self, new: ConfigMap, errors: ErrorList) -> None:
        _validate_data(new.data, Path("data"), errors)
        _validate_data(new.binaryData, Path("binaryData"), errors)
        for name in new.binaryData:
            if name in new.data:
                errors.invalid(Path("data").key(name), name, "duplicate of key present in binaryData")
        if _size(new.data, new.binaryData) > _MAX_DATA:
            errors.too_long(Path(""), _MAX_DATA)

    def validate_update(self, new: ConfigMap, old: ConfigMap, errors: ErrorList) -> None:
        if not old.immutable:
            return
        if not new.immutable:
            errors.forbidden(Path("immutable"), "field is immutable when `immutable` is set")
        for field in ("data", "binaryData"):
            if getattr(new, field) != getattr(old, field):
                errors.forbidden(Path(field), "field is immutable when `immutable` is set")


_NEEDED_KEYS = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
_JSON_KEYS = (".dockercfg", ".dockerconfigjson")


class SecretStrategy(DefaultStrategy):
    """`stringData` is write only: it ends up in `data`."""

    def prepare_for_create(self, document: Document) -> None:
        _move_string_data(document)

    def prepare_for_update(self, document: Document, old: Mapping[str, Any]) -> None:
        _move_string_data(document)
        if not document.get("type"):
            document["type"] = old.get("type")

    def validate(self, new: Secret, errors: ErrorList) -> None:
        _validate_data(new.data, Path("data"), errors)
        if _size(new.data) > _MAX_DATA:
            errors.too_long(Path("data"), _MAX_DATA)
        for key in _NEEDED_KEYS.get(new.type, ()):
            if key not in new.data or (key == "ssh-privatekey" and not new.data[key]):
                errors.required(Path("data").key(key))
            elif key in _JSON_KEYS:
                problem = _json_problem(new.data[key])
                if problem:
                    errors.invalid(Path("data").key(key), "<secret contents redacted>", problem)
        if new.type == "kubernetes.io/basic-auth" and not {"username", "password"} & set(new.data):
            errors.required(Path("data").key("username"))
            errors.required(Path("data").key("password"))
        if new.type == "kubernetes.io/service-account-token":
            account = "kubernetes.io/service-account.name"
            if not new.metadata.annotations.get(account):
                errors.required(Path("metadata", "annotations").key(account))

    def validate_update(self, new: Secret, old: Secret, errors: ErrorList) -> None:
        if new.type != old.type:
            errors.immutable(Path("type"), new.type)
        if not old.immutable:
            return
        if not new.immutable:
            errors.forbidden(Path("immutable"), "field is immutable when `immutable` is set")
        if new.data != old.data:
            errors.forbidden(Path("data"), "field is immutable when `immutable` is set")

    def warnings(self, new: Secret, old: Secret | None) -> list[str]:
        if new.type != "kubernetes.io/tls":
            return []
        from proa.pki.pairing import mismatch  # with it come the parsers of certificates and keys

        why = mismatch(new.data["tls.crt"], new.data["tls.key"])
        return [why] if why else []


def _json_problem(value: bytes) -> str:
    """Why a text is no JSON object; '' where it is one."""
    try:
        msgspec.json.decode(value, type=dict[str, Any] | None)
    except msgspec.ValidationError:
        return "json: cannot unmarshal into Go value of type map[string]interface {}"
    except msgspec.DecodeError as error:
        return "unexpected end of JSON input" if "truncated" in str(error) else str(error)
    return ""


_ENFORCE_MOUNTABLE = "kubernetes.io/enforce-mountable-secrets"


class ServiceAccountStrategy(DefaultStrategy):
    def warnings(self, new: ServiceAccount, old: ServiceAccount | None) -> list[str]:
        said = old is not None and _ENFORCE_MOUNTABLE in old.metadata.annotations
        if said or _ENFORCE_MOUNTABLE not in new.metadata.annotations:
            return []
        instead = "prefer separate namespaces to isolate access to mounted secrets"
        return [f"metadata.annotations[{_ENFORCE_MOUNTABLE}]: deprecated in v1.32+; {instead}"]


def _move_string_data(document: Document) -> None:
    texts = document.pop("stringData", None)
    if texts:
        data = document.get("data") or {}
        document["data"] = {**data, **{key: b64encode(text.encode()).decode() for key, text in texts.items()}}
