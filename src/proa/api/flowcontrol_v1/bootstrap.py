"""The flow schemas and priority levels every cluster has: the mandatory ones, and those it is given to begin with.

Values only. Not here: who keeps them (`apiserver.fairness.bootstrap`).
"""

from __future__ import annotations

from collections.abc import Iterable

from proa.api.flowcontrol_v1.flow_schema import (
    FlowDistinguisherMethod,
    FlowSchema,
    FlowSchemaSpec,
    GroupSubject,
    NonResourcePolicyRule,
    PolicyRulesWithSubjects,
    PriorityLevelConfigurationReference,
    ResourcePolicyRule,
    ServiceAccountSubject,
    Subject,
    UserSubject,
)
from proa.api.flowcontrol_v1.priority_level import (
    ExemptPriorityLevelConfiguration,
    LimitedPriorityLevelConfiguration,
    LimitResponse,
    PriorityLevelConfiguration,
    PriorityLevelConfigurationSpec,
    QueuingConfiguration,
)
from proa.machinery.meta import ObjectMeta

AUTO_UPDATE = "apf.kubernetes.io/autoupdate-spec"
"""The annotation that says whether the server may bring an object's spec back to what is written here."""

EXEMPT = "exempt"
CATCH_ALL = "catch-all"

_ALL = ("*",)


def _metadata(name: str) -> ObjectMeta:
    return ObjectMeta(name=name, annotations={AUTO_UPDATE: "true"})


def _queued(name: str, shares: int, lendable: int, queues: int, hand: int) -> PriorityLevelConfiguration:
    queuing = QueuingConfiguration(queues=queues, handSize=hand, queueLengthLimit=50)
    limited = LimitedPriorityLevelConfiguration(
        nominalConcurrencyShares=shares,
        lendablePercent=lendable,
        limitResponse=LimitResponse(type="Queue", queuing=queuing),
    )
    spec = PriorityLevelConfigurationSpec(type="Limited", limited=limited)
    return PriorityLevelConfiguration(metadata=_metadata(name), spec=spec)


def _groups(*names: str) -> tuple[Subject, ...]:
    return tuple(Subject(kind="Group", group=GroupSubject(name=each)) for each in names)


def _users(*names: str) -> tuple[Subject, ...]:
    return tuple(Subject(kind="User", user=UserSubject(name=each)) for each in names)


def _resources(
    verbs: Iterable[str] = _ALL,
    groups: Iterable[str] = _ALL,
    resources: Iterable[str] = _ALL,
    *,
    cluster: bool = True,
) -> ResourcePolicyRule:
    return ResourcePolicyRule(
        verbs=tuple(verbs),
        apiGroups=tuple(groups),
        resources=tuple(resources),
        namespaces=_ALL,
        clusterScope=cluster,
    )


def _everything(subjects: tuple[Subject, ...]) -> PolicyRulesWithSubjects:
    paths = NonResourcePolicyRule(verbs=_ALL, nonResourceURLs=_ALL)
    return PolicyRulesWithSubjects(subjects=subjects, resourceRules=(_resources(),), nonResourceRules=(paths,))


def _schema(name: str, level: str, precedence: int, method: str, rules: PolicyRulesWithSubjects) -> FlowSchema:
    spec = FlowSchemaSpec(
        priorityLevelConfiguration=PriorityLevelConfigurationReference(name=level),
        matchingPrecedence=precedence,
        distinguisherMethod=FlowDistinguisherMethod(type=method) if method else None,
        rules=(rules,),
    )
    return FlowSchema(metadata=_metadata(name), spec=spec)


_EVERYBODY = _groups("system:unauthenticated", "system:authenticated")
_NODES = _groups("system:nodes")
_KUBE_SYSTEM = (
    Subject(kind="ServiceAccount", serviceAccount=ServiceAccountSubject(name="*", namespace="kube-system")),
)
_BY_USER, _BY_NAMESPACE = "ByUser", "ByNamespace"

MANDATORY_LEVELS = (
    PriorityLevelConfiguration(
        metadata=_metadata(EXEMPT),
        spec=PriorityLevelConfigurationSpec(
            type="Exempt", exempt=ExemptPriorityLevelConfiguration(nominalConcurrencyShares=0, lendablePercent=0)
        ),
    ),
    PriorityLevelConfiguration(
        metadata=_metadata(CATCH_ALL),
        spec=PriorityLevelConfigurationSpec(
            type="Limited",
            limited=LimitedPriorityLevelConfiguration(
                nominalConcurrencyShares=5, lendablePercent=0, limitResponse=LimitResponse(type="Reject")
            ),
        ),
    ),
)
MANDATORY_SCHEMAS = (
    _schema("exempt", EXEMPT, 1, "", _everything(_groups("system:masters"))),
    _schema(CATCH_ALL, CATCH_ALL, 10000, _BY_USER, _everything(_EVERYBODY)),
)
SUGGESTED_LEVELS = (
    _queued("system", 30, 33, 64, 6),
    _queued("node-high", 40, 25, 64, 6),
    _queued("leader-election", 10, 0, 16, 4),
    _queued("workload-high", 40, 50, 128, 6),
    _queued("workload-low", 100, 90, 128, 6),
    _queued("global-default", 20, 50, 128, 6),
)
SUGGESTED_SCHEMAS = (
    _schema(
        "probes",
        EXEMPT,
        2,
        "",
        PolicyRulesWithSubjects(
            subjects=_EVERYBODY,
            nonResourceRules=(
                NonResourcePolicyRule(verbs=("get",), nonResourceURLs=("/healthz", "/readyz", "/livez")),
            ),
        ),
    ),
    _schema(
        "system-leader-election",
        "leader-election",
        100,
        _BY_USER,
        PolicyRulesWithSubjects(
            subjects=(*_users("system:kube-controller-manager", "system:kube-scheduler"), *_KUBE_SYSTEM),
            resourceRules=(
                _resources(("get", "create", "update"), ("coordination.k8s.io",), ("leases",), cluster=False),
            ),
        ),
    ),
    _schema(
        "system-node-high",
        "node-high",
        400,
        _BY_USER,
        PolicyRulesWithSubjects(
            subjects=_NODES,
            resourceRules=(
                _resources(groups=("",), resources=("nodes", "nodes/status")),
                _resources(groups=("coordination.k8s.io",), resources=("leases",), cluster=False),
            ),
        ),
    ),
    _schema("system-nodes", "system", 500, _BY_USER, _everything(_NODES)),
    _schema(
        "kube-controller-manager",
        "workload-high",
        800,
        _BY_NAMESPACE,
        _everything(_users("system:kube-controller-manager")),
    ),
    _schema("kube-scheduler", "workload-high", 800, _BY_NAMESPACE, _everything(_users("system:kube-scheduler"))),
    _schema("kube-system-service-accounts", "workload-high", 900, _BY_NAMESPACE, _everything(_KUBE_SYSTEM)),
    _schema("service-accounts", "workload-low", 9000, _BY_USER, _everything(_groups("system:serviceaccounts"))),
    _schema("global-default", "global-default", 9900, _BY_USER, _everything(_EVERYBODY)),
)
