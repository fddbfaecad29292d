"""Room report/figures."""
