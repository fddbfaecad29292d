"""Room report/charts."""
