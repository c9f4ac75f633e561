"""What every Orderly service stands on: one concept a file, no business rule."""
