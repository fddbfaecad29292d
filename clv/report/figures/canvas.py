"""Figures for analysts: one matplotlib function per figure, finished table in, figure out.

Its label is its alternative text, title and caption; both go into the notebook, and pages write the caption below.
"""

import base64
import io
from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from clv.report.figures.style import QUIET
from clv.words import short_number

SIZE_INCHES, DPI = (7.0, 3.8), 100


class DescribedFigure(Figure):
    """A figure whose label is its alternative text: notebooks store it and the caption beside the picture."""

    caption = ""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        picture = io.BytesIO()
        self.savefig(picture, format="png")
        data = {"image/png": base64.b64encode(picture.getvalue()).decode(), "text/plain": self.get_label()}
        return data, {"image/png": {"alt": self.get_label(), "caption": self.caption}}


def blank_figure(sentence: str) -> Figure:
    figure = DescribedFigure(figsize=(SIZE_INCHES[0], 0.6), dpi=DPI)
    figure.set_label(sentence)
    figure.text(0.01, 0.4, sentence, color=QUIET)
    return figure


def share_inside(table: pd.DataFrame) -> str:
    inside = table["observed"].between(table["lower"], table["upper"])
    return f"{inside.sum()} of {len(table)} observed shares lie inside their band."


def new_figure(title: str, *, x: str, y: str, alt: str, note: str = "", grid: bool = True) -> tuple[Figure, Axes]:
    figure, (axes,) = new_panels(title, f"{alt} {note}".strip())
    axes.set_title(note, loc="left", fontsize=9, color=QUIET)
    axes.set(xlabel=x, ylabel=y)
    if not grid:
        axes.grid(False)
    return figure, axes


def new_panels(title: str, alt: str, *, rows: int = 1, columns: int = 1) -> tuple[Figure, list[Axes]]:
    figure = DescribedFigure(figsize=SIZE_INCHES, dpi=DPI, layout="constrained")
    figure.caption = alt
    figure.set_label(f"{title}{'' if title.endswith('?') else '.'} {alt}")
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    panels: list[Axes] = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(True, color="#e3e6e8", linewidth=0.8)
        axes.set_axisbelow(True)
    return figure, panels


def colour_bar(figure: Figure, axes: Axes, drawn: ScalarMappable, label: str, *, log: bool = False) -> None:
    bar = figure.colorbar(drawn, ax=axes, label=label)
    bar.outline.set_visible(False)
    if log:
        logarithmic(bar.ax, "y")


def add_legend(figure: Figure, axes: Axes) -> None:
    # Below the panels, where no data can lie under it.
    handles, labels = axes.get_legend_handles_labels()
    columns = 2 if len(labels) == 4 else 3
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)


def date_ticks(axes: Axes) -> None:
    """Label a few dates along x; with fewer than four ticks asked for, the locator warns between 195 and 238 weeks."""
    locator = AutoDateLocator(minticks=4, maxticks=9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))


def logarithmic(axes: Axes, which: str = "xy") -> None:
    for name in which:
        axes.set(**{f"{name}scale": "log"})
        axis = getattr(axes, f"{name}axis")
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
        axis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))
        axis.set_minor_locator(NullLocator())


def bins_up_to(most: int) -> list[str]:
    return [*map(str, range(most)), f"{most}+"]


def ramp(colours: Sequence[str]) -> Colormap:
    return LinearSegmentedColormap.from_list("ramp", colours)
