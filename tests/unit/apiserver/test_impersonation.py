"""Acting as another user: constrained impersonation first, then plain."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from multidict import CIMultiDict

from proa.apiserver.identity import AUTHENTICATED, MASTERS, UNAUTHENTICATED, AccessAttributes, User
from proa.apiserver.impersonation import Impersonated, forbidden, impersonate, wanted_user
from proa.machinery.status import StatusError

ASKING = User("ann", groups=(AUTHENTICATED,))
DAEMON = User(
    "system:serviceaccount:kube-system:daemon",
    groups=(AUTHENTICATED,),
    extra={"authentication.kubernetes.io/node-name": ("n1",)},
)


async def act(
    wanted: User, *permissions: str, asking: User = ASKING, seen: list[AccessAttributes] | None = None
) -> Impersonated:
    """permissions: `verb resource[/subresource] name`, `*` for any name."""
    granted = {tuple(each.split(" ")) for each in permissions}

    async def check(attributes: AccessAttributes) -> None:
        if seen is not None:
            seen.append(attributes)
        resource = attributes.resource + (f"/{attributes.subresource}" if attributes.subresource else "")
        if {(attributes.verb, resource, attributes.name), (attributes.verb, resource, "*")}.isdisjoint(granted):
            raise forbidden(attributes, "")

    request = AccessAttributes(asking, "list", "", "v1", "pods", namespace="default")
    return await impersonate(wanted, request, check)


def test_headers_name_user_groups_uid_and_extra() -> None:
    headers = CIMultiDict(
        [
            ("Impersonate-User", "bob"),
            ("Impersonate-Group", "a"),
            ("Impersonate-Group", "b"),
            ("Impersonate-Uid", "7"),
            ("Impersonate-Extra-Acme.com%2fScopes", "read"),
            ("Impersonate-Extra-Acme.com%2fScopes", "write"),
        ]
    )
    assert wanted_user(headers) == User("bob", "7", ("a", "b"), {"acme.com/scopes": ("read", "write")})
    assert wanted_user(headers).extra == {"acme.com/scopes": ("read", "write")}  # type: ignore[union-attr]


@pytest.mark.parametrize("header", ["Impersonate-Group", "Impersonate-Uid", "Impersonate-Extra-a"])
def test_groups_uid_or_extra_without_a_user_are_a_bad_request(header: str) -> None:
    with pytest.raises(StatusError, match="without impersonating a user name") as refused:
        wanted_user(CIMultiDict([(header, "x")]))
    assert refused.value.code == 400


async def test_the_plain_verb_is_enough_for_any_request() -> None:
    acting = await act(User("bob", groups=("a",)), "impersonate users bob", "impersonate groups a")
    assert acting == Impersonated(User("bob", groups=("a", AUTHENTICATED)))


async def test_every_part_must_be_permitted() -> None:
    wanted = User("bob", "7", ("a",), {"acme.com/scope": ("read",)})
    permissions = [
        "impersonate users bob",
        "impersonate uids 7",
        "impersonate groups a",
        "impersonate userextras/acme.com/scope read",
    ]
    assert (await act(wanted, *permissions)).user.extra == wanted.extra
    for left_out in permissions:
        with pytest.raises(StatusError, match="cannot impersonate"):
            await act(wanted, *(each for each in permissions if each != left_out))


async def test_constrained_impersonation_says_as_whom_and_for_what() -> None:
    seen: list[AccessAttributes] = []
    acting = await act(
        User("bob"), "impersonate-on:user-info:list pods *", "impersonate:user-info users bob", seen=seen
    )
    assert acting == Impersonated(User("bob", groups=(AUTHENTICATED,)), "impersonate:user-info")
    assert [(each.verb, each.group, each.resource, each.namespace) for each in seen] == [
        ("impersonate-on:user-info:list", "", "pods", "default"),
        ("impersonate:user-info", "authentication.k8s.io", "users", ""),
    ]
    with pytest.raises(StatusError, match="cannot impersonate-on:user-info:list"):
        await act(User("bob"), "impersonate-on:user-info:get pods *", "impersonate:user-info users bob")


async def test_the_masters_group_takes_the_plain_verb() -> None:
    wanted = User("bob", groups=(MASTERS,))
    constrained = ("impersonate-on:user-info:list pods *", "impersonate:user-info users *")
    with pytest.raises(StatusError, match="impersonating the system:masters group is not allowed"):
        await act(wanted, *constrained, "impersonate:user-info groups *")
    acting = await act(wanted, *constrained, "impersonate users bob", "impersonate groups system:masters")
    assert acting.constraint == ""


async def test_a_daemon_may_be_let_act_as_its_own_node_only() -> None:
    permissions = ("impersonate-on:associated-node:list pods *", "impersonate:associated-node nodes *")
    acting = await act(User("system:node:n1"), *permissions, asking=DAEMON)
    assert acting == Impersonated(
        User("system:node:n1", groups=("system:nodes", AUTHENTICATED)), "impersonate:associated-node"
    )
    with pytest.raises(StatusError, match="arbitrary-node"):
        await act(User("system:node:n2"), *permissions, asking=DAEMON)


async def test_a_service_account_gets_its_groups() -> None:
    acting = await act(User("system:serviceaccount:ns:robot"), "impersonate serviceaccounts robot")
    assert acting.user.groups == ("system:serviceaccounts", "system:serviceaccounts:ns", AUTHENTICATED)


@pytest.mark.parametrize(
    ("wanted", "groups"),
    [
        (User("system:anonymous"), (UNAUTHENTICATED,)),
        (User("bob", groups=(UNAUTHENTICATED,)), (UNAUTHENTICATED,)),
        (User("bob", groups=(AUTHENTICATED, "a")), (AUTHENTICATED, "a")),
    ],
)
async def test_the_group_of_all_known_or_unknown_users_is_added_where_it_is_missing(
    wanted: User, groups: tuple[str, ...]
) -> None:
    assert (await act(wanted, "impersonate users *", "impersonate groups *")).user.groups == groups


@pytest.mark.parametrize(
    ("extra", "why"),
    [
        ({"": ("a",)}, "the empty string key"),
        ({"scope": ("a",)}, "an invalid key"),
        ({"acme.com/scope": ("",)}, "the empty string value"),
    ],
)
async def test_constrained_impersonation_refuses_odd_extra_fields(extra: dict[str, tuple[str, ...]], why: str) -> None:
    with pytest.raises(StatusError, match=f"impersonating {why}"):
        await act(User("bob", extra=extra), "impersonate-on:user-info:list pods *", "impersonate:user-info users *")


async def test_many_groups_are_asked_about_together_first() -> None:
    seen: list[AccessAttributes] = []
    permissions = ("impersonate-on:user-info:list pods *", "impersonate:user-info users *")
    wanted = User("bob", groups=tuple("abcd"))
    await act(wanted, *permissions, "impersonate:user-info groups *", seen=seen)
    names: Callable[[AccessAttributes], str] = lambda each: each.name  # noqa: E731
    assert [names(each) for each in seen if each.resource == "groups"] == ["*"]
