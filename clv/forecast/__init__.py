"""Room forecast."""
