"""Charts of cohorts: which share of each buys month by month, and what a customer of each has brought so far."""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from clv.forecast.cohorts import matrix
from clv.report.charts.canvas import add_band, add_cells, add_line, label_ends, new_chart
from clv.report.figures.style import MODEL, MODEL_RAMP, OBSERVED, OBSERVED_RAMP
from clv.report.labels import currency_of, interval_of
from clv.words import futures, money, percent, priced

MOST_FIGURES = 320  # of a heat map whose cells are wide enough for them
MOST_CELLS = 1_500  # of a heat map; charts stay below 2,000 marks
_BEGUN = "month begun: observed so far, rest forecast"
_AXIS = "Months since the first purchase"
MOST_LINES = 4  # side by side
MOST_CHOICES = 24  # that a page carries, for its reader to choose one


def chart_retention(cohorts: pd.DataFrame) -> go.Figure:
    """Show which share of each cohort buys in each whole month after the first; `cohorts` is table COHORTS."""
    whole = cohorts[(cohorts["months_since"] > 0) & (cohorts["status"] != "cut")]
    rows, left_out = _newest(whole if len(whole) else cohorts)
    figure = new_chart(
        _back_at_once(cohorts),
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
            showlegend=True,
        )
        # The scales stand where a legend would.
        figure.update_layout(legend={"x": 1, "xref": "paper", "xanchor": "right", "y": 1, "yref": "paper"})
    figure.update_xaxes(showgrid=False, zeroline=False, range=[active.columns.min() - 0.5, active.columns.max() + 0.5])
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False)
    whole = {"yaxis.autorange": "reversed", "height": figure.layout.height}
    views = [{"name": "all cohorts", "data": {"texttemplate": written}, "layout": whole}]
    for place, name in enumerate(active.index if len(active) > 1 else []):
        row = {"yaxis.range": [place + 0.5, place - 0.5], "height": 300}
        views.append({"name": name, "data": {"texttemplate": "%{z:.0f}"}, "layout": row})
    return figure.update_layout(meta={"views": views})


def _back_at_once(cohorts: pd.DataFrame) -> str:
    """Say which share of new customers comes back at once."""
    seen = cohorts[(cohorts["status"] == "observed") & (cohorts["months_since"] == 1)]
    share = np.average(seen["active"], weights=seen["customers"]) if len(seen) else 0.0
    return f"{percent(float(share))} of new customers buy again in the month after their first"


def _newest(rows: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Return the newest cohorts that fit into one heat map, and how many older ones do not."""
    cells = rows.groupby("cohort").size().sort_index(ascending=False).cumsum()
    kept = cells.index[cells <= MOST_CELLS]
    return rows[rows["cohort"].isin(kept)], len(cells) - len(kept)


def chart_cumulative(cohorts: pd.DataFrame) -> go.Figure:
    """Show what a customer of each cohort has brought and will bring; `cohorts` is table COHORTS.

    Of many cohorts the oldest, the newest and evenly spaced ones between are drawn; a page shows any of them alone.
    """
    names = sorted(cohorts["cohort"].unique())
    carried = _spread(names, MOST_CHOICES)
    drawn, together = {name: cohorts[cohorts["cohort"] == name] for name in carried}, _spread(carried, MOST_LINES)
    some = f"; {len(together)} of {len(names)} cohorts are drawn" if len(names) > len(together) else ""
    counted = f"Revenue per customer so far ({currency_of(cohorts)})"
    figure = new_chart(_brought(cohorts), x=f"{_AXIS}{some}", y=counted, height=460)
    views: list[dict[str, Any]] = [{"name": f"{len(together)} of {len(names)} cohorts" if some else "all cohorts"}]
    for name, line in drawn.items():
        before = len(figure.data)
        _add_cohort(figure, line.sort_values("months_since"), shown=name in together, in_legend=name == together[0])
        alone = {"annotations": [], "xaxis.title.text": _AXIS}
        view = {"name": name, "traces": list(range(before, len(figure.data))), "said": _brought(line)}
        views.append(view | {"data": {"showlegend": True}, "layout": alone})
    ends = pd.concat([drawn[name].nlargest(1, "months_since") for name in together])
    # Cohorts of neighbouring months end side by side, and so would their names: those stand at the edge, pushed apart.
    close = np.ptp(ends["months_since"]) < 0.4 * ends["months_since"].max()
    places = ends["months_since"].clip(lower=ends["months_since"].max() if close else 0)
    label_ends(figure, places, ends["cumulative"], ends["cohort"], apart=0.055 if close else 0.0)
    figure.update_xaxes(range=[0, max(cohorts["months_since"].max(), 1)])
    figure.update_layout(margin_r=64)
    figure.update_yaxes(rangemode="tozero")
    axis, notes = figure.layout.xaxis.title.text, [note.to_plotly_json() for note in figure.layout.annotations]
    views[0] |= {
        "traces": [at for at, trace in enumerate(figure.data) if trace.visible],
        "data": {"showlegend": [trace.showlegend for trace in figure.data]},
        "layout": {"annotations": notes, "xaxis.title.text": axis},
    }
    return figure.update_layout(meta={"views": views})


def _spread(names: list[str], most: int) -> list[str]:
    return [names[at] for at in np.unique(np.linspace(0, len(names) - 1, most).round().astype(int))]


def _brought(cohorts: pd.DataFrame) -> str:
    """Say what a customer of the oldest cohort will have brought."""
    last = cohorts[cohorts["months_since"] == cohorts["months_since"].max()].iloc[0]
    return f"A customer won in {last['cohort']} will have brought {money(last['cumulative'], currency_of(cohorts))}"


def _add_cohort(figure: go.Figure, line: pd.DataFrame, *, shown: bool, in_legend: bool) -> None:
    currency, cohort, band = currency_of(line), line["cohort"].iloc[0], futures(interval_of(line))
    line = line.astype({name: "float32" for name in line if name.startswith("cumulative")})  # half as many bytes
    seen = line[line["status"] == "observed"]
    # The forecast starts where the observation stops, so that the line is one.
    ahead = pd.concat([seen.tail(1), line[line["status"] != "observed"]])
    limits = (ahead["cumulative_lower"], ahead["cumulative_upper"])
    more = {"showlegend": in_legend, "visible": shown}
    add_band(figure, ahead["months_since"], *limits, band, meta={"name": f"{cohort}, {band}"}, **more)
    parts = ((seen, OBSERVED, "solid", "observed"), (ahead, MODEL, "dash", "expected by the model"))
    for part, colour, dash, name in parts:
        add_line(
            figure,
            part["months_since"],
            part["cumulative"],
            name,
            line={"color": colour, "dash": dash},
            legendgroup=name,
            meta={"name": f"{cohort}, {name}"},
            hover=f"Cohort {cohort}, month %{{x}}:<br>{priced('%{y:,.2f}', currency)} per customer<br>{name}",
            **more,
        )
