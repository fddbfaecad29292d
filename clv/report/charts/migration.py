"""The chart of who moved: where the customers of each earlier segment are now."""

import pandas as pd
import plotly.graph_objects as go

from clv.forecast.tiers import NEWCOMERS
from clv.report.charts.canvas import blank_chart, colour_bar, colour_scale, new_chart
from clv.report.figures.style import OBSERVED_RAMP
from clv.rfm.segments import WHO
from clv.words import count, day, percent


def chart_migration(migration: pd.DataFrame, since: str | None) -> go.Figure:
    """Show which segment the customers of each earlier segment are in now; MIGRATION, and the earlier day (ISO)."""
    if migration.empty:
        return blank_chart(title(migration, since))
    shares = 100 * migration.pivot(index="segment_before", columns="segment_now", values="share")
    customers = migration.pivot(index="segment_before", columns="segment_now", values="customers")
    rows = [name for name in (*WHO, NEWCOMERS) if name in shares.index]
    columns = [name for name in WHO if name in shares.columns]
    shares, customers = (part.reindex(index=rows, columns=columns) for part in (shares, customers))
    figure = new_chart(
        title(migration, since),
        x="Segment now",
        y="Segment on the earlier day",
        alt=sentence(migration),
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


def title(migration: pd.DataFrame, since: str | None) -> str:
    """Say how many of the first segment's customers of the day `since` still are in it."""
    if since is None or migration.empty:
        return "No earlier day to compare segments with"
    first = migration[migration["segment_before"] == migration["segment_before"].iloc[0]]
    share = float(first.loc[first["segment_now"] == first["segment_before"], "share"].sum())
    return f"{percent(share)} of the {first['segment_before'].iloc[0]} of {day(since)} still are"


def sentence(migration: pd.DataFrame) -> str:
    """Return how many stayed where they were, and where most of the first segment's others went."""
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
