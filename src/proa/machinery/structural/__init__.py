"""Custom resources' schemas: OpenAPI v3 documents that say the whole structure of an object.

A schema document becomes a tree of nodes once (`tree`); everything else is compiled from the tree when it is first
needed: the gate, one C conversion that documents in order pass (`gate`); pruning and defaults (`prune`, `default`);
the walk that says in upstream's words what is wrong (`explain`); the shape the rest of the machinery knows (`shape`).
`form.StructuralForm` puts them together for the write path. Not here: rules in CEL (`machinery.rules`), and whether a
schema may be used in a definition (`api.apiextensions_v1`).
"""
