"""What was handed in: found, read, repaired, dated."""
