"""What all drawn sets share: canvas, surfaces, camera."""
