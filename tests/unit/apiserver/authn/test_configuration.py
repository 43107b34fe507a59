"""Authentication configuration files: who their issuers' tokens make users of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from proa.apiserver.access import Anonymous
from proa.apiserver.authn.claims import ClaimError, ClaimMappings
from proa.apiserver.authn.configuration import Configuration, ConfigurationError, load
from proa.apiserver.identity import User

ISSUER = {"url": "https://id.example.com", "audiences": ["proa"]}
BY_SUBJECT = {"username": {"claim": "sub", "prefix": ""}}


def written(folder: Path, *issuers: dict[str, Any], **more: Any) -> Configuration:
    path = folder / "authentication.yaml"
    document = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "jwt": list(issuers),
        **more,
    }
    path.write_text(yaml.safe_dump(document))
    return load(path, ("https://own",))


def mappings(folder: Path, claim_mappings: dict[str, Any], **more: Any) -> ClaimMappings:
    configuration = written(folder, {"issuer": ISSUER, "claimMappings": claim_mappings, **more})
    return configuration.issuers[0][1]


def test_an_issuer_is_as_the_file_says(tmp_path: Path) -> None:
    given = {
        "url": "https://id.example.com",
        "discoveryURL": "https://inside.example.com/discovery",
        "certificateAuthority": "PEM",
        "audiences": ["a", "b"],
        "audienceMatchPolicy": "MatchAny",
    }
    ((issuer, _),) = written(tmp_path, {"issuer": given, "claimMappings": BY_SUBJECT}).issuers
    assert (issuer.url, issuer.audiences, issuer.authorities) == ("https://id.example.com", ("a", "b"), b"PEM")
    assert issuer.discovery_url == "https://inside.example.com/discovery"


def test_claims_are_mapped_by_name(tmp_path: Path) -> None:
    made = mappings(
        tmp_path,
        {
            "username": {"claim": "name", "prefix": "id:"},
            "groups": {"claim": "roles", "prefix": "g:"},
            "uid": {"claim": "sub"},
        },
        claimValidationRules=[{"claim": "tenant", "requiredValue": "acme"}],
    )
    claims = {"name": "ann", "roles": ["a"], "sub": "7", "tenant": "acme", "jti": "x"}
    user = made.user(claims)
    assert user == User("id:ann", "7", ("g:a",), {"authentication.kubernetes.io/credential-id": ("JTI=x",)})
    with pytest.raises(ClaimError, match="value does not match"):
        made.user({**claims, "tenant": "other"})


def test_claims_are_mapped_by_expressions(tmp_path: Path) -> None:
    made = mappings(
        tmp_path,
        {
            "username": {"expression": "claims.sub + '@' + claims.tenant"},
            "groups": {"expression": "claims.roles.map(role, 'id:' + role)"},
            "uid": {"expression": "claims.sub"},
            "extra": [
                {"key": "acme.com/tenant", "valueExpression": "claims.tenant"},
                {"key": "acme.com/nothing", "valueExpression": "''"},
            ],
        },
        claimValidationRules=[{"expression": "claims.level > 2", "message": "too low"}],
        userValidationRules=[
            {"expression": "!user.username.startsWith('system:')", "message": "username cannot use system: prefix"},
            {"expression": "user.groups.all(group, !group.startsWith('system:'))"},
        ],
    )
    claims = {"sub": "ann", "tenant": "acme", "roles": ["a", "b"], "level": 3}
    user = made.user(claims)
    assert user == User("ann@acme", "ann", ("id:a", "id:b"), {"acme.com/tenant": ("acme",)})
    with pytest.raises(ClaimError, match=r"claims.level > 2.* failed: too low"):
        made.user({**claims, "level": 1})
    with pytest.raises(ClaimError, match="username cannot use system: prefix"):
        made.user({**claims, "sub": "system:x"})
    with pytest.raises(ClaimError, match="no such key: tenant"):
        made.user({"sub": "ann", "roles": [], "level": 3})


@pytest.mark.parametrize(("value", "groups"), [("a", ("a",)), (["a", "", "b"], ("a", "b")), ("", ()), ([], ())])
def test_groups_may_be_a_text_or_several(tmp_path: Path, value: Any, groups: tuple[str, ...]) -> None:
    made = mappings(tmp_path, {**BY_SUBJECT, "groups": {"expression": "claims.roles"}})
    assert made.user({"sub": "ann", "roles": value}).groups == groups


def test_a_value_of_another_kind_is_refused(tmp_path: Path) -> None:
    made = mappings(tmp_path, {"username": {"expression": "claims.sub"}, "groups": {"expression": "claims.roles"}})
    with pytest.raises(ClaimError, match="must return a string or a list of strings"):
        made.user({"sub": "ann", "roles": {"a": 1}})
    with pytest.raises(ClaimError, match="username expression must return a string"):
        made.user({"sub": 1, "roles": []})


def test_anonymous_may_be_let_to_some_paths_only(tmp_path: Path) -> None:
    anonymous = {"enabled": True, "conditions": [{"path": "/livez"}, {"path": "/readyz"}]}
    found = written(tmp_path, anonymous=anonymous).anonymous
    assert found == Anonymous(True, ("/livez", "/readyz"))
    assert [found.may(path) for path in ("/livez", "/healthz")] == [True, False]
    assert written(tmp_path).anonymous is None


@pytest.mark.parametrize(
    ("issuer", "why"),
    [
        ({"url": ""}, r"jwt\[0\].issuer.url: Required value"),
        ({"url": "http://id"}, "URL scheme must be https"),
        ({"url": "https://u:p@id"}, "must not contain a username or password"),
        ({"url": "https://id?a=b"}, "must not contain a query"),
        ({"url": "https://id#a"}, "must not contain a fragment"),
        ({"url": "https://own"}, "must not overlap with disallowed issuers"),
        ({"discoveryURL": "https://id.example.com/"}, "discoveryURL must be different from URL"),
        ({"audiences": []}, "audiences: Required value"),
        ({"audiences": ["a", "a"], "audienceMatchPolicy": "MatchAny"}, "Duplicate value"),
        ({"audiences": ["a", "b"]}, "must be MatchAny for multiple audiences"),
        ({"audienceMatchPolicy": "Any"}, "must be empty or MatchAny"),
    ],
)
def test_an_issuer_must_be_sensible(tmp_path: Path, issuer: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        written(tmp_path, {"issuer": {**ISSUER, **issuer}, "claimMappings": BY_SUBJECT})


@pytest.mark.parametrize(
    ("given", "more", "why"),
    [
        ({}, {}, "username: Required value: claim or expression is required"),
        ({"username": {"claim": "sub"}}, {}, "prefix is required when claim is set"),
        ({"username": {"claim": "sub", "prefix": "", "expression": "claims.sub"}}, {}, "can't both be set"),
        ({"username": {"expression": "claims.sub +"}}, {}, "username.expression: Invalid value.*compilation failed"),
        ({"username": {"expression": "1"}}, {}, "must evaluate to"),
        ({"username": {"expression": "claims.email"}}, {}, "claims.email_verified must be used"),
        ({**BY_SUBJECT, "extra": [{"key": "a", "valueExpression": "'x'"}]}, {}, "domain-prefixed path"),
        ({**BY_SUBJECT, "extra": [{"key": "a.k8s.io/b", "valueExpression": "'x'"}]}, {}, "are reserved"),
        ({**BY_SUBJECT, "extra": [{"key": "acme.com/B", "valueExpression": "'x'"}]}, {}, "must be lowercase"),
        (BY_SUBJECT, {"claimValidationRules": [{}]}, "claim or expression is required"),
        (BY_SUBJECT, {"claimValidationRules": [{"expression": "claims.a"}]}, "must evaluate to bool"),
        (BY_SUBJECT, {"userValidationRules": [{"expression": "user.nme == ''"}]}, "undefined field 'nme'"),
        (BY_SUBJECT, {"userValidationRules": [{}]}, "Required value"),
    ],
)
def test_mappings_and_rules_must_be_sensible(
    tmp_path: Path, given: dict[str, Any], more: dict[str, Any], why: str
) -> None:
    with pytest.raises(ConfigurationError, match=why):
        mappings(tmp_path, given, **more)


def test_an_address_may_be_used_by_who_looks_whether_it_is_verified(tmp_path: Path) -> None:
    rules = [{"expression": "claims.?email_verified.orValue(true) == true", "message": "not verified"}]
    made = mappings(tmp_path, {"username": {"expression": "claims.email"}}, claimValidationRules=rules)
    assert made.user({"email": "a@b.c"}).name == "a@b.c"
    with pytest.raises(ClaimError, match="not verified"):
        made.user({"email": "a@b.c", "email_verified": False})


@pytest.mark.parametrize(
    "text", ["", "a: b", "apiVersion: apiserver.config.k8s.io/v1\nkind: Pod\n", "apiVersion: [", "jwt: 1"]
)
def test_another_kind_of_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "authentication.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError):
        load(path)
