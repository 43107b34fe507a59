"""What makes wrong what a pod says to Windows: as whom it runs, with whose credentials, as a process of its host.

Source: the API reference of core/v1 WindowsSecurityContextOptions. Not here: what a pod for Windows may not say
(`pod_security`).
"""

from __future__ import annotations

import re

from proa.api.core_v1.container import SecurityContext, WindowsSecurityContextOptions
from proa.api.core_v1.pod import PodSecurityContext, PodSpec
from proa.api.core_v1.pod_checks import at, check
from proa.machinery.fields import ROOT, ErrorList, Path
from proa.machinery.names import dns1123_subdomain

_LARGEST_CREDENTIALS = 64  # KiB
_LONGEST_DOMAIN = 255
_LONGEST_USER = 104
# Compiled where they are needed: few pods speak to Windows.
_CONTROL = r"[\x00-\x1f\x7f]"
_NET_BIOS_DOMAIN = r'[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}'
_DNS_LABEL = r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_DNS_DOMAIN = rf"{_DNS_LABEL}(\.{_DNS_LABEL})*"
_NOT_IN_USERS = r'"/\:;|=,+*?<>@[]'


def validate_options(options: WindowsSecurityContextOptions, path: Path, errors: ErrorList) -> None:
    """Of a pod or a container."""
    if options.gmsaCredentialSpecName is not None:
        check(errors, dns1123_subdomain, options.gmsaCredentialSpecName, path, "gmsaCredentialSpecName")
    credentials, where = options.gmsaCredentialSpec, path.child("gmsaCredentialSpec")
    if credentials == "":
        errors.invalid(where, credentials, "gmsaCredentialSpec cannot be an empty string")
    elif credentials is not None and len(credentials.encode()) > _LARGEST_CREDENTIALS * 1024:
        errors.invalid(where, credentials, f"gmsaCredentialSpec size must be under {_LARGEST_CREDENTIALS} KiB")
    name = options.runAsUserName
    for problem in _name_problems(name) if name is not None else ():
        errors.invalid(path.child("runAsUserName"), name, f"runAsUserName{problem}")


def _name_problems(name: str) -> list[str]:
    r"""What is wrong with `user` or `DOMAIN\user`."""
    domain, backslash, user = name.rpartition("\\")
    if not name:
        return [" cannot be an empty string"]
    if re.search(_CONTROL, name):
        return [" cannot contain control characters"]
    if "\\" in domain:
        return [" cannot contain more than one backslash"]
    found = []
    if len(domain.encode()) > _LONGEST_DOMAIN:
        found.append(f"'s Domain length must be under {_LONGEST_DOMAIN + 1} characters")
    if backslash and not (re.fullmatch(_NET_BIOS_DOMAIN, domain) or re.fullmatch(_DNS_DOMAIN, domain)):
        found.append("'s Domain doesn't match the NetBios nor the DNS format")
    if not user:
        found.append("'s User cannot be empty")
    elif len(user.encode()) > _LONGEST_USER:
        found.append(f"'s User length must not be longer than {_LONGEST_USER} characters")
    if user and not user.strip(". "):
        found.append("'s User cannot contain only periods or spaces")
    if set(user) & set(_NOT_IN_USERS):
        found.append(f"'s User cannot contain the following characters: {_NOT_IN_USERS}")
    return found


def validate_host_process(spec: PodSpec, errors: ErrorList) -> None:
    """All containers of a pod are processes of the host, whose network they use, or none is."""
    of_pod = _host_process(spec.securityContext)
    count = those = 0
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(getattr(spec, field)):
            own = _host_process(container.securityContext)
            if of_pod is not None and own is not None and of_pod != own:
                where = at(ROOT, field, index).child("securityContext", "windowsOptions", "hostProcess")
                said = "true" if of_pod else "false"
                errors.invalid(where, own, f"pod hostProcess value must be identical if both are specified, was {said}")
            count += 1
            those += bool(of_pod if own is None else own)
    if those and those != count:
        detail = "If pod contains any hostProcess containers then all containers must be HostProcess containers"
        errors.invalid(ROOT, "", detail)
    if those and not spec.hostNetwork:
        detail = "hostNetwork must be true if pod contains any hostProcess containers"
        errors.invalid(ROOT.child("hostNetwork"), False, detail)


def _host_process(context: PodSecurityContext | SecurityContext | None) -> bool | None:
    options = context.windowsOptions if context is not None else None
    return options.hostProcess if options is not None else None
