"""Signature algorithms of identity providers' tokens (RFC 7518). Light: the command line reads it too."""

ASYMMETRIC = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512")
