"""The one reconciler harness: what all controllers share, so that each is only its triggers and `reconcile`."""
