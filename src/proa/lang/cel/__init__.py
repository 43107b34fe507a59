"""CEL, the expression language of Kubernetes' rules and policies: pure, without I/O, over plain JSON documents.

    source --lexer, parser, macros--> ast --checker, types--> typed ast --planner--> steps --Frame--> value, cost
                                                              typed ast --estimate, cost--> what it may cost

Here: the language, its standard library, and those extension libraries of the reference implementation that
Kubernetes has on. Not here: what Kubernetes adds (`machinery.expressions`). Import `environment` from here only when
there is an expression to compile.
"""
