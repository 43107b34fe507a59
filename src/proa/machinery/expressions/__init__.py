"""Kubernetes' CEL: the environment every rule and policy is compiled in, and its limits.

Here: which libraries are on, what Kubernetes adds to the language (a module each), the variables of admission
(`admission`). Not here: the language (`lang.cel`), rules of custom resources (`machinery.rules`), evaluating with a
cluster behind it (`apiserver.expressions`). Modules are imported when an expression is met; nothing else loads them.
"""
