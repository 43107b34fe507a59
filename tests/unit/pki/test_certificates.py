import ssl
from datetime import UTC, datetime, timedelta

from proa.pki.certificates import Subject, covers, create_authority, expires_at, issue, subject_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_leaf_carries_user_and_groups_as_kubernetes_reads_them() -> None:
    authority = create_authority("proa", NOW)
    leaf = issue(authority, Subject("alice", ("dev", "ops")), NOW, client=True)
    assert subject_of(ssl.PEM_cert_to_DER_cert(leaf.certificate.decode())) == Subject("alice", ("dev", "ops"))


def test_a_leaf_never_outlives_its_authority() -> None:
    authority = create_authority("proa", NOW)
    leaf = issue(authority, Subject("a"), NOW, client=True, lifetime=timedelta(days=36500))
    assert expires_at(leaf.certificate) == expires_at(authority.certificate)


def test_covers_tells_whether_names_and_addresses_are_all_in_the_certificate() -> None:
    authority = create_authority("proa", NOW)
    leaf = issue(authority, Subject("api"), NOW, server=True, names=["kubernetes"], addresses=["10.96.0.1"])
    assert covers(leaf.certificate, ["kubernetes"], ["10.96.0.1"])
    assert not covers(leaf.certificate, ["kubernetes"], ["10.96.0.2"])
    assert not covers(issue(authority, Subject("x"), NOW).certificate, ["kubernetes"], [])
