"""A small kubectl of our own, for machines without one: same words, same output, a fraction of the flags.

The parts, from the bottom: `client` (blocking HTTP), `discovery` (what `po` means), `selection` (what the words of a
command name), `printing` (tables and the -o formats), one module a verb, listed in `main`. Full parity with upstream's
kubectl is not the aim; what is here behaves as there.
"""
