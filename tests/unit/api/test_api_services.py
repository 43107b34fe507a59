from __future__ import annotations

from typing import Any

import pytest

from proa.api.apiregistration_v1.resources import API_SERVICES
from tests.unit.api.writing import create_errors, created


def api_service(**spec: Any) -> dict[str, Any]:
    body = {"group": "example.com", "version": "v1", "groupPriorityMinimum": 1000, "versionPriority": 10, **spec}
    return {"metadata": {"name": f"{body['version']}.{body['group']}"}, "spec": body}


REMOTE = {"namespace": "d", "name": "s"}


def test_a_local_service_is_available_at_once_and_a_remote_one_is_not_known_to_be() -> None:
    assert created(API_SERVICES, api_service())["status"]["conditions"][0]["reason"] == "Local"
    remote = created(API_SERVICES, {**api_service(service=REMOTE), "status": {"conditions": [{"type": "Available"}]}})
    assert not remote.get("status")
    assert remote["spec"]["service"]["port"] == 443


@pytest.mark.parametrize(
    ("document", "errors"),
    [
        ({**api_service(), "metadata": {"name": "other"}},
         ['metadata.name: Invalid value: "other": must be `spec.version+"."+spec.group`: "v1.example.com"']),
        (api_service(group="", version="v2"),
         ["spec.group: Required value: only v1 may have an empty group and it better be legacy kube"]),
        (api_service(groupPriorityMinimum=0, versionPriority=1001),
         ["spec.groupPriorityMinimum: Invalid value: 0: must be positive and less than 20000",
          "spec.versionPriority: Invalid value: 1001: must be positive and less than 1000"]),
        (api_service(insecureSkipTLSVerify=True),
         ["spec.insecureSkipTLSVerify: Invalid value: true: local APIServices may not have insecureSkipTLSVerify"]),
        (api_service(service=REMOTE, insecureSkipTLSVerify=True, caBundle="YQ=="),
         ["spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present"]),
        (api_service(service={"port": 0}),
         ["spec.service.namespace: Required value", "spec.service.name: Required value",
          "spec.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive"]),
    ],
)  # fmt: skip
def test_an_api_service_is_refused_where_it_is_wrong(document: dict[str, Any], errors: list[str]) -> None:
    assert create_errors(API_SERVICES, document) == errors
