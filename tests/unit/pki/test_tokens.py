from datetime import UTC, datetime, timedelta

import pytest

from proa.pki.certificates import new_private_key
from proa.pki.tokens import BoundObject, InvalidTokenError, TokenSigner

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def token(signer: TokenSigner, **changes: object) -> str:
    arguments: dict[str, object] = {
        "namespace": "ns",
        "name": "robot",
        "uid": "u1",
        "audiences": ["api"],
        "lifetime": HOUR,
        "now": NOW,
    }
    return signer.issue(**(arguments | changes)).token  # type: ignore[arg-type]


def test_a_token_says_whom_it_speaks_for_and_what_it_is_bound_to() -> None:
    signer = TokenSigner(new_private_key(), "https://issuer")
    pod, node = BoundObject("Pod", "p", "u2"), BoundObject("Node", "n", "u3")
    claims = signer.verify(token(signer, bound=pod, node=node), ["api", "other"], NOW)
    assert (claims.namespace, claims.name, claims.uid) == ("ns", "robot", "u1")
    assert (claims.bound, claims.node, claims.audiences) == (pod, node, ("api",))


@pytest.mark.parametrize(
    ("audience", "when"), [("elsewhere", NOW), ("api", NOW + HOUR + MINUTE), ("api", NOW - 5 * MINUTE)]
)
def test_a_token_is_refused_for_another_audience_or_another_time(audience: str, when: datetime) -> None:
    signer = TokenSigner(new_private_key(), "https://issuer")
    with pytest.raises(InvalidTokenError):
        signer.verify(token(signer), [audience], when)


def test_a_token_of_another_cluster_is_refused() -> None:
    signer = TokenSigner(new_private_key(), "https://issuer")
    with pytest.raises(InvalidTokenError):
        TokenSigner(new_private_key(), "https://issuer").verify(token(signer), ["api"], NOW)
    with pytest.raises(InvalidTokenError):
        signer.verify("not.a.token", ["api"], NOW)


def test_the_key_set_names_the_key_that_tokens_carry() -> None:
    signer = TokenSigner(new_private_key(), "https://issuer")
    (key,) = signer.key_set()["keys"]
    assert key["kid"] == signer.key_id
    assert key["alg"] == "ES256"
    assert "d" not in key


def test_clocks_may_differ_by_a_minute() -> None:
    signer = TokenSigner(new_private_key(), "https://issuer")
    for when in (NOW - MINUTE, NOW + HOUR + MINUTE / 2):
        assert signer.verify(token(signer), ["api"], when).name == "robot"


def test_a_token_of_an_earlier_issuer_is_still_good_and_one_of_a_stranger_is_not_ours() -> None:
    key = new_private_key()
    before, now, other = TokenSigner(key, "https://old"), TokenSigner(key, "https://new", "https://old"), "https://x"
    assert now.verify(token(before), ["api"], NOW).name == "robot"
    foreign = token(TokenSigner(key, other))
    assert not now.may_have_issued(foreign)
    assert now.may_have_issued(token(before))
    assert not now.may_have_issued("not.a.token")
    with pytest.raises(InvalidTokenError, match="Invalid issuer"):
        now.verify(foreign, ["api"], NOW)


def test_another_audience_is_named_in_the_refusal() -> None:
    signer = TokenSigner(new_private_key(), "https://issuer")
    with pytest.raises(InvalidTokenError, match=r'audiences \["api"\] is invalid for the target audiences \["x" "y"\]'):
        signer.verify(token(signer), ["x", "y"], NOW)


def test_a_token_that_lives_in_a_secret_never_expires_and_is_for_the_servers_audiences() -> None:
    signer = TokenSigner(new_private_key(), "https://issuer", audiences=("api",))
    text = signer.issue_for_secret(namespace="ns", name="robot", uid="u1", secret="s")
    claims = signer.verify(text, ["other", "api"], NOW + 100_000 * HOUR)
    assert (claims.name, claims.uid, claims.audiences, claims.in_secret) == ("robot", "u1", ("api",), True)
    assert claims.bound == BoundObject("Secret", "s", "")
    assert not signer.verify(token(signer), ["api"], NOW).in_secret


def test_a_token_says_from_when_on_a_newer_one_should_be_used() -> None:
    signer = TokenSigner(new_private_key(), "https://issuer")
    assert signer.verify(token(signer, warn_after=MINUTE), ["api"], NOW).warn_after == NOW + MINUTE
