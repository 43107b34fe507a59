"""Priority and fairness: which requests run at once, which wait for which others, and which are turned away."""
