"""Leaf types of the API: what JSON calls a string or a number and Kubernetes gives a meaning.

Values stay in their wire form (a `Time` is an RFC 3339 string): most are only passed through. `machinery.quantity` and
`machinery.timestamps` compute with them.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from proa.machinery.declare import Scalar

_META = "io.k8s.apimachinery.pkg.apis.meta.v1."

Int32 = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1), Scalar("integer", "int32")]
Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1), Scalar("integer", "int64")]
Double = Annotated[int | float, Scalar("number", "double")]
Time = Annotated[str, Scalar("string", "date-time", _META + "Time")]
MicroTime = Annotated[str, Scalar("string", "date-time", _META + "MicroTime")]
Quantity = Annotated[str | int | float, Scalar("string", "", "io.k8s.apimachinery.pkg.api.resource.Quantity")]
IntOrString = Annotated[int | str, Scalar("string", "int-or-string", "io.k8s.apimachinery.pkg.util.intstr.IntOrString")]
Bytes = Annotated[bytes, Scalar("string", "byte")]
FieldsV1 = Annotated[dict[str, Any], Scalar("object", "", _META + "FieldsV1")]
RawExtension = Annotated[Any, Scalar("object", "", "io.k8s.apimachinery.pkg.runtime.RawExtension")]
