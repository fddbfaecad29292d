"""Room transactions."""
