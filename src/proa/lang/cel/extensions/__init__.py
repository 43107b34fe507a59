"""The extension libraries of the reference implementation that Kubernetes switches on, one module each."""
