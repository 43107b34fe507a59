"""Discovery documents follow from the resources."""

import json

import msgspec

from proa.api.groups import resources
from proa.machinery import discovery


def test_a_group_version_lists_its_resources_and_subresources() -> None:
    found = {each.name: each for each in discovery.api_resources(resources(), "apps", "v1").resources}
    deployments = found["deployments"]
    assert (deployments.singularName, deployments.namespaced, deployments.kind) == ("deployment", True, "Deployment")
    assert deployments.shortNames == ("deploy",)
    assert deployments.verbs == ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
    scale = found["deployments/scale"]
    assert (scale.group, scale.version, scale.kind, scale.verbs) == (
        "autoscaling",
        "v1",
        "Scale",
        ("get", "patch", "update"),
    )
    status = found["deployments/status"]
    assert (status.group, status.kind, status.singularName) == ("", "Deployment", "")
    assert list(found) == sorted(found)


def test_a_storage_version_hash_is_upstream_s() -> None:
    found = {each.name: each for each in discovery.api_resources(resources(), "", "v1").resources}
    assert found["pods"].storageVersionHash == "xPOwRZ+Yhw8="
    assert found["bindings"].storageVersionHash == ""


def test_groups_have_a_preferred_version() -> None:
    groups = {each.name: each for each in discovery.api_groups(resources()).groups}
    assert "" not in groups
    assert groups["apps"].preferredVersion.groupVersion == "apps/v1"
    assert groups["apps"] == discovery.api_group(resources(), "apps")


def test_the_legacy_group_has_its_own_list() -> None:
    document = json.loads(msgspec.json.encode(discovery.api_versions("10.0.0.1:6443")))
    assert document["versions"] == ["v1"]
    assert document["serverAddressByClientCIDRs"] == [{"clientCIDR": "0.0.0.0/0", "serverAddress": "10.0.0.1:6443"}]


def test_aggregated_discovery_says_the_same_as_the_plain_lists() -> None:
    for legacy in (True, False):
        for group in discovery.aggregated(resources(), legacy=legacy)["items"]:
            name = group["metadata"].get("name", "")
            assert bool(name) is not legacy
            for version in group["versions"]:
                plain = {
                    each.name: each for each in discovery.api_resources(resources(), name, version["version"]).resources
                }
                for each in version["resources"]:
                    one = plain.pop(each["resource"])
                    assert list(one.verbs) == each["verbs"]
                    assert one.namespaced is (each["scope"] == "Namespaced")
                    assert one.kind == each["responseKind"]["kind"]
                    for sub in each.get("subresources", ()):
                        below = plain.pop(f"{each['resource']}/{sub['subresource']}")
                        assert list(below.verbs) == sub["verbs"]
                        assert below.kind == sub["responseKind"]["kind"]
                assert plain == {}


def test_an_etag_is_quoted_and_follows_the_content() -> None:
    assert discovery.etag(b"a") == discovery.etag(b"a") != discovery.etag(b"b")
    assert discovery.etag(b"a")[0] == discovery.etag(b"a")[-1] == '"'
