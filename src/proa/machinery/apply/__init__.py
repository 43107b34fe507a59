"""Server-side apply and field ownership (KEP-555)."""

from proa.machinery.apply.managers import APPLY, UPDATE, Writer, server_side_apply, track_update

__all__ = ["APPLY", "UPDATE", "Writer", "server_side_apply", "track_update"]
