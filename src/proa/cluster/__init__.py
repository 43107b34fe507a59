"""Clusters as a whole: where they live on disk, how components become processes, and how nothing of them is left.

Only this layer knows every component. Not here: anything a component does; the command line (`proa.cli`).
"""
