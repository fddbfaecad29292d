"""Room decisions."""
