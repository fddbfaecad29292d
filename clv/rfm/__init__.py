"""Room rfm."""
