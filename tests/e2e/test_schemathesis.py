"""Whatever our own OpenAPI documents allow to be sent, no request makes the server fail: it is answered, or refused.

Schemathesis makes the requests. Half are left as they come, mostly refused for their shape; the others are given a
namespace and a name that exist, and a body that says what it is, so that they reach defaults, admission, validation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from tests.e2e.conftest import Cluster, running

SECONDS = 15
_FEW = settings(
    max_examples=4,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)
# Sessions and proxies lead away from the API server; a watch has no end.
_ELSEWHERE = ("/proxy", "/proxy/{path}", "/exec", "/attach", "/portforward", "/log")
_NAME = "robust"


@pytest.fixture(scope="module")
def nodeless() -> Iterator[Cluster]:
    with running("robust", "--nodes=0") as started:
        yield started


@pytest.fixture
def session(nodeless: Cluster) -> Iterator[requests.Session]:
    """A client with the administrator's certificate; `url` is where the server is."""
    directory = nodeless.paths.pki
    with requests.Session() as found:
        found.trust_env = False
        found.verify = str(directory / "ca.crt")
        found.cert = (str(directory / "client-admin.crt"), str(directory / "client-admin.key"))
        yield found


def address(cluster: Cluster) -> str:
    return str(yaml.safe_load(cluster.kubeconfig.read_text())["clusters"][0]["cluster"]["server"])


def made_plausible(case: Any, about: dict[str, Any]) -> None:
    """Give a request what it needs to be more than a wrong shape."""
    for name in case.path_parameters or ():
        case.path_parameters[name] = "default" if name == "namespace" else _NAME
    described = about.get("x-kubernetes-group-version-kind")
    if isinstance(case.body, dict) and described and case.method in ("POST", "PUT"):
        group, version = described["group"], described["version"]
        case.body["apiVersion"] = f"{group}/{version}" if group else version
        case.body["kind"] = described["kind"]
        metadata = case.body.get("metadata")
        case.body["metadata"] = {**(metadata if isinstance(metadata, dict) else {}), "name": _NAME}
        case.body["metadata"].pop("namespace", None)


class Asker:
    """Sends the requests of documents; what came back, by code, and those that made the server fail."""

    def __init__(self, url: str, session: requests.Session) -> None:
        self._url = url
        self._session = session
        self.answered: Counter[int] = Counter()
        self.failed: list[str] = []

    def ask_all(self, document: dict[str, Any]) -> None:
        for result in schemathesis.openapi.from_dict(document).get_all_operations():
            operation = result.ok()
            if "/watch/" not in operation.path and not operation.path.endswith(_ELSEWHERE):
                self._ask_about(operation)

    def _ask_about(self, operation: Any) -> None:
        @seed(7)
        @_FEW
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            self._ask(case, operation.definition.raw)

        ask()

    def _ask(self, case: Any, about: dict[str, Any]) -> None:
        case.query = {name: each for name, each in (case.query or {}).items() if name != "watch"}
        if self.answered.total() % 2:
            made_plausible(case, about)
        session = self._session
        response = case.call(
            base_url=self._url, session=session, timeout=SECONDS, verify=session.verify, cert=session.cert
        )
        self.answered[response.status_code] += 1
        if response.status_code >= 500 and response.status_code != 501:
            self.failed.append(f"{case.method} {case.path}: {response.status_code} {response.text[:300]}")


@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore")
def test_no_request_that_the_documents_allow_makes_the_server_fail(
    nodeless: Cluster, session: requests.Session
) -> None:
    url = address(nodeless)
    asker = Asker(url, session)
    for about in session.get(f"{url}/openapi/v3", timeout=SECONDS).json()["paths"].values():
        asker.ask_all(session.get(url + about["serverRelativeURL"], timeout=SECONDS).json())
    assert asker.failed == []
    answered = asker.answered
    assert answered.total() > 2000, answered
    assert answered[201] > 10, f"some were accepted: {answered}"
    assert answered[422] > 50, f"some reached validation: {answered}"
    assert session.get(f"{url}/readyz", timeout=SECONDS).text == "ok"
