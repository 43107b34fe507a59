"""The embedded OCI runtime: real containers from Linux namespaces, made by Python alone.

Three kinds of process take part. The agent (asyncio, large) holds `EmbeddedRuntime`; the zygote (small, started once)
forks one shim per pod in a millisecond; the shim owns a pod's namespaces and containers and outlives the two others.
`zygote`, `shim`, `container`, `child`, `rootfs`, `logs` and `wire` run in the small processes: they import the least
they can, because each import is memory that every pod pays for.
"""
