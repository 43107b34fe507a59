"""The root of proa's error tree.

Here: the one class every error of ours descends from, so that an edge (a CLI, an HTTP handler, a task's owner) can tell
"we found something wrong and can say what" from a bug. Not here: HTTP statuses (machinery) or anything a layer can own.
"""

from __future__ import annotations


class ProaError(Exception):
    """Something is wrong and the message says what, where, and what would be right."""
