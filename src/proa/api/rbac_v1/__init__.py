"""rbac.authorization.k8s.io/v1: roles and their bindings."""

from proa.api.rbac_v1.types import (
    AggregationRule,
    ClusterRole,
    ClusterRoleBinding,
    ClusterRoleBindingList,
    ClusterRoleList,
    PolicyRule,
    Role,
    RoleBinding,
    RoleBindingList,
    RoleList,
    RoleRef,
    Subject,
)

__all__ = [
    "AggregationRule",
    "ClusterRole",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "ClusterRoleList",
    "PolicyRule",
    "Role",
    "RoleBinding",
    "RoleBindingList",
    "RoleList",
    "RoleRef",
    "Subject",
]
