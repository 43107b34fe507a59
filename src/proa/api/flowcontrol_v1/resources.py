"""The resources of flowcontrol.apiserver.k8s.io/v1."""

from typing import Any

from proa.api.flowcontrol_v1 import (
    FlowSchema,
    FlowSchemaList,
    PriorityLevelConfiguration,
    PriorityLevelConfigurationList,
    columns,
)
from proa.api.flowcontrol_v1.strategies import FlowSchemaStrategy, PriorityLevelConfigurationStrategy
from proa.machinery.resource import STATUS, Resource

FLOW_SCHEMAS = Resource(
    group="flowcontrol.apiserver.k8s.io",
    version="v1",
    plural="flowschemas",
    type=FlowSchema,
    list_type=FlowSchemaList,
    singular="flowschema",
    namespaced=False,
    subresources=(STATUS,),
    has_generation=True,
    columns=columns.FLOW_SCHEMAS,
    strategy=FlowSchemaStrategy(),
)

PRIORITY_LEVEL_CONFIGURATIONS = Resource(
    group="flowcontrol.apiserver.k8s.io",
    version="v1",
    plural="prioritylevelconfigurations",
    type=PriorityLevelConfiguration,
    list_type=PriorityLevelConfigurationList,
    singular="prioritylevelconfiguration",
    namespaced=False,
    subresources=(STATUS,),
    has_generation=True,
    columns=columns.PRIORITY_LEVEL_CONFIGURATIONS,
    strategy=PriorityLevelConfigurationStrategy(),
)

RESOURCES: tuple[Resource[Any], ...] = (FLOW_SCHEMAS, PRIORITY_LEVEL_CONFIGURATIONS)
