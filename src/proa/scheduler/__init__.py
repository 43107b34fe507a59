"""The scheduler: which node runs a pod.

Nodes are columns of numbers, one row each; a plugin answers for many rows at once, so every node is filtered and scored
and none is sampled. Pods that look alike share their answers, and after a pod has been placed only the row of its node
is asked again. Not here: starting pods (kubelet), who wrote the pod (controllers).
"""
