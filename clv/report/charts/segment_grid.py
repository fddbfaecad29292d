"""The chart of the grid: where a customer is worth most by recency and frequency scores."""

from textwrap import wrap

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from clv.forecast.tiers import segment_grid
from clv.report.charts.canvas import colour_bar, colour_scale, new_chart
from clv.report.figures.style import MODEL_RAMP, QUIET
from clv.report.labels import currency_of
from clv.words import count, money


def chart_segment_grid(customers: pd.DataFrame) -> go.Figure:
    """Show where the value sits among recency and frequency scores; `customers` is table CUSTOMERS with its scores."""
    return drawn(segment_grid(customers), currency=currency_of(customers))


def drawn(grid: pd.DataFrame, *, currency: str) -> go.Figure:
    """Return the chart of `forecast.segment_grid`.

    Parameters
    ----------
    grid
        r_score, f_score (1 to 5), segment, customers, clv, clv_per_customer (missing where nobody is).
    """
    figure = new_chart(
        title(grid),
        x="Frequency score (5 = buys most often)",
        y="Recency score (5 = bought last)",
        alt=sentence(grid, currency=currency),
        height=520,
    )
    cells = grid.sort_values(["r_score", "f_score"])
    value = cells["clv_per_customer"].where(cells["customers"] > 0)
    figure.add_heatmap(
        x=np.arange(1, 6),
        y=np.arange(1, 6),
        z=value.to_numpy().reshape(5, 5),
        zmin=0,
        customdata=cells[["segment", "customers", "clv"]].to_numpy().reshape(5, 5, 3),
        hovertemplate="%{customdata[0]}: %{customdata[1]:,} customers<br>expected %{z:,.2f} "
        f"{currency} per customer,<br>%{{customdata[2]:,.0f}} {currency} together<extra></extra>",
        hoverongaps=False,
        colorscale=colour_scale(MODEL_RAMP),
        colorbar=colour_bar(f"Expected value per customer ({currency})"),
        xgap=3,
        ygap=3,
    )
    figure.add_scatter(
        x=cells["f_score"],
        y=cells["r_score"],
        mode="text",
        text=[_cell_words(name, n) for name, n in zip(cells["segment"], cells["customers"], strict=True)],
        textfont={"size": 10.5, "color": _ink(value)},
        hoverinfo="skip",
        showlegend=False,
    )
    figure.update_xaxes(range=[0.5, 5.5], dtick=1, showgrid=False, zeroline=False)
    figure.update_yaxes(range=[0.5, 5.5], dtick=1, showgrid=False, zeroline=False)
    return figure


def title(grid: pd.DataFrame) -> str:
    """Say where a customer is worth most."""
    best = grid.loc[grid["clv_per_customer"].idxmax()]
    return f"A customer is worth most among {best['segment']}"


def sentence(grid: pd.DataFrame, *, currency: str) -> str:
    """Return the dearest and the fullest cell."""
    dearest, fullest = grid.loc[grid["clv_per_customer"].idxmax()], grid.loc[grid["customers"].idxmax()]
    return (
        f"The {count(dearest['customers'])} customers in the dearest cell ({_cell(dearest)}) are expected to bring "
        f"{money(dearest['clv_per_customer'], currency)} each; most customers, {count(fullest['customers'])}, are in "
        f"the cell {_cell(fullest)}, at {money(fullest['clv_per_customer'], currency)} each."
    )


def _cell(cell: pd.Series) -> str:
    return f"{cell['segment']}, recency {cell['r_score']}, frequency {cell['f_score']}"


def _cell_words(segment: str, customers: int) -> str:
    return "<br>".join([*wrap(segment, 10, break_long_words=False), f"<b>{customers:,}</b>" if customers else "nobody"])


def _ink(value: pd.Series) -> list[str]:
    """Return a colour legible on each cell of a heat map that runs from 0 to the largest value."""
    strong = np.where(value > 0.55 * value.max(), "#ffffff", "#10202c")
    return list(np.where(value.isna(), QUIET, strong))
