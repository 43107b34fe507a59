"""The kernel's doors: system calls, namespaces, mounts, cgroups, capabilities, seccomp, terminals, subprocesses.

The only package that may import ctypes and subprocess. Functions here are thin and raise OSError; what to do with
them is decided above. Modules used by pod shims (`libc`, `mounts`, `namespaces`, `process`, `capabilities`,
`terminal`, `cgroups`) import only small standard modules.
"""
