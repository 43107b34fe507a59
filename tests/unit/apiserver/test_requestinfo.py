from __future__ import annotations

import pytest

from proa.apiserver.requestinfo import RequestInfo, parse


def read(method: str, url: str) -> tuple[str, ...]:
    path, _, query = url.partition("?")
    info = parse(method, path, query)
    return info.verb, info.group, info.version, info.resource, info.subresource, info.namespace, info.name


@pytest.mark.parametrize(
    ("method", "url", "expected"),
    [
        ("GET", "/api/v1/pods", ("list", "", "v1", "pods", "", "", "")),
        ("GET", "/api/v1/namespaces/n/pods", ("list", "", "v1", "pods", "", "n", "")),
        ("GET", "/api/v1/namespaces/n/pods?watch=true", ("watch", "", "v1", "pods", "", "n", "")),
        ("GET", "/api/v1/namespaces/n/pods?watch=false", ("list", "", "v1", "pods", "", "n", "")),
        ("GET", "/api/v1/namespaces/n/pods?allowWatchBookmarks=true", ("list", "", "v1", "pods", "", "n", "")),
        ("GET", "/api/v1/watch/namespaces/n/pods", ("watch", "", "v1", "pods", "", "n", "")),
        ("GET", "/api/v1/namespaces/n/pods/p", ("get", "", "v1", "pods", "", "n", "p")),
        ("HEAD", "/api/v1/namespaces/n/pods/p", ("get", "", "v1", "pods", "", "n", "p")),
        ("POST", "/api/v1/namespaces/n/pods/p/binding", ("create", "", "v1", "pods", "binding", "n", "p")),
        ("PUT", "/api/v1/namespaces/n/pods/p/status", ("update", "", "v1", "pods", "status", "n", "p")),
        ("DELETE", "/api/v1/namespaces/n/pods", ("deletecollection", "", "v1", "pods", "", "n", "")),
        ("GET", "/api/v1/namespaces/n", ("get", "", "v1", "namespaces", "", "n", "n")),
        ("PUT", "/api/v1/namespaces/n/finalize", ("update", "", "v1", "namespaces", "finalize", "n", "n")),
        ("GET", "/apis/apps/v1/deployments", ("list", "apps", "v1", "deployments", "", "", "")),
        ("PATCH", "/apis/apps/v1/namespaces/n/deployments/d/scale",
         ("patch", "apps", "v1", "deployments", "scale", "n", "d")),
        ("GET", "/api/v1/nodes?fieldSelector=metadata.name%3Dn1&watch=1", ("watch", "", "v1", "nodes", "", "", "n1")),
        ("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode",
         ("get", "rbac.authorization.k8s.io", "v1", "clusterroles", "", "", "system:node")),
    ],
)  # fmt: skip
def test_a_url_reads_as_upstream_reads_it(method: str, url: str, expected: tuple[str, ...]) -> None:
    assert read(method, url) == expected


@pytest.mark.parametrize("path", ["/", "/api", "/api/v1", "/apis", "/apis/apps", "/apis/apps/v1", "/healthz/ping"])
def test_a_path_above_resources_is_no_resource_request(path: str) -> None:
    assert parse("GET", path) == RequestInfo(False, "get", path)


def test_the_path_below_a_proxy_stays_as_it_was_sent() -> None:
    info = parse("GET", "/api/v1/namespaces/n/services/http:s:80/proxy/a%20b/c/")
    assert (info.subresource, info.name, info.rest) == ("proxy", "http:s:80", "/a%20b/c/")
    assert parse("GET", "/api/v1/namespaces/n/pods/p/proxy/").rest == "/"
