"""The chart of the calendar: what came and what is expected, by quarter and by month."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from clv.forecast.cohorts import FORECAST, OBSERVED, SPLIT
from clv.report.charts.canvas import blank_chart, new_chart
from clv.report.figures.style import BAND, MODEL, QUIET, fade
from clv.report.labels import currency_of, interval_of
from clv.units import PURCHASES
from clv.words import level, money, short_number

_LONGEST = {"quarter": 8, "month": 18}  # of what came
_LEFT_OUT = "At most 8 quarters or 18 months back; ahead, those that end within the horizon"
_HATCHED = {"shape": "/", "fgcolor": fade(MODEL, 0.5), "size": 7, "solidity": 0.2}
_EXPECTED = {"color": fade(BAND, 0.25), "line": {"color": MODEL, "width": 1}, "pattern": _HATCHED}
_VIEWS = (
    ("Revenue by quarter", "quarter", "revenue", "Revenue ({})"),
    ("Revenue by month", "month", "revenue", "Revenue ({})"),
    ("Purchases by quarter", "quarter", "purchases", "Purchases"),
    ("Purchases by month", "month", "purchases", "Purchases"),
    ("Active customers by month", "month", "active", "Customers with a purchase"),
)


def chart_calendar(ahead: pd.DataFrame) -> go.Figure:
    """Show what came and what is expected on one calendar, in views to choose among; `ahead` is table FORECAST."""
    currency = currency_of(ahead)
    hidden = "revenue" if currency == PURCHASES else ""  # which counts the same
    coming = set(ahead.loc[ahead["status"].isin([SPLIT, FORECAST]), "kind"])  # a short horizon holds no quarter
    views = [view for view in _VIEWS if view[1] in coming and view[2] != hidden]
    if not views:
        return blank_chart(title(ahead), "No month lies ahead.")
    figure = new_chart(title(ahead), x=_LEFT_OUT, y=views[0][3].format(currency), height=400)
    chosen = []
    for place, (said, kind, name, unit) in enumerate(views):
        before = len(figure.data)
        _add_view(figure, ahead[ahead["kind"] == kind], kind, name, interval_of(ahead), shown=place == 0)
        layout = {"yaxis.title.text": unit.format(currency)}
        chosen.append({"name": said, "traces": list(range(before, len(figure.data))), "layout": layout})
    figure.update_layout(meta={"views": chosen}, barmode="overlay", bargap=0.28, hovermode="x unified")
    figure.update_xaxes(type="category", showgrid=False)
    figure.update_yaxes(rangemode="tozero")
    return figure


def _add_view(figure: go.Figure, rows: pd.DataFrame, kind: str, name: str, interval: float, *, shown: bool) -> None:
    seen = rows[rows["status"] == OBSERVED].tail(_LONGEST[kind])
    rest = rows[rows["status"].isin([SPLIT, FORECAST])]  # what the horizon cuts would look like a fall
    parts = [(seen, name, "came", {"color": fade(QUIET, 0.75)}), (rest, name, "expected", _EXPECTED)]
    if f"{name}_of_new" in rows:  # those ahead have none: a fall that is no fall of the others
        parts.insert(1, (seen, f"{name}_of_new", "of it from new customers", {"color": QUIET}))
    for part, counted, said, marker in parts:
        figure.add_bar(
            x=[_label(row, kind) for row in part.itertuples()],
            y=part[counted],
            marker=marker,
            name=said,
            text=part[name].map(short_number) if said == "came" and kind == "quarter" else None,
            textposition="outside",
            cliponaxis=False,
            visible=shown,
            hovertemplate=f"%{{y:,.0f}} {said}<extra></extra>",
        )
    places = [_label(row, kind) for row in rest.itertuples()]
    ends = np.column_stack([rest[f"{name}_lower"], rest[f"{name}_upper"], np.full(len(rest), np.nan)]).ravel()
    told = {"name": f"{level(interval)} range", "hovertemplate": f"%{{y:,.0f}} {level(interval)} limit<extra></extra>"}
    look = {"mode": "lines", "line": {"color": MODEL, "width": 3}, "visible": shown}
    figure.add_scatter(x=np.repeat(places, 3), y=ends, **told, **look)
    # A trace of its own: of lines with gaps plotly loses every other label.
    look = {"mode": "text", "textposition": "top center", "textfont": {"color": MODEL, "size": 13}, "visible": shown}
    look |= {"text": rest[name].map(short_number) if kind == "quarter" else "", "hoverinfo": "skip"}
    figure.add_scatter(x=places, y=rest[f"{name}_upper"], cliponaxis=False, showlegend=False, **look)


def _label(row: tuple, kind: str) -> str:  # type: ignore[type-arg]
    last = f"{row.ends:%b}" if row.ends.is_month_end else f"{row.ends:%-d %b}"  # type: ignore[attr-defined]
    first = "" if kind == "month" else f"{row.starts:%b}\N{EN DASH}"  # type: ignore[attr-defined]
    begun = " (begun)" if row.status == SPLIT else ""  # type: ignore[attr-defined]
    return f"{first}{last}<br>{row.ends:%Y}{begun}"  # type: ignore[attr-defined]


def title(ahead: pd.DataFrame) -> str:
    """Say what came last and what is expected next."""
    currency, rows = currency_of(ahead), ahead[ahead["kind"] == "quarter"]
    seen, rest = rows[rows["status"] == OBSERVED].tail(1), rows[rows["status"] == FORECAST].head(1)
    if seen.empty or rest.empty:
        return "Month by month: what came, and what is expected"
    return (
        f"{money(seen['revenue'].iloc[0], currency)} came in the last quarter, "
        f"{money(rest['revenue'].iloc[0], currency)} are expected in the next"
    )
