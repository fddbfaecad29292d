"""Charts of segments: the grid of recency and frequency, and who moved between segments."""

from textwrap import wrap

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from clv.forecast.tiers import NEWCOMERS
from clv.report.charts.canvas import blank_chart, colour_bar, colour_scale, new_chart
from clv.report.figures.style import MODEL_RAMP, OBSERVED_RAMP, QUIET
from clv.rfm.segments import ACTIONS
from clv.words import count, day, money, percent


def of_segment_grid(grid: pd.DataFrame, *, currency: str) -> str:
    """Return the dearest and the fullest cell; `grid` is from `segments.segment_grid`."""
    dearest, fullest = grid.loc[grid["clv_per_customer"].idxmax()], grid.loc[grid["customers"].idxmax()]
    return (
        f"The {count(dearest['customers'])} customers in the dearest cell ({_cell(dearest)}) are expected to bring "
        f"{money(dearest['clv_per_customer'], currency)} each; most customers, {count(fullest['customers'])}, are in "
        f"the cell {_cell(fullest)}, at {money(fullest['clv_per_customer'], currency)} each."
    )


def of_migration(migration: pd.DataFrame) -> str:
    """Return how many stayed where they were, and where most of the first segment's others went; table MIGRATION."""
    known = migration[migration["segment_before"] != NEWCOMERS]
    stayed = known["segment_before"] == known["segment_now"]
    first = known[known["segment_before"] == known["segment_before"].iloc[0]]
    left = first[first["segment_now"] != first["segment_before"]].nlargest(1, "customers")
    others = "".join(
        f"; of those who left {row.segment_before}, the largest part is {row.segment_now} now ({percent(row.share)} of "
        "the row)"
        for row in left.itertuples()
    )
    return (
        f"Of {count(known['customers'].sum())} customers known at the earlier day, "
        f"{percent(known.loc[stayed, 'customers'].sum() / known['customers'].sum())} are in the segment they were "
        f"in{others}."
    )


def _cell(cell: pd.Series) -> str:
    return f"{cell['segment']}, recency {cell['r_score']}, frequency {cell['f_score']}"


def chart_segment_grid(grid: pd.DataFrame, *, title: str, currency: str) -> go.Figure:
    """Show where the value sits among recency and frequency scores.

    Parameters
    ----------
    grid
        r_score, f_score (1 to 5), segment, customers, clv, clv_per_customer (missing where nobody is).
    """
    figure = new_chart(
        title,
        x="Frequency score (5 = buys most often)",
        y="Recency score (5 = bought last)",
        alt=of_segment_grid(grid, currency=currency),
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


def chart_migration(migration: pd.DataFrame, *, title: str) -> go.Figure:
    """Show which segment the customers of each earlier segment are in now; `migration` is table MIGRATION."""
    if migration.empty:
        return blank_chart(title)
    shares = 100 * migration.pivot(index="segment_before", columns="segment_now", values="share")
    customers = migration.pivot(index="segment_before", columns="segment_now", values="customers")
    rows = [name for name in (*ACTIONS, NEWCOMERS) if name in shares.index]
    columns = [name for name in ACTIONS if name in shares.columns]
    shares, customers = (part.reindex(index=rows, columns=columns) for part in (shares, customers))
    figure = new_chart(
        title,
        x="Segment now",
        y="Segment on the earlier day",
        alt=of_migration(migration),
        height=300 + 30 * len(rows),  # the slanted names and the scale below them need most of it
    )
    figure.add_heatmap(
        x=columns,
        y=rows,
        z=shares,
        zmin=0,
        zmax=100,
        colorscale=colour_scale(OBSERVED_RAMP),
        colorbar=colour_bar("Share of the row (%)"),
        customdata=customers,
        hovertemplate="%{customdata:,} customers were %{y}<br>and are %{x}: %{z:.1f} % of the row<extra></extra>",
        hoverongaps=False,
        xgap=2,
        ygap=2,
    )
    cells = shares.stack().dropna()
    figure.add_scatter(
        x=cells.index.get_level_values(1),
        y=cells.index.get_level_values(0),
        mode="text",
        text=[f"{share:.0f}" if share >= 0.5 else "<1" for share in cells],
        textfont={"size": 11, "color": ["#ffffff" if share > 75 else "#10202c" for share in cells]},
        hoverinfo="skip",
        showlegend=False,
    )
    figure.update_xaxes(type="category", showgrid=False, side="bottom", tickangle=-50)
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False)
    return figure


def _cell_words(segment: str, customers: int) -> str:
    return "<br>".join([*wrap(segment, 10, break_long_words=False), f"<b>{customers:,}</b>" if customers else "nobody"])


def _ink(value: pd.Series) -> list[str]:
    """Return a colour legible on each cell of a heat map that runs from 0 to the largest value."""
    strong = np.where(value > 0.55 * value.max(), "#ffffff", "#10202c")
    return list(np.where(value.isna(), QUIET, strong))


def title_grid(grid: pd.DataFrame) -> str:
    best = grid.loc[grid["clv_per_customer"].idxmax()]
    return f"A customer is worth most among {best['segment']}"


def title_migration(migration: pd.DataFrame, since: str | None) -> str:
    """Say how many of the first segment's customers of the day `since` (ISO) still are in it; table MIGRATION."""
    if since is None or migration.empty:
        return "No earlier day to compare segments with"
    first = migration[migration["segment_before"] == migration["segment_before"].iloc[0]]
    share = float(first.loc[first["segment_now"] == first["segment_before"], "share"].sum())
    return f"{percent(share)} of the {first['segment_before'].iloc[0]} of {day(since)} still are"
