"""The Kubernetes protobuf encoding, which Go clients prefer to JSON: read into plain documents, written from objects.

Both sides are compiled once per schema from the declarations' protobuf numbers. Custom resources have none.
"""

from proa.machinery.protobuf.decoding import decode
from proa.machinery.protobuf.encoding import element_of, encode, encode_document, message_of
from proa.machinery.protobuf.wire import (
    MAGIC,
    MEDIA_TYPE,
    ProtobufError,
    delimited,
    enveloped,
    enveloped_list,
    frame,
    open_envelope,
)

__all__ = [
    "MAGIC",
    "MEDIA_TYPE",
    "ProtobufError",
    "decode",
    "delimited",
    "element_of",
    "encode",
    "encode_document",
    "enveloped",
    "enveloped_list",
    "frame",
    "message_of",
    "open_envelope",
]
