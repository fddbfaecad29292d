"""Kinds of output that a page draws itself."""

PLOTLY = "application/vnd.plotly.v1+json"
WHAT_IF = "application/vnd.clv.what-if+json"
