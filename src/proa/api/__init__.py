"""Resource declarations: data only, one package for each group version.

A package `<group>_<version>` holds the types, its module `resources` the served resources. `proa.api.groups` lists the
packages; nothing is imported before it is asked for, because declaring a type costs time and memory.
"""
