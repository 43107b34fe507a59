"""OpenAPI documents, walked from the declarations: version 3 per group version, version 2 for everything at once.

kubectl, Helm and generators read them to validate, explain and merge. Both versions are renderings of one list of
operations (`operations`) and one walk over the schemas (`definitions`).
"""

from proa.machinery.openapi.v2 import document as document_v2
from proa.machinery.openapi.v3 import document as document_v3
from proa.machinery.openapi.v3 import index

__all__ = ["document_v2", "document_v3", "index"]
