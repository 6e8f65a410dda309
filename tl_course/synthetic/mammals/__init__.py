"""The sets "cats_dogs" and "animals"."""
