"""Passing requests on to other servers: what to send, what to give back, upgraded connections, links in pages."""
