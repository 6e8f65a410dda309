"""Questions of the lessons."""
