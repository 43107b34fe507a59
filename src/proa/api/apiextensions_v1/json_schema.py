"""apiextensions/v1 declarations: the schemas of custom resources, which contain themselves."""

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import field

from proa.machinery.declare import Field, Object, Scalar, always
from proa.machinery.scalars import Double, Int64

_GROUP = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."

JSON = Annotated[Any, Scalar("object", "", _GROUP + "JSON")]
JSONSchemaPropsOrArray = Annotated[Any, Scalar("object", "", _GROUP + "JSONSchemaPropsOrArray")]
JSONSchemaPropsOrBool = Annotated[Any, Scalar("object", "", _GROUP + "JSONSchemaPropsOrBool")]
JSONSchemaPropsOrStringArray = Annotated[Any, Scalar("object", "", _GROUP + "JSONSchemaPropsOrStringArray")]


class ExternalDocumentation(Object):
    description: Annotated[str, Field(1)] = ""
    url: Annotated[str, Field(2)] = ""


class ValidationRule(Object):
    rule: Annotated[str, Field(1, required=True)] = always(str)
    message: Annotated[str, Field(2)] = ""
    messageExpression: Annotated[str, Field(3)] = ""
    reason: Annotated[
        str | None,
        Field(4, enum=("FieldValueRequired", "FieldValueDuplicate", "FieldValueInvalid", "FieldValueForbidden")),
    ] = None
    fieldPath: Annotated[str, Field(5)] = ""
    optionalOldSelf: Annotated[bool | None, Field(6)] = None


class JSONSchemaProps(Object):
    id: Annotated[str, Field(1)] = ""
    schema: Annotated[str, Field(2)] = field(default="", name="$schema")
    ref: Annotated[str | None, Field(3)] = field(default=None, name="$ref")
    description: Annotated[str, Field(4)] = ""
    type: Annotated[str, Field(5)] = ""
    format: Annotated[str, Field(6)] = ""
    title: Annotated[str, Field(7)] = ""
    default: Annotated[JSON | None, Field(8)] = None
    maximum: Annotated[Double | None, Field(9)] = None
    exclusiveMaximum: Annotated[bool, Field(10)] = False
    minimum: Annotated[Double | None, Field(11)] = None
    exclusiveMinimum: Annotated[bool, Field(12)] = False
    maxLength: Annotated[Int64 | None, Field(13)] = None
    minLength: Annotated[Int64 | None, Field(14)] = None
    pattern: Annotated[str, Field(15)] = ""
    maxItems: Annotated[Int64 | None, Field(16)] = None
    minItems: Annotated[Int64 | None, Field(17)] = None
    uniqueItems: Annotated[bool, Field(18)] = False
    multipleOf: Annotated[Double | None, Field(19)] = None
    enum: Annotated[tuple[JSON, ...], Field(20, list="atomic")] = ()
    maxProperties: Annotated[Int64 | None, Field(21)] = None
    minProperties: Annotated[Int64 | None, Field(22)] = None
    required: Annotated[tuple[str, ...], Field(23, list="atomic")] = ()
    items: Annotated[JSONSchemaPropsOrArray | None, Field(24)] = None
    allOf: Annotated[tuple["JSONSchemaProps", ...], Field(25, list="atomic")] = ()
    oneOf: Annotated[tuple["JSONSchemaProps", ...], Field(26, list="atomic")] = ()
    anyOf: Annotated[tuple["JSONSchemaProps", ...], Field(27, list="atomic")] = ()
    not_: Annotated["JSONSchemaProps | None", Field(28)] = field(default=None, name="not")
    properties: Annotated[Mapping[str, "JSONSchemaProps"], Field(29)] = {}
    additionalProperties: Annotated[JSONSchemaPropsOrBool | None, Field(30)] = None
    patternProperties: Annotated[Mapping[str, "JSONSchemaProps"], Field(31)] = {}
    dependencies: Annotated[Mapping[str, JSONSchemaPropsOrStringArray], Field(32)] = {}
    additionalItems: Annotated[JSONSchemaPropsOrBool | None, Field(33)] = None
    definitions: Annotated[Mapping[str, "JSONSchemaProps"], Field(34)] = {}
    externalDocs: Annotated[ExternalDocumentation | None, Field(35)] = None
    example: Annotated[JSON | None, Field(36)] = None
    nullable: Annotated[bool, Field(37)] = False
    xPreserveUnknownFields: Annotated[bool | None, Field(38)] = field(
        default=None, name="x-kubernetes-preserve-unknown-fields"
    )
    xEmbeddedResource: Annotated[bool, Field(39)] = field(default=False, name="x-kubernetes-embedded-resource")
    xIntOrString: Annotated[bool, Field(40)] = field(default=False, name="x-kubernetes-int-or-string")
    xListMapKeys: Annotated[tuple[str, ...], Field(41, list="atomic")] = field(
        default=(), name="x-kubernetes-list-map-keys"
    )
    xListType: Annotated[str | None, Field(42)] = field(default=None, name="x-kubernetes-list-type")
    xMapType: Annotated[str | None, Field(43)] = field(default=None, name="x-kubernetes-map-type")
    xValidations: Annotated[
        tuple[ValidationRule, ...], Field(44, list="map", keys=("rule",), merge="merge", key="rule")
    ] = field(default=(), name="x-kubernetes-validations")
