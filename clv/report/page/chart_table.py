"""The numbers of a chart as a table: for who cannot see it, for spreadsheets, and where no script draws it."""

import base64
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from clv.report.markup import Words, markup

MOST_ROWS = 60  # of a table that a page shows; of longer ones only the CSV holds every row


def chart_table(figure: Mapping[str, Any]) -> Words:
    """Return the numbers that a plotly figure draws, a column per trace; no rows where it draws none."""
    layout = figure.get("layout", {})
    key = "y" if layout.get("yaxis", {}).get("type") == "category" else "x"
    views = layout.get("meta", {}).get("views", [])
    shown_in = {at: f"{view['name']}: " for view in views for at in view.get("traces", []) if len(views) > 1}
    points: list[tuple[str, str, Any]] = []
    for place, trace in enumerate(figure.get("data", [])):
        own = (trace.get("meta") or {}).get("name")
        points += _points(trace, key, own or f"{shown_in.get(place, '')}{trace.get('name') or 'value'}")
    drawn = pd.DataFrame(points, columns=["row", "column", "value"], dtype=object).dropna()
    cells = drawn["value"].map(_written).groupby([drawn["row"], drawn["column"]]).agg(" to ".join)
    rows, columns = drawn["row"].unique(), drawn["column"].unique()
    table = Words(cells.unstack(fill_value="").reindex(index=rows, columns=columns))
    title = layout.get(f"{key}axis", {}).get("title", {}).get("text") or ""
    return table.rename_axis(title.replace("<br>", " "))


def as_html(table: Words, caption: str) -> str:
    """Return the table as HTML, thinned where it is long."""
    step = math.ceil(len(table) / MOST_ROWS) or 1
    caption += f" (one row in {step}; the CSV holds all)" if step > 1 else ""
    return markup(table[::step].captioned(caption))


def as_csv(table: Words) -> str:
    """Return the table as text for a spreadsheet."""
    rows = [[table.index.name, *table.columns], *table.itertuples(name=None)]
    return "".join(",".join('"' + cell.replace('"', "'").replace(",", "") + '"' for cell in row) + "\n" for row in rows)


def _points(trace: Mapping[str, Any], key: str, name: str) -> Iterator[tuple[str, str, Any]]:
    if trace.get("mode") == "text":  # it says again what another trace draws
        return
    drawn_at = trace.get("x" if key == "y" else "y")
    # What an axis has no room for stands at its end, and with its own number here.
    keys, values = _array(trace.get(key)), _array((trace.get("meta") or {}).get("values", drawn_at))
    if trace.get("type") == "heatmap":
        grid = np.asarray(_array(trace["z"]), dtype=object).reshape(len(_array(trace["y"])), -1)
        for row, cells in zip(_array(trace["y"]), grid, strict=True):
            yield from ((str(row), _written(at), value) for at, value in zip(_array(trace["x"]), cells, strict=True))
        return
    # A band is its upper line, then its lower one backwards.
    half = len(keys) // 2 if trace.get("fill") == "toself" else len(keys)
    for place, (at, value) in enumerate(zip(keys, values, strict=False)):
        end = "" if half == len(keys) else ", upper" if place < half else ", lower"
        yield _written(at), f"{name}{end}", value


def _array(values: Any) -> list[Any]:
    if isinstance(values, Mapping):  # as plotly packs numbers
        packed = np.frombuffer(base64.b64decode(values["bdata"]), dtype=values["dtype"])
        return packed.tolist()
    return [] if values is None else list(values)


def _written(value: Any) -> str:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return str(value).replace("T00:00:00", "").replace("<br>", " ")
    return f"{value:,.0f}" if abs(value) >= 100 or float(value).is_integer() else f"{value:,.3g}"
