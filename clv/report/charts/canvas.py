"""Charts for readers: one plotly function per chart, finished table in, chart out, titled by its finding.

It is as wide as its page, on a light or a dark ground, in the colours of `clv.report.figures.style`.
"""

import json
from collections.abc import Sequence
from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from clv.report.figures.style import BAND, MODEL, QUIET, REFERENCE, WITHOUT_BACKTEST, fade
from clv.report.page.mime import PLOTLY

MOST_POINTS = 300  # of one line
AXIS_CHARACTERS = 40  # what fits into a line on a phone
# Nothing to drag, and nothing that offers to send the data away: what is left saves a picture.
_NO_BUTTONS = ["zoom", "pan", "select", "lasso", "zoomIn", "zoomOut", "autoScale", "resetScale", "sendChartToCloud"]
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif'


class Chart(go.Figure):
    """A plotly figure that hands itself to a notebook: plotly's own way first loads two seconds of other formats."""

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display({PLOTLY: json.loads(self.to_json())}, raw=True)


def new_chart(title: str, *, x: str, y: str, height: int = 420) -> go.Figure:
    lines = {"gridcolor": fade(QUIET, 0.22), "zerolinecolor": fade(QUIET, 0.45), "linecolor": fade(QUIET, 0.45)}
    axis: dict[str, Any] = {"automargin": True, "fixedrange": True, **lines, "exponentformat": "B"}
    figure = Chart()
    figure.update_layout(
        template="none",
        autosize=True,
        height=height,
        # A page writes the title above the chart, where it can break; in a notebook it makes its own room.
        title={"text": title, "font": {"size": 15, "weight": 600}, "x": 0, "xanchor": "left", "automargin": True}
        | {"yref": "container", "pad": {"b": 26, "l": 4, "t": 8}},
        font={"family": FONT, "size": 13, "color": QUIET},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 8, "r": 12, "t": 28, "b": 8},
        legend={"orientation": "h", "x": 0, "xref": "container", "y": 0, "yref": "container", "yanchor": "bottom"}
        | {"traceorder": "normal"},
        hoverlabel={"font": {"family": FONT, "size": 13}, "align": "left"},
        dragmode=False,
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": fade(QUIET, 0.6), "remove": _NO_BUTTONS},
        xaxis=axis | {"title": {"text": "<br>".join(wrap(x, AXIS_CHARACTERS)), "standoff": 8, "font": {"size": 13}}},
        yaxis=axis | {"title": {"text": "<br>".join(wrap(y, AXIS_CHARACTERS)), "standoff": 8, "font": {"size": 13}}},
    )
    return figure


def blank_chart(title: str, why: str = WITHOUT_BACKTEST) -> go.Figure:
    """Say that there is nothing to draw."""
    figure = new_chart(title, x="", y="", height=80)
    figure.update_layout(annotations=[{"text": why, "showarrow": False}])
    return figure.update_xaxes(visible=False).update_yaxes(visible=False)


def thinned(table: pd.DataFrame) -> pd.DataFrame:
    kept = np.unique(np.linspace(0, len(table) - 1, MOST_POINTS).round().astype(int))
    return table.iloc[kept] if len(table) > MOST_POINTS else table


def add_band(figure: go.Figure, x: pd.Series, lower: pd.Series, upper: pd.Series, name: str, **more: Any) -> None:
    figure.add_scatter(
        x=np.concatenate([x, x[::-1]]),
        y=np.concatenate([upper, lower[::-1]]),
        mode="lines",
        line={"width": 0},
        fill="toself",
        fillcolor=fade(BAND, 0.28),
        hoverinfo="skip",
        name=name,
        legendgroup=name,
        **more,
    )


def add_line(figure: go.Figure, x: ArrayLike, y: ArrayLike, name: str, *, hover: str = "", **more: Any) -> None:
    """Draw a line; `more` may hold its `line` (colour and so on) and what else plotly's scatter takes."""
    line = {"color": MODEL, "width": 2.5} | more.pop("line", {})
    told = {"hovertemplate": f"{hover}<extra></extra>"} if hover else {"hoverinfo": "skip"}
    figure.add_scatter(x=x, y=y, mode="lines", line=line, name=name, **told, **more)


def add_ranges(
    figure: go.Figure, names: pd.Series, limits: pd.DataFrame, name: str, *, floor: float = -np.inf, **more: Any
) -> None:
    """Draw a bar from the first to the second column of `limits` beside each name; an arrow where one is cut."""
    ends = limits.assign(end=np.nan).to_numpy().ravel()
    figure.add_scatter(
        x=np.maximum(ends, floor),
        y=np.repeat(names, 3),
        mode="lines+markers",
        line={"color": BAND, "width": 9},
        # Unseen markers keep the other ends off the edges of the panel.
        marker={"size": 14, "symbol": "triangle-left", "color": BAND, "opacity": np.where(ends < floor, 1.0, 0.0)},
        meta={"values": ends.tolist()},
        name=name,
        hoverinfo="skip",
        **more,
    )


def add_cells(figure: go.Figure, cells: pd.DataFrame, ramp: Sequence[str], meaning: str, **more: Any) -> None:
    """Draw a heat map that begins at 0, with its scale below; `more` may hold what else plotly's heat map takes."""
    scale = [[at / (len(ramp) - 1), colour] for at, colour in enumerate(ramp)]
    bar = {
        "orientation": "h",
        "title": {"text": meaning, "side": "bottom", "font": {"size": 12}},
        **{"thickness": 10, "ypad": 4, "outlinewidth": 0, "x": 0.0, "xanchor": "left", "len": 1.0},
        **{"y": 0, "yref": "container", "yanchor": "bottom", "exponentformat": "B", "nticks": 4},
    } | more.pop("colorbar", {})
    figure.add_heatmap(
        x=cells.columns, y=cells.index, z=cells, zmin=0, colorscale=scale, colorbar=bar, hoverongaps=False, **more
    )


def mark_at(figure: go.Figure, x: float, words: str) -> None:
    """Draw a labelled vertical line, its words above the panel."""
    line = {"color": REFERENCE, "width": 2, "dash": "dash"}
    figure.add_shape(type="line", x0=x, x1=x, y0=0, y1=1, yref="paper", line=line)
    figure.add_annotation(
        x=x, y=1, yref="paper", yanchor="bottom", text=words, showarrow=False, font={"color": REFERENCE, "size": 13}
    )


def label_ends(figure: go.Figure, x: pd.Series, y: pd.Series, words: pd.Series, *, apart: float = 0.0) -> None:
    """Write words to the right of points, number positions pushed apart by a share of the largest."""
    places, above = (_pushed_apart(y.to_numpy(), apart), 0) if apart else (y.to_numpy(), 8)  # of lines that go on
    look = {"showarrow": False, "xanchor": "left", "xshift": 6, "yshift": above, "font": {"color": QUIET, "size": 12}}
    for at, place, text in zip(x, places, words, strict=True):
        figure.add_annotation(x=at, y=place, text=text, **look)


def _pushed_apart(places: NDArray[Any], apart: float) -> NDArray[np.float64]:
    order = np.argsort(places)
    steps = apart * max(float(np.max(places)), 1e-9) * np.arange(len(places))
    moved = np.empty(len(places))
    moved[order] = np.maximum.accumulate(places[order] - steps) + steps
    return moved
