"""Server-side apply and field ownership (KEP-555)."""

from proa.machinery.apply.lists import list_defects, told
from proa.machinery.apply.managers import APPLY, UPDATE, Writer, server_side_apply, track_update

__all__ = ["APPLY", "UPDATE", "Writer", "list_defects", "server_side_apply", "told", "track_update"]
