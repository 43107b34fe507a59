"""Container images: names, content, layers, registries, archives, and packing the host's own programs.

The parts, from the bottom: `errors` and `model` (what an image is), `reference` (how it is named), `content` (verified
blobs), `unpack` (a layer becomes a directory overlayfs can stack), `store` (which images there are, what may be
deleted), and the three ways in: `registry` pulls, `archive` imports, `pack` builds from programs of the host.

Nothing here runs a container or knows a pod. The work is done in threads the store owns; the event loop only waits.
"""
