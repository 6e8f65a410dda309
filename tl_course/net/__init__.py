"""HTTP for addresses that nobody vouches for, and whole downloads."""
