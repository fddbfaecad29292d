"""The chart of the grid: where a customer is worth most by recency and frequency scores."""

from textwrap import wrap

import pandas as pd
import plotly.graph_objects as go

from clv.forecast.tiers import segment_grid
from clv.report.charts.canvas import add_cells, new_chart
from clv.report.figures.style import MODEL_RAMP
from clv.report.labels import currency_of


def chart_segment_grid(customers: pd.DataFrame) -> go.Figure:
    """Show where the value sits among recency and frequency scores; `customers` is table CUSTOMERS with its scores."""
    return drawn(segment_grid(customers), currency=currency_of(customers))


def drawn(grid: pd.DataFrame, *, currency: str) -> go.Figure:
    """Return the chart of `forecast.segment_grid`: 25 cells with segment, customers, clv and clv_per_customer."""
    best = grid.loc[grid["clv_per_customer"].idxmax(), "segment"]
    figure = new_chart(
        f"A customer is worth most among {best}",
        x="Frequency score (5 = buys most often)",
        y="Recency score (5 = bought last)",
        height=520,
    )
    told = grid.assign(words=[_cell(row) for row in grid.itertuples()]).set_index(["r_score", "f_score"])
    add_cells(
        figure,
        told["clv_per_customer"].fillna(0.0).unstack(),
        MODEL_RAMP,
        f"Expected value per customer ({currency})",
        customdata=told[["segment", "customers", "clv"]].sort_index().to_numpy().reshape(5, 5, 3),
        hovertemplate="%{customdata[0]}: %{customdata[1]:,} customers<br>expected %{z:,.2f} "
        f"{currency} per customer,<br>%{{customdata[2]:,.0f}} {currency} together<extra></extra>",
        text=told["words"].unstack(),
        texttemplate="%{text}",
        **{"xgap": 3, "ygap": 3},
    )
    figure.update_xaxes(range=[0.5, 5.5], dtick=1, showgrid=False, zeroline=False)
    figure.update_yaxes(range=[0.5, 5.5], dtick=1, showgrid=False, zeroline=False)
    return figure


def _cell(row: tuple) -> str:  # type: ignore[type-arg]
    customers = f"<b>{row.customers:,}</b>" if row.customers else "nobody"  # type: ignore[attr-defined]
    return "<br>".join([*wrap(row.segment, 10, break_long_words=False), customers])  # type: ignore[attr-defined]
