"""Questions and data of the assignments."""
