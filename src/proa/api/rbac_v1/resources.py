"""The resources of rbac.authorization.k8s.io/v1."""

from typing import Any

from proa.api.rbac_v1 import (
    ClusterRole,
    ClusterRoleBinding,
    ClusterRoleBindingList,
    ClusterRoleList,
    Role,
    RoleBinding,
    RoleBindingList,
    RoleList,
    columns,
)
from proa.api.rbac_v1.strategies import BindingStrategy, RoleStrategy
from proa.machinery.resource import Resource

CLUSTER_ROLE_BINDINGS = Resource(
    group="rbac.authorization.k8s.io",
    version="v1",
    plural="clusterrolebindings",
    type=ClusterRoleBinding,
    list_type=ClusterRoleBindingList,
    singular="clusterrolebinding",
    namespaced=False,
    name_rule="path",
    columns=columns.BINDINGS,
    strategy=BindingStrategy(role_kinds=("ClusterRole",)),
)

CLUSTER_ROLES = Resource(
    group="rbac.authorization.k8s.io",
    version="v1",
    plural="clusterroles",
    type=ClusterRole,
    list_type=ClusterRoleList,
    singular="clusterrole",
    namespaced=False,
    name_rule="path",
    columns=columns.ROLES,
    strategy=RoleStrategy(namespaced=False),
)

ROLE_BINDINGS = Resource(
    group="rbac.authorization.k8s.io",
    version="v1",
    plural="rolebindings",
    type=RoleBinding,
    list_type=RoleBindingList,
    singular="rolebinding",
    name_rule="path",
    columns=columns.BINDINGS,
    strategy=BindingStrategy(role_kinds=("Role", "ClusterRole")),
)

ROLES = Resource(
    group="rbac.authorization.k8s.io",
    version="v1",
    plural="roles",
    type=Role,
    list_type=RoleList,
    singular="role",
    name_rule="path",
    columns=columns.ROLES,
    strategy=RoleStrategy(namespaced=True),
)

RESOURCES: tuple[Resource[Any], ...] = (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    ROLE_BINDINGS,
    ROLES,
)
