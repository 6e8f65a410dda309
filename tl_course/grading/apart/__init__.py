"""Tests that run in a process of their own, and the typed channel to the answer."""
