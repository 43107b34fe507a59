"""The cluster roles every Kubernetes cluster starts with, and their bindings: data only.

What each may do is upstream's default policy, because charts and operators bind to these names. `authz.bootstrap`
writes them.
"""

from proa.apiserver.authz.roles import DefaultBinding, DefaultRole, account, group, rule, urls, user

CLUSTER_ROLES: tuple[DefaultRole, ...] = (
    DefaultRole(
        "admin",
        aggregates="admin",
    ),
    DefaultRole(
        "cluster-admin",
        rules=(
            rule("*", "*", "*"),
            urls("*", "*"),
        ),
    ),
    DefaultRole(
        "edit",
        aggregate_to="admin",
        aggregates="edit",
    ),
    DefaultRole(
        "system:aggregate-to-admin",
        aggregate_to="admin",
        rules=(
            rule("create", "authorization.k8s.io", "localsubjectaccessreviews"),
            rule(
                "create delete deletecollection get list patch update watch",
                "rbac.authorization.k8s.io",
                "rolebindings roles",
            ),
        ),
    ),
    DefaultRole(
        "system:aggregate-to-edit",
        aggregate_to="edit",
        rules=(
            rule("get list watch", "core", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy"),
            rule("impersonate", "core", "serviceaccounts"),
            rule(
                "create delete deletecollection patch update",
                "core",
                "pods pods/attach pods/exec pods/portforward pods/proxy",
            ),
            rule("create", "core", "pods/eviction"),
            rule(
                "create delete deletecollection patch update",
                "core",
                "configmaps persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services services/proxy",
            ),
            rule("create", "core", "serviceaccounts/token"),
            rule("create delete deletecollection patch update", "core events.k8s.io", "events"),
            rule(
                "create delete deletecollection patch update",
                "apps",
                "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale",
            ),
            rule("create delete deletecollection patch update", "autoscaling", "horizontalpodautoscalers"),
            rule("create delete deletecollection patch update", "batch", "cronjobs jobs"),
            rule(
                "create delete deletecollection patch update",
                "extensions",
                "daemonsets deployments deployments/rollback deployments/scale ingresses networkpolicies replicasets replicasets/scale replicationcontrollers/scale",
            ),
            rule("create delete deletecollection patch update", "policy", "poddisruptionbudgets"),
            rule("create delete deletecollection patch update", "networking.k8s.io", "ingresses networkpolicies"),
            rule("create delete deletecollection get list patch update watch", "coordination.k8s.io", "leases"),
            rule(
                "create delete deletecollection patch update",
                "resource.k8s.io",
                "resourceclaims resourceclaimtemplates",
            ),
        ),
    ),
    DefaultRole(
        "system:aggregate-to-view",
        aggregate_to="view",
        rules=(
            rule(
                "get list watch",
                "core",
                "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status",
            ),
            rule(
                "get list watch",
                "core",
                "bindings limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas resourcequotas/status",
            ),
            rule("get list watch", "core", "namespaces"),
            rule("get list watch", "core events.k8s.io", "events"),
            rule("get list watch", "discovery.k8s.io", "endpointslices"),
            rule(
                "get list watch",
                "apps",
                "controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status",
            ),
            rule("get list watch", "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
            rule("get list watch", "batch", "cronjobs cronjobs/status jobs jobs/status"),
            rule(
                "get list watch",
                "extensions",
                "daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses ingresses/status networkpolicies replicasets replicasets/scale replicasets/status replicationcontrollers/scale",
            ),
            rule("get list watch", "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
            rule("get list watch", "networking.k8s.io", "ingresses ingresses/status networkpolicies"),
            rule("get list watch", "resource.k8s.io", "resourceclaims resourceclaims/status resourceclaimtemplates"),
        ),
    ),
    DefaultRole(
        "system:auth-delegator",
        rules=(
            rule("create", "authentication.k8s.io", "tokenreviews"),
            rule("create", "authorization.k8s.io", "subjectaccessreviews"),
        ),
    ),
    DefaultRole(
        "system:basic-user",
        rules=(
            rule("create", "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews"),
            rule("create", "authentication.k8s.io", "selfsubjectreviews"),
        ),
    ),
    DefaultRole(
        "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
        rules=(rule("create", "certificates.k8s.io", "certificatesigningrequests/nodeclient"),),
    ),
    DefaultRole(
        "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
        rules=(rule("create", "certificates.k8s.io", "certificatesigningrequests/selfnodeclient"),),
    ),
    DefaultRole(
        "system:certificates.k8s.io:kube-apiserver-client-approver",
        rules=(rule("approve", "certificates.k8s.io", "signers", names="kubernetes.io/kube-apiserver-client"),),
    ),
    DefaultRole(
        "system:certificates.k8s.io:kube-apiserver-client-kubelet-approver",
        rules=(rule("approve", "certificates.k8s.io", "signers", names="kubernetes.io/kube-apiserver-client-kubelet"),),
    ),
    DefaultRole(
        "system:certificates.k8s.io:kubelet-serving-approver",
        rules=(rule("approve", "certificates.k8s.io", "signers", names="kubernetes.io/kubelet-serving"),),
    ),
    DefaultRole(
        "system:certificates.k8s.io:legacy-unknown-approver",
        rules=(rule("approve", "certificates.k8s.io", "signers", names="kubernetes.io/legacy-unknown"),),
    ),
    DefaultRole(
        "system:discovery",
        rules=(
            urls("get", "/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/"),
        ),
    ),
    DefaultRole(
        "system:heapster",
        rules=(
            rule("get list watch", "core", "events namespaces nodes pods"),
            rule("get list watch", "extensions", "deployments"),
        ),
    ),
    DefaultRole(
        "system:kube-aggregator",
        rules=(rule("get list watch", "core", "endpoints services"),),
    ),
    DefaultRole(
        "system:kube-controller-manager",
        rules=(
            rule("create patch update", "core events.k8s.io", "events"),
            rule("create", "coordination.k8s.io", "leases"),
            rule("get update", "coordination.k8s.io", "leases", names="kube-controller-manager"),
            rule("create", "core", "secrets serviceaccounts"),
            rule("delete", "core", "secrets"),
            rule("get", "core", "configmaps namespaces secrets serviceaccounts"),
            rule("update", "core", "secrets serviceaccounts"),
            rule("create", "authentication.k8s.io", "tokenreviews"),
            rule("create", "authorization.k8s.io", "subjectaccessreviews"),
            rule("list watch", "*", "*"),
            rule("create", "core", "serviceaccounts/token"),
        ),
    ),
    DefaultRole(
        "system:kube-dns",
        rules=(rule("list watch", "core", "endpoints services"),),
    ),
    DefaultRole(
        "system:kube-scheduler",
        rules=(
            rule("create patch update", "core events.k8s.io", "events"),
            rule("create", "coordination.k8s.io", "leases"),
            rule("get list update watch", "coordination.k8s.io", "leases", names="kube-scheduler"),
            rule(
                "create delete deletecollection get list patch update watch", "coordination.k8s.io", "leasecandidates"
            ),
            rule("get list watch", "core", "nodes"),
            rule("delete get list watch", "core", "pods"),
            rule("create", "core", "bindings pods/binding"),
            rule("patch update", "core", "pods/status"),
            rule("get list watch", "core", "replicationcontrollers services"),
            rule("get list watch", "apps extensions", "replicasets"),
            rule("get list watch", "apps", "statefulsets"),
            rule("get list watch", "policy", "poddisruptionbudgets"),
            rule("get list watch", "core", "persistentvolumeclaims persistentvolumes"),
            rule("create", "authentication.k8s.io", "tokenreviews"),
            rule("create", "authorization.k8s.io", "subjectaccessreviews"),
            rule("get list watch", "storage.k8s.io", "csinodes"),
            rule("get list watch", "storage.k8s.io", "volumeattachments"),
            rule("get list watch", "core", "namespaces"),
            rule("get list watch", "storage.k8s.io", "csidrivers"),
            rule("get list watch", "storage.k8s.io", "csistoragecapacities"),
            rule("get list watch", "resource.k8s.io", "deviceclasses"),
            rule("get list patch update watch", "resource.k8s.io", "resourceclaims"),
            rule("get list patch update watch", "resource.k8s.io", "resourceclaims/status"),
            rule("update", "core", "pods/finalizers"),
            rule("get list watch", "resource.k8s.io", "resourceslices"),
            rule("create delete", "resource.k8s.io", "resourceclaims"),
            rule("patch update", "resource.k8s.io", "resourceclaims/binding"),
        ),
    ),
    DefaultRole(
        "system:kubelet-api-admin",
        rules=(
            rule("get list watch", "core", "nodes"),
            rule("proxy", "core", "nodes"),
            rule("*", "core", "nodes/log nodes/metrics nodes/proxy nodes/stats"),
            rule("*", "core", "nodes/configz nodes/healthz nodes/pods"),
        ),
    ),
    DefaultRole(
        "system:monitoring",
        rules=(
            urls("get", "/flagz /healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/* /statusz"),
            rule("get", "core", "nodes/metrics"),
        ),
    ),
    DefaultRole(
        "system:node",
        rules=(
            rule("create", "authentication.k8s.io", "tokenreviews"),
            rule("create", "authorization.k8s.io", "localsubjectaccessreviews subjectaccessreviews"),
            rule("get list watch", "core", "services"),
            rule("create get list watch", "core", "nodes"),
            rule("patch update", "core", "nodes/status"),
            rule("patch update", "core", "nodes"),
            rule("create patch update", "core events.k8s.io", "events"),
            rule("get list watch", "core", "pods"),
            rule("create delete", "core", "pods"),
            rule("patch update", "core", "pods/status"),
            rule("create", "core", "pods/eviction"),
            rule("get list watch", "core", "configmaps secrets"),
            rule("get", "core", "persistentvolumeclaims persistentvolumes"),
            rule("get", "core", "endpoints"),
            rule("create get list watch", "certificates.k8s.io", "certificatesigningrequests"),
            rule("create delete get patch update", "coordination.k8s.io", "leases"),
            rule("get", "storage.k8s.io", "volumeattachments"),
            rule("create", "core", "serviceaccounts/token"),
            rule("get patch update", "core", "persistentvolumeclaims/status"),
            rule("get list watch", "storage.k8s.io", "csidrivers"),
            rule("create delete get patch update", "storage.k8s.io", "csinodes"),
            rule("get list watch", "node.k8s.io", "runtimeclasses"),
            rule("get", "resource.k8s.io", "resourceclaims"),
            rule("deletecollection", "resource.k8s.io", "resourceslices"),
            rule("get", "core", "serviceaccounts"),
        ),
    ),
    DefaultRole(
        "system:node-bootstrapper",
        rules=(rule("create get list watch", "certificates.k8s.io", "certificatesigningrequests"),),
    ),
    DefaultRole(
        "system:node-problem-detector",
        rules=(
            rule("get", "core", "nodes"),
            rule("patch", "core", "nodes/status"),
            rule("create patch update", "core events.k8s.io", "events"),
        ),
    ),
    DefaultRole(
        "system:node-proxier",
        rules=(
            rule("list watch", "core", "endpoints services"),
            rule("get list watch", "core", "nodes"),
            rule("create patch update", "core events.k8s.io", "events"),
            rule("list watch", "networking.k8s.io", "servicecidrs"),
            rule("list watch", "discovery.k8s.io", "endpointslices"),
        ),
    ),
    DefaultRole(
        "system:persistent-volume-provisioner",
        rules=(
            rule("create delete get list watch", "core", "persistentvolumes"),
            rule("get list update watch", "core", "persistentvolumeclaims"),
            rule("get list watch", "storage.k8s.io", "storageclasses"),
            rule("watch", "core", "events"),
            rule("create patch update", "core events.k8s.io", "events"),
        ),
    ),
    DefaultRole(
        "system:public-info-viewer",
        rules=(urls("get", "/healthz /livez /readyz /version /version/"),),
    ),
    DefaultRole(
        "system:service-account-issuer-discovery",
        rules=(
            urls(
                "get",
                "/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/",
            ),
        ),
    ),
    DefaultRole(
        "system:volume-scheduler",
        rules=(
            rule("get list patch update watch", "core", "persistentvolumes"),
            rule("get list watch", "storage.k8s.io", "storageclasses"),
            rule("get list patch update watch", "core", "persistentvolumeclaims"),
        ),
    ),
    DefaultRole(
        "view",
        aggregate_to="edit",
        aggregates="view",
    ),
)

BINDINGS: tuple[DefaultBinding, ...] = (
    DefaultBinding("cluster-admin", "cluster-admin", (group("system:masters"),)),
    DefaultBinding("system:basic-user", "system:basic-user", (group("system:authenticated"),)),
    DefaultBinding("system:discovery", "system:discovery", (group("system:authenticated"),)),
    DefaultBinding(
        "system:kube-controller-manager", "system:kube-controller-manager", (user("system:kube-controller-manager"),)
    ),
    DefaultBinding("system:kube-dns", "system:kube-dns", (account("kube-dns", "kube-system"),)),
    DefaultBinding("system:kube-scheduler", "system:kube-scheduler", (user("system:kube-scheduler"),)),
    DefaultBinding("system:monitoring", "system:monitoring", (group("system:monitoring"),)),
    DefaultBinding("system:node-proxier", "system:node-proxier", (user("system:kube-proxy"),)),
    DefaultBinding(
        "system:public-info-viewer",
        "system:public-info-viewer",
        (group("system:authenticated"), group("system:unauthenticated")),
    ),
    DefaultBinding(
        "system:service-account-issuer-discovery",
        "system:service-account-issuer-discovery",
        (group("system:serviceaccounts"),),
    ),
    DefaultBinding("system:volume-scheduler", "system:volume-scheduler", (user("system:kube-scheduler"),)),
    DefaultBinding(
        "system:controller:bootstrap-signer",
        "system:controller:bootstrap-signer",
        (account("bootstrap-signer", "kube-system"),),
        namespace="kube-public",
        role_kind="Role",
    ),
    DefaultBinding(
        "system::extension-apiserver-authentication-reader",
        "extension-apiserver-authentication-reader",
        (user("system:kube-controller-manager"), user("system:kube-scheduler")),
        namespace="kube-system",
        role_kind="Role",
    ),
    DefaultBinding(
        "system::leader-locking-kube-controller-manager",
        "system::leader-locking-kube-controller-manager",
        (
            user("system:kube-controller-manager"),
            account("kube-controller-manager", "kube-system"),
            account("leader-election-controller", "kube-system"),
        ),
        namespace="kube-system",
        role_kind="Role",
    ),
    DefaultBinding(
        "system::leader-locking-kube-scheduler",
        "system::leader-locking-kube-scheduler",
        (user("system:kube-scheduler"), account("kube-scheduler", "kube-system")),
        namespace="kube-system",
        role_kind="Role",
    ),
    DefaultBinding(
        "system:controller:bootstrap-signer",
        "system:controller:bootstrap-signer",
        (account("bootstrap-signer", "kube-system"),),
        namespace="kube-system",
        role_kind="Role",
    ),
    DefaultBinding(
        "system:controller:cloud-provider",
        "system:controller:cloud-provider",
        (account("cloud-provider", "kube-system"),),
        namespace="kube-system",
        role_kind="Role",
    ),
    DefaultBinding(
        "system:controller:token-cleaner",
        "system:controller:token-cleaner",
        (account("token-cleaner", "kube-system"),),
        namespace="kube-system",
        role_kind="Role",
    ),
)
