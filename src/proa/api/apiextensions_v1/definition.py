"""apiextensions/v1 declarations: custom resource definitions."""

from typing import Annotated

from proa.api.apiextensions_v1.conversion import CustomResourceConversion
from proa.api.apiextensions_v1.json_schema import JSONSchemaProps
from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta
from proa.machinery.scalars import Int32, Int64, Time


class CustomResourceColumnDefinition(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    type: Annotated[str, Field(2, required=True)] = always(str)
    format: Annotated[str, Field(3)] = ""
    description: Annotated[str, Field(4)] = ""
    priority: Annotated[Int32, Field(5)] = 0
    jsonPath: Annotated[str, Field(6, required=True)] = always(str)


class CustomResourceDefinitionNames(Object):
    plural: Annotated[str, Field(1, required=True)] = always(str)
    singular: Annotated[str, Field(2)] = ""
    shortNames: Annotated[tuple[str, ...], Field(3, list="atomic")] = ()
    kind: Annotated[str, Field(4, required=True)] = always(str)
    listKind: Annotated[str, Field(5)] = ""
    categories: Annotated[tuple[str, ...], Field(6, list="atomic")] = ()


class CustomResourceSubresourceScale(Object):
    specReplicasPath: Annotated[str, Field(1, required=True)] = always(str)
    statusReplicasPath: Annotated[str, Field(2, required=True)] = always(str)
    labelSelectorPath: Annotated[str | None, Field(3)] = None


class CustomResourceSubresourceStatus(Object):
    pass


class CustomResourceSubresources(Object):
    status: Annotated[CustomResourceSubresourceStatus | None, Field(1)] = None
    scale: Annotated[CustomResourceSubresourceScale | None, Field(2)] = None


class CustomResourceValidation(Object):
    openAPIV3Schema: Annotated[JSONSchemaProps | None, Field(1)] = None


class SelectableField(Object):
    jsonPath: Annotated[str, Field(1, required=True)] = always(str)


class CustomResourceDefinitionVersion(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    served: Annotated[bool, Field(2, required=True)] = always(bool)
    storage: Annotated[bool, Field(3, required=True)] = always(bool)
    deprecated: Annotated[bool, Field(7)] = False
    deprecationWarning: Annotated[str | None, Field(8)] = None
    schema: Annotated[CustomResourceValidation | None, Field(4)] = None
    subresources: Annotated[CustomResourceSubresources | None, Field(5)] = None
    additionalPrinterColumns: Annotated[tuple[CustomResourceColumnDefinition, ...], Field(6, list="atomic")] = ()
    selectableFields: Annotated[tuple[SelectableField, ...], Field(9, list="atomic")] = ()


class CustomResourceDefinitionSpec(Object):
    group: Annotated[str, Field(1, required=True)] = always(str)
    names: Annotated[CustomResourceDefinitionNames, Field(3, required=True)] = always(CustomResourceDefinitionNames)
    scope: Annotated[str, Field(4, required=True, enum=("Cluster", "Namespaced"))] = always(str)
    versions: Annotated[tuple[CustomResourceDefinitionVersion, ...], Field(7, required=True, list="atomic")] = always(
        no_items
    )
    conversion: Annotated[CustomResourceConversion | None, Field(9, default={"strategy": "None"})] = None
    preserveUnknownFields: Annotated[bool, Field(10)] = False


class CustomResourceDefinitionCondition(Object):
    type: Annotated[str, Field(1, required=True)] = always(str)
    status: Annotated[str, Field(2, required=True)] = always(str)
    lastTransitionTime: Annotated[Time | None, Field(3)] = None
    reason: Annotated[str, Field(4)] = ""
    message: Annotated[str, Field(5)] = ""
    observedGeneration: Annotated[Int64, Field(6)] = 0


class CustomResourceDefinitionStatus(Object):
    conditions: Annotated[tuple[CustomResourceDefinitionCondition, ...], Field(1, list="map", keys=("type",))] = always(
        no_items
    )
    acceptedNames: Annotated[CustomResourceDefinitionNames, Field(2)] = always(CustomResourceDefinitionNames)
    storedVersions: Annotated[tuple[str, ...], Field(3, list="atomic")] = always(no_items)
    observedGeneration: Annotated[Int64, Field(4)] = 0


class CustomResourceDefinition(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("apiextensions.k8s.io/v1")
    kind: str = fixed("CustomResourceDefinition")
    spec: Annotated[CustomResourceDefinitionSpec, Field(2, required=True)] = always(CustomResourceDefinitionSpec)
    status: Annotated[CustomResourceDefinitionStatus, Field(3)] = always(CustomResourceDefinitionStatus)


class CustomResourceDefinitionList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("apiextensions.k8s.io/v1")
    kind: str = fixed("CustomResourceDefinitionList")
    items: Annotated[tuple[CustomResourceDefinition, ...], Field(2, required=True)] = always(no_items)
