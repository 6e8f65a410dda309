"""The set "birds"."""
