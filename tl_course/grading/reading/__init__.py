"""Static analysis of submissions: what has no business in homework."""
