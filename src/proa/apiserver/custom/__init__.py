"""Custom resources: definitions (CustomResourceDefinition objects) become resources that the server serves.

`definitions` reads one definition as resources; `view` shows stored objects in each served version; `serving` follows
the definitions and serves and withdraws; `conditions` and `controller` keep the definitions' status and clean up behind
a deleted one. Not here: what a schema says of documents (`machinery.structural`), and what a definition may say
(`api.apiextensions_v1.strategies`).
"""
