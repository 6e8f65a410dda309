"""Isolated kernels: bubblewrap, namespaces, seccomp, limits."""
