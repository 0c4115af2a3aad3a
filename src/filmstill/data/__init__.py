"""Examples in files: formats, checks, statistics, splitting."""
