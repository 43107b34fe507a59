"""The three patch formats besides server-side apply: JSON patch, JSON merge patch, strategic merge patch.

Each is a pure function from a document and a patch to a new document; the given ones are never changed. A patch that
cannot be applied raises StatusError. Not here: server-side apply (`proa.machinery.apply`), content types.
"""

from proa.machinery.patch.json_patch import apply_json_patch
from proa.machinery.patch.merge import merge
from proa.machinery.patch.strategic import strategic

__all__ = ["apply_json_patch", "merge", "strategic"]
