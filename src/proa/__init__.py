"""proa: Kubernetes in Python.

The packages below this one are layers; `.importlinter` says which may import which, docs/architecture.md why.
"""
