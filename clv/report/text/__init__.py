"""Room report/text."""
