"""admissionregistration/v1 declarations: what validating and mutating policies share."""

from typing import Annotated, ClassVar

from proa.machinery.declare import Field, Object, always
from proa.machinery.meta import LabelSelector


class ParamKind(Object):
    map_type: ClassVar[str] = "atomic"
    apiVersion: Annotated[str, Field(1)] = ""
    kind: Annotated[str, Field(2)] = ""


class ParamRef(Object):
    map_type: ClassVar[str] = "atomic"
    name: Annotated[str, Field(1)] = ""
    namespace: Annotated[str, Field(2)] = ""
    selector: Annotated[LabelSelector | None, Field(3)] = None
    parameterNotFoundAction: Annotated[str | None, Field(4, enum=("Allow", "Deny"))] = None


class Variable(Object):
    map_type: ClassVar[str] = "atomic"
    name: Annotated[str, Field(1, required=True)] = always(str)
    expression: Annotated[str, Field(2, required=True)] = always(str)
