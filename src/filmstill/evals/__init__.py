"""Measuring routers against references."""
