"""Authenticators: who is this? One module for each kind of credential; `apiserver.identity` has the protocol."""
