"""Sanitised notebooks, and the pages for teachers and students."""
