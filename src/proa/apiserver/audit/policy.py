"""Audit policies: the first rule that fits a request says how much of it is written down, and at which stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

import msgspec
import yaml

from proa.apiserver.identity import User
from proa.apiserver.requestinfo import RequestInfo
from proa.base.errors import ProaError
from proa.machinery.fields import ErrorList, Path
from proa.machinery.names import dns1123_subdomain

NONE, METADATA, REQUEST, REQUEST_RESPONSE = range(4)
LEVELS = ("None", "Metadata", "Request", "RequestResponse")
RECEIVED, STARTED, COMPLETE, PANIC = STAGES = ("RequestReceived", "ResponseStarted", "ResponseComplete", "Panic")
VERSION = "audit.k8s.io/v1"


class PolicyError(ProaError):
    """The file holds no audit policy; the message names what is wrong with which field."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a request is written down. omit_managed_fields: of the objects in it."""

    level: int
    omit_stages: frozenset[str] = frozenset()
    omit_managed_fields: bool = False


class GroupResources(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    group: str = ""
    resources: tuple[str, ...] = ()
    resourceNames: tuple[str, ...] = ()


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that is said must fit; what is not said fits always."""

    level: str = ""
    users: tuple[str, ...] = ()
    userGroups: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    resources: tuple[GroupResources, ...] = ()
    namespaces: tuple[str, ...] = ()
    nonResourceURLs: tuple[str, ...] = ()
    omitStages: tuple[str, ...] = ()
    omitManagedFields: bool | None = None

    def fits(self, user: User, info: RequestInfo) -> bool:
        if self.users and user.name not in self.users:
            return False
        if self.userGroups and set(self.userGroups).isdisjoint(user.groups):
            return False
        if self.verbs and info.verb not in self.verbs:
            return False
        if self.namespaces or self.resources:
            return self._fits_resource(info)
        if self.nonResourceURLs:
            return not info.is_resource and any(_fits_path(info.path, each) for each in self.nonResourceURLs)
        return True

    def _fits_resource(self, info: RequestInfo) -> bool:
        if not info.is_resource or (self.namespaces and info.namespace not in self.namespaces):
            return False
        if not self.resources:
            return True
        wanted = {"*", f"{info.resource}/{info.subresource}" if info.subresource else info.resource}
        wanted |= {f"{info.resource}/*"} | ({f"*/{info.subresource}"} if info.subresource else set())
        return any(
            each.group in (info.group, "*")
            and (
                not each.resources
                or (
                    not wanted.isdisjoint(each.resources)
                    and (not each.resourceNames or info.name in each.resourceNames)
                )
            )
            for each in self.resources
        )


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    apiVersion: str = ""
    kind: str = ""
    metadata: Mapping[str, Any] = {}
    rules: tuple[Rule, ...] = ()
    omitStages: tuple[str, ...] = ()
    omitManagedFields: bool = False

    def coverage(self, user: User, info: RequestInfo) -> Coverage:
        """What the first fitting rule says; nothing is written down where none fits."""
        for rule in self.rules:
            if rule.fits(user, info):
                omit = self.omitManagedFields if rule.omitManagedFields is None else rule.omitManagedFields
                stages = frozenset((*self.omitStages, *rule.omitStages))
                return Coverage(LEVELS.index(rule.level), stages, omit)
        return _NOTHING


_NOTHING = Coverage(NONE)


def load(path: FilePath) -> Policy:
    """The policy in a file. Raises PolicyError, OSError."""
    try:
        document = yaml.load(path.read_text(), yaml.CSafeLoader)
        policy = msgspec.convert(document, Policy)
    except (yaml.YAMLError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise PolicyError(f"audit policy {path}: {error}") from error
    if policy.apiVersion != VERSION or policy.kind != "Policy":
        raise PolicyError(f"audit policy {path}: apiVersion must be {VERSION} and kind must be Policy")
    errors = ErrorList()
    _check_stages(policy.omitStages, Path("omitStages"), errors)
    if not policy.rules:
        errors.required(Path("rules"), "a policy without rules writes nothing down")
    for index, rule in enumerate(policy.rules):
        _check_rule(rule, Path("rules").index(index), errors)
    if errors:
        raise PolicyError(f"audit policy {path}: {errors.message}")
    return policy


def _check_rule(rule: Rule, at: Path, errors: ErrorList) -> None:
    if not rule.level:
        errors.required(at.child("level"))
    elif rule.level not in LEVELS:
        errors.unsupported(at.child("level"), rule.level, LEVELS)
    if rule.nonResourceURLs and (rule.resources or rule.namespaces):
        why = "rules cannot apply to both regular resources and non-resource URLs"
        errors.invalid(at.child("nonResourceURLs"), list(rule.nonResourceURLs), why)
    for index, url in enumerate(rule.nonResourceURLs):
        where = at.child("nonResourceURLs").index(index)
        if url != "*" and not url.startswith("/"):
            errors.invalid(where, url, "non-resource URL rules must begin with a '/' character")
        if "*" in url[:-1]:
            errors.invalid(where, url, "non-resource URL wildcards '*' must be the final character of the rule")
    for index, each in enumerate(rule.resources):
        where = at.child("resources").index(index)
        if each.group not in ("", "*") and (wrong := dns1123_subdomain(each.group)):
            errors.invalid(where.child("group"), each.group, ",".join(wrong))
        if each.resourceNames and not each.resources:
            why = "using resourceNames requires at least one resource"
            errors.invalid(where.child("resourceNames"), list(each.resourceNames), why)
    _check_stages(rule.omitStages, at.child("omitStages"), errors)


def _check_stages(stages: Sequence[str], at: Path, errors: ErrorList) -> None:
    for index, stage in enumerate(stages):
        if stage not in STAGES:
            errors.invalid(at.index(index), stage, f"allowed stages are {','.join(STAGES)}")


def _fits_path(path: str, spec: str) -> bool:
    return spec in ("*", path) or (spec.endswith("*") and path.startswith(spec[:-1]))
