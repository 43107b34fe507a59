"""The resources of admissionregistration.k8s.io/v1."""

from typing import Any

from proa.api.admissionregistration_v1 import (
    MutatingAdmissionPolicy,
    MutatingAdmissionPolicyBinding,
    MutatingAdmissionPolicyBindingList,
    MutatingAdmissionPolicyList,
    MutatingWebhookConfiguration,
    MutatingWebhookConfigurationList,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
    ValidatingAdmissionPolicyBindingList,
    ValidatingAdmissionPolicyList,
    ValidatingWebhookConfiguration,
    ValidatingWebhookConfigurationList,
    columns,
)
from proa.api.admissionregistration_v1.policy_strategies import (
    MutatingPolicyStrategy,
    PolicyBindingStrategy,
    ValidatingPolicyStrategy,
)
from proa.api.admissionregistration_v1.webhook_strategies import WebhookConfigurationStrategy
from proa.machinery.resource import STATUS, Resource

_WEBHOOKS = WebhookConfigurationStrategy()

MUTATING_ADMISSION_POLICIES = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    plural="mutatingadmissionpolicies",
    type=MutatingAdmissionPolicy,
    list_type=MutatingAdmissionPolicyList,
    singular="mutatingadmissionpolicy",
    categories=("api-extensions",),
    namespaced=False,
    has_generation=True,
    columns=columns.MUTATING_ADMISSION_POLICIES,
    strategy=MutatingPolicyStrategy(),
)

MUTATING_ADMISSION_POLICY_BINDINGS = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    plural="mutatingadmissionpolicybindings",
    type=MutatingAdmissionPolicyBinding,
    list_type=MutatingAdmissionPolicyBindingList,
    singular="mutatingadmissionpolicybinding",
    categories=("api-extensions",),
    namespaced=False,
    has_generation=True,
    columns=columns.ADMISSION_POLICY_BINDINGS,
    strategy=PolicyBindingStrategy(mutating=True),
)

MUTATING_WEBHOOK_CONFIGURATIONS = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    plural="mutatingwebhookconfigurations",
    type=MutatingWebhookConfiguration,
    list_type=MutatingWebhookConfigurationList,
    singular="mutatingwebhookconfiguration",
    categories=("api-extensions",),
    namespaced=False,
    has_generation=True,
    columns=columns.WEBHOOK_CONFIGURATIONS,
    strategy=_WEBHOOKS,
)

VALIDATING_ADMISSION_POLICIES = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    plural="validatingadmissionpolicies",
    type=ValidatingAdmissionPolicy,
    list_type=ValidatingAdmissionPolicyList,
    singular="validatingadmissionpolicy",
    categories=("api-extensions",),
    namespaced=False,
    subresources=(STATUS,),
    has_generation=True,
    columns=columns.VALIDATING_ADMISSION_POLICIES,
    strategy=ValidatingPolicyStrategy(),
)

VALIDATING_ADMISSION_POLICY_BINDINGS = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    plural="validatingadmissionpolicybindings",
    type=ValidatingAdmissionPolicyBinding,
    list_type=ValidatingAdmissionPolicyBindingList,
    singular="validatingadmissionpolicybinding",
    categories=("api-extensions",),
    namespaced=False,
    has_generation=True,
    columns=columns.ADMISSION_POLICY_BINDINGS,
    strategy=PolicyBindingStrategy(mutating=False),
)

VALIDATING_WEBHOOK_CONFIGURATIONS = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    plural="validatingwebhookconfigurations",
    type=ValidatingWebhookConfiguration,
    list_type=ValidatingWebhookConfigurationList,
    singular="validatingwebhookconfiguration",
    categories=("api-extensions",),
    namespaced=False,
    has_generation=True,
    columns=columns.WEBHOOK_CONFIGURATIONS,
    strategy=_WEBHOOKS,
)

RESOURCES: tuple[Resource[Any], ...] = (
    MUTATING_ADMISSION_POLICIES,
    MUTATING_ADMISSION_POLICY_BINDINGS,
    MUTATING_WEBHOOK_CONFIGURATIONS,
    VALIDATING_ADMISSION_POLICIES,
    VALIDATING_ADMISSION_POLICY_BINDINGS,
    VALIDATING_WEBHOOK_CONFIGURATIONS,
)
