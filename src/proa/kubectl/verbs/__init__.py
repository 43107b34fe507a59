"""The verbs, one module each; `proa.kubectl.main` lists them."""
