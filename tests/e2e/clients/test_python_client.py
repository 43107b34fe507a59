"""The official Python client, unmodified, against a cluster: typed API, dynamic client, watch, exec, logs, apply."""

from __future__ import annotations

import pytest
from kubernetes import client, config, dynamic, watch
from kubernetes.stream import stream
from tests.e2e.kubectl import Kubectl

LABELS = {"app": "web"}


@pytest.fixture
def api(kubectl: Kubectl) -> client.ApiClient:
    return config.new_client_from_config(str(kubectl.kubeconfig))


def deployment(replicas: int = 2) -> client.V1Deployment:
    container = client.V1Container(
        name="main",
        image="bb:1",
        command=["sh", "-c", "echo hello from $HOSTNAME; exec sleep 1000000"],
        resources=client.V1ResourceRequirements(requests={"cpu": "10m", "memory": "8Mi"}),
    )
    return client.V1Deployment(
        metadata=client.V1ObjectMeta(name="web"),
        spec=client.V1DeploymentSpec(
            replicas=replicas,
            selector=client.V1LabelSelector(match_labels=LABELS),
            template=client.V1PodTemplateSpec(
                metadata=client.V1ObjectMeta(labels=LABELS),
                spec=client.V1PodSpec(containers=[container], termination_grace_period_seconds=0),
            ),
        ),
    )


def wait_for_ready(api: client.ApiClient, namespace: str, replicas: int) -> None:
    apps, events = client.AppsV1Api(api), watch.Watch()
    for event in events.stream(apps.list_namespaced_deployment, namespace, timeout_seconds=30):
        if (event["object"].status.ready_replicas or 0) == replicas:
            events.stop()
            return
    raise AssertionError("the watch ended before the Deployment was ready")


def test_a_deployment_is_created_watched_scaled_and_deleted(api: client.ApiClient, kubectl: Kubectl) -> None:
    apps, core = client.AppsV1Api(api), client.CoreV1Api(api)
    created = apps.create_namespaced_deployment(kubectl.namespace, deployment())
    assert created.metadata.creation_timestamp.tzinfo is not None
    assert created.spec.strategy.type == "RollingUpdate"
    wait_for_ready(api, kubectl.namespace, 2)
    pods = core.list_namespaced_pod(kubectl.namespace, label_selector="app=web", field_selector="status.phase=Running")
    assert len(pods.items) == 2
    apps.patch_namespaced_deployment_scale("web", kubectl.namespace, {"spec": {"replicas": 1}})
    wait_for_ready(api, kubectl.namespace, 1)
    apps.delete_namespaced_deployment("web", kubectl.namespace, propagation_policy="Foreground")
    events = watch.Watch()
    for event in events.stream(apps.list_namespaced_deployment, kubectl.namespace, timeout_seconds=30):
        if event["type"] == "DELETED":
            events.stop()
    assert core.list_namespaced_pod(kubectl.namespace, label_selector="app=web").items == []


def test_logs_are_read_and_commands_run_in_a_pod(api: client.ApiClient, kubectl: Kubectl) -> None:
    core = client.CoreV1Api(api)
    client.AppsV1Api(api).create_namespaced_deployment(kubectl.namespace, deployment(1))
    wait_for_ready(api, kubectl.namespace, 1)
    name = core.list_namespaced_pod(kubectl.namespace).items[0].metadata.name
    assert core.read_namespaced_pod_log(name, kubectl.namespace) == f"hello from {name}\n"
    command = ["sh", "-c", "echo out; echo err >&2; cat; exit 3"]
    session = stream(
        core.connect_get_namespaced_pod_exec,
        name,
        kubectl.namespace,
        command=command,
        stdin=True,
        stdout=True,
        stderr=True,
        tty=False,
        _preload_content=False,
    )
    session.write_stdin("in\n")
    out = ""
    while "in" not in out:
        out += session.readline_stdout(timeout=10) or ""
    assert session.read_stderr(timeout=5) == "err\n"
    session.close()
    done = stream(
        core.connect_get_namespaced_pod_exec,
        name,
        kubectl.namespace,
        command=["echo", "once"],
        stdout=True,
        stderr=True,
    )
    assert done == "once\n"


def test_the_dynamic_client_applies_with_field_ownership_and_sees_conflicts(
    api: client.ApiClient, kubectl: Kubectl
) -> None:
    maps = dynamic.DynamicClient(api).resources.get(api_version="v1", kind="ConfigMap")
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shared"}, "data": {"one": "1"}}
    first = maps.server_side_apply(document, namespace=kubectl.namespace, field_manager="first")
    assert first.metadata.managedFields[0].manager == "first"
    changed = {**document, "data": {"one": "2"}}
    with pytest.raises(dynamic.exceptions.ConflictError, match="conflict with"):
        maps.server_side_apply(changed, namespace=kubectl.namespace, field_manager="second")
    taken = maps.server_side_apply(changed, namespace=kubectl.namespace, field_manager="second", force_conflicts=True)
    assert taken.data.one == "2"


def test_errors_arrive_as_the_client_expects_them(api: client.ApiClient, kubectl: Kubectl) -> None:
    core = client.CoreV1Api(api)
    with pytest.raises(client.ApiException) as missing:
        core.read_namespaced_config_map("absent", kubectl.namespace)
    assert (missing.value.status, missing.value.reason) == (404, "Not Found")
    with pytest.raises(client.ApiException) as invalid:
        core.create_namespaced_config_map(kubectl.namespace, {"metadata": {"name": "Not_A_Name"}})
    assert invalid.value.status == 422


def test_a_service_account_token_is_requested_reviewed_and_used(api: client.ApiClient, kubectl: Kubectl) -> None:
    core = client.CoreV1Api(api)
    core.create_namespaced_service_account(kubectl.namespace, {"metadata": {"name": "robot"}})
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}]
    roles = client.RbacAuthorizationV1Api(api)
    roles.create_namespaced_role(kubectl.namespace, {"metadata": {"name": "reader"}, "rules": rules})
    subject = {"kind": "ServiceAccount", "name": "robot", "namespace": kubectl.namespace}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}
    binding = {"metadata": {"name": "reader"}, "subjects": [subject], "roleRef": reference}
    roles.create_namespaced_role_binding(kubectl.namespace, binding)
    request = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[], expiration_seconds=600))
    token = core.create_namespaced_service_account_token("robot", kubectl.namespace, request).status.token
    review = client.AuthenticationV1Api(api).create_token_review({"spec": {"token": token}})
    assert review.status.user.username == f"system:serviceaccount:{kubectl.namespace}:robot"
    settings = config.new_client_from_config(str(kubectl.kubeconfig)).configuration
    robot = client.Configuration()
    robot.host, robot.ssl_ca_cert = settings.host, settings.ssl_ca_cert
    robot.api_key["authorization"] = f"Bearer {token}"
    limited = client.CoreV1Api(client.ApiClient(robot))
    assert limited.list_namespaced_config_map(kubectl.namespace).items
    with pytest.raises(client.ApiException) as denied:
        limited.list_namespaced_secret(kubectl.namespace)
    assert denied.value.status == 403
