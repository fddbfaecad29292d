"""Charts for readers: what is drawn by plotly into pages."""
