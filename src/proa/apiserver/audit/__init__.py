"""The audit log (audit.k8s.io/v1): which requests are written down, how much of them, and where.

`policy` says what, `events` has one request's events, `auditor` connects them with the server, `log` and `webhook` are
the backends. Without a policy nothing of this is loaded.
"""
