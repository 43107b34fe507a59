from datetime import UTC, datetime, timedelta

import pytest

from proa.pki.certificates import new_private_key
from proa.pki.tokens import BoundObject, InvalidTokenError, TokenSigner

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def token(signer: TokenSigner, **changes: object) -> str:
    arguments: dict[str, object] = {
        "namespace": "ns",
        "name": "robot",
        "uid": "u1",
        "audiences": ["api"],
        "lifetime": HOUR,
        "now": NOW,
    }
    return signer.issue(**(arguments | changes))  # type: ignore[arg-type]


def test_a_token_says_whom_it_speaks_for_and_what_it_is_bound_to() -> None:
    signer = TokenSigner(new_private_key(), "https://issuer")
    pod, node = BoundObject("Pod", "p", "u2"), BoundObject("Node", "n", "u3")
    claims = signer.verify(token(signer, bound=pod, node=node), ["api", "other"], NOW)
    assert (claims.namespace, claims.name, claims.uid) == ("ns", "robot", "u1")
    assert (claims.bound, claims.node, claims.audiences) == (pod, node, ("api",))


@pytest.mark.parametrize(
    ("audience", "when"), [("elsewhere", NOW), ("api", NOW + HOUR), ("api", NOW - timedelta(minutes=5))]
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
