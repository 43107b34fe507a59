"""What proa costs, measured: `./dev bench NAME`. Any Kubernetes endpoint can be the subject, by --kubeconfig.

A module measures one thing and has `add_options` and `run`; `__main__` has them in a table. What they share: `measure`
(figures, rounds, tables), `load` (requests as fast as one process can), `subject` (the endpoint, or a server of our
own), `bare` (what the same bytes cost without Kubernetes), `objects` (what is created). Nothing here asserts: figures
are printed, people judge them.
"""
