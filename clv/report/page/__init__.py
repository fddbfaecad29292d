"""Room report/page."""
