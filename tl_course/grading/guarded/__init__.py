"""Tests that run in the answer's own process, and what is restored and watched there."""
