"""The set "doors"."""
