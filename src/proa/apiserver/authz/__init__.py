"""Authorizers: may this user do this? Each answers from memory, kept current by informers."""
