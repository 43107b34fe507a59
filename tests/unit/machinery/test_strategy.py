"""The default strategy keeps each door to its own part of an object."""

from proa.machinery.fields import ErrorList
from proa.machinery.strategy import DEFAULT


def test_a_client_does_not_say_the_status_of_a_new_object() -> None:
    document = {"spec": 1, "status": 2}
    DEFAULT.prepare_for_create(document)
    assert document == {"spec": 1}


def test_an_update_keeps_the_status() -> None:
    document = {"spec": 1, "status": 2}
    DEFAULT.prepare_for_update(document, {"spec": 0, "status": 3})
    assert document == {"spec": 1, "status": 3}
    DEFAULT.prepare_for_update(document, {"spec": 0})
    assert document == {"spec": 1}


def test_a_status_update_keeps_the_spec() -> None:
    document = {"spec": 1, "status": 2}
    DEFAULT.prepare_for_status_update(document, {"spec": 0, "status": 3})
    assert document == {"spec": 0, "status": 2}


def test_it_finds_nothing_wrong() -> None:
    errors = ErrorList()
    DEFAULT.validate(object(), errors)
    DEFAULT.validate_update(object(), object(), errors)
    assert not errors
