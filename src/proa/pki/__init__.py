"""X.509 certificates and JSON Web Tokens: what a cluster's identities are made of. No files, no clock, no network."""
