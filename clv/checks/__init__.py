"""Room checks."""
