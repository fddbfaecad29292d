"""The retention triangle: which share of each cohort buys, month by month."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from clv.forecast.cohorts import matrix
from clv.report.charts.canvas import add_cells, new_chart
from clv.report.figures.style import MODEL_RAMP, OBSERVED, OBSERVED_RAMP
from clv.words import percent

MOST_FIGURES = 320  # of a heat map whose cells are wide enough for them
MOST_CELLS = 1_500  # of a heat map; charts stay below 2,000 marks
_BEGUN = "month begun: observed so far, rest forecast"


def chart_retention(cohorts: pd.DataFrame) -> go.Figure:
    """Show which share of each cohort buys in each whole month after the first; `cohorts` is table COHORTS."""
    whole = cohorts[(cohorts["months_since"] > 0) & (cohorts["status"] != "cut")]
    rows, left_out = _newest(whole if len(whole) else cohorts)
    figure = new_chart(
        title(cohorts),
        x="Months after that of the first purchase",
        y="Month of the first purchase" + (f" ({left_out} older ones left out)" if left_out else ""),
        height=230 + 17 * max(rows["cohort"].nunique(), 9),
    )
    highest = max(100 * rows["active"].max(), 1e-9)
    # Whole matrices with gaps: plotly cannot draw a triangle given as a list of cells.
    active, seen = matrix(rows, "active").astype("float32"), matrix(rows, "status") == "observed"
    written = "%{z:.0f}" if active.size <= MOST_FIGURES else None
    parts = ((seen, OBSERVED_RAMP, "observed", 0.0), (~seen, MODEL_RAMP, "forecast", 0.53))
    for chosen, ramp, name, place in parts:
        cells = 100 * active.where(chosen)
        add_cells(
            figure,
            cells,
            ramp,
            f"Buying, {name} (%)",
            colorbar={"x": place, "len": 0.47},
            zmax=highest,
            hovertemplate=f"Cohort %{{y}}, month %{{x}}:<br>%{{z:.1f}} % of the cohort buy<br>{name}<extra></extra>",
            texttemplate=written,
            textfont={"size": 10},
            **{"xgap": 1, "ygap": 1, "name": name},
        )
    begun = rows[rows["status"] == "split"]
    if len(begun):
        figure.add_scatter(
            x=begun["months_since"],
            y=begun["cohort"],
            mode="markers",
            marker={"symbol": "diamond", "size": 6, "color": OBSERVED, "line": {"color": "#ffffff", "width": 1}},
            name=_BEGUN,
            hoverinfo="skip",
            showlegend=False,
        )
        # The scales stand where a legend would.
        figure.add_annotation(
            text=f"◆ {_BEGUN}",
            showarrow=False,
            font={"color": OBSERVED, "size": 13},
            **{"x": 1, "xref": "paper", "xanchor": "right", "y": 1, "yref": "paper", "yanchor": "bottom"},
        )
    figure.update_xaxes(showgrid=False, zeroline=False, range=[active.columns.min() - 0.5, active.columns.max() + 0.5])
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False)
    whole = {"yaxis.autorange": "reversed", "height": figure.layout.height}
    views = [{"name": "all cohorts", "data": {"texttemplate": written}, "layout": whole}]
    for place, name in enumerate(active.index if len(active) > 1 else []):
        row = {"yaxis.range": [place + 0.5, place - 0.5], "height": 300}
        views.append({"name": name, "data": {"texttemplate": "%{z:.0f}"}, "layout": row})
    return figure.update_layout(meta={"views": views})


def title(cohorts: pd.DataFrame) -> str:
    """Say which share of new customers comes back at once."""
    seen = cohorts[(cohorts["status"] == "observed") & (cohorts["months_since"] == 1)]
    share = np.average(seen["active"], weights=seen["customers"]) if len(seen) else 0.0
    return f"{percent(float(share))} of new customers buy again in the month after their first"


def _newest(rows: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Return the newest cohorts that fit into one heat map, and how many older ones do not."""
    cells = rows.groupby("cohort").size().sort_index(ascending=False).cumsum()
    kept = cells.index[cells <= MOST_CELLS]
    return rows[rows["cohort"].isin(kept)], len(cells) - len(kept)
