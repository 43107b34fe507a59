"""Container runtimes behind one protocol, shaped like the CRI.

`protocol` is all the kubelet knows. `embedded` makes containers itself, `fake` pretends to, and `images` serves both
needs for images from `proa.oci`. `logs` and `events` are what implementations share. No import here: a pod's shim is
made of modules of this package and must stay small.
"""
