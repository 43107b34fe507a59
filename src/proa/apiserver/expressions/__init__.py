"""Expressions of admission with a server behind them: the values of a request, questions to the authorizer, policies.

Not here: the language (`lang.cel`), what its variables and libraries are (`machinery.expressions`), and the plugins
that ask (`plugins`).
"""
