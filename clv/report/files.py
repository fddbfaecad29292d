"""Tables as files for people: who made them, of which day and in which currency stands in every row."""

import numpy as np
import pandas as pd

from clv.report.key_figures import SCHEMA_VERSION, Figures
from clv.report.text.cover import cautions, likely, tiles, title
from clv.report.text.trust import answers
from clv.units import PURCHASES

SIGNIFICANT_DIGITS = 6
_LABELS = ("as_of", "horizon_weeks", "currency")


def exports(*, run_id: str | None, **tables: pd.DataFrame) -> dict[str, pd.DataFrame | None]:
    """Return each table, by its name, as its file shall hold it; None of one without rows."""
    return {name: exported(table, run_id=run_id) if len(table) else None for name, table in tables.items()}


def exported(table: pd.DataFrame, *, run_id: str | None) -> pd.DataFrame:
    """Return a labelled table with six significant digits and what it belongs to."""
    numbers = table.select_dtypes("float").apply(_rounded)
    if "p_alive" in numbers:  # 1 is what BG/NBD says of everybody who bought once, because it cannot tell
        numbers["p_alive"] = numbers["p_alive"].where(table["p_alive"] < 1)
    known = {name: table.attrs[name] for name in _LABELS if name in table.attrs and name not in table}
    if "as_of" in known:
        known["as_of"] = pd.Timestamp(known["as_of"])
    return table.assign(**numbers, **known, run_id=run_id or "", schema_version=SCHEMA_VERSION)


def _rounded(column: pd.Series) -> pd.Series:
    size = np.floor(np.log10(column.abs().where(column != 0, 1.0)))
    scale = 10.0 ** (SIGNIFICANT_DIGITS - 1 - size)
    return (column * scale).round() / scale


def summary_sheet(figures: Figures) -> pd.DataFrame:
    """Return what the page says first and how far to trust it, as a sheet: figures with their limits, and in words."""
    currency, what = figures["currency"], f"value of the next {figures['horizon_weeks']} weeks"
    numbers = [(what, currency, figures["total_clv"]), ("purchases", PURCHASES, figures["expected_purchases"])]
    rows = [
        {"item": item, "unit": unit, **{end: limits[end] for end in ("mean", "lower", "upper")}}
        | {"in_words": likely(limits, figures, unit)}
        for item, unit, limits in numbers
    ]
    said = [
        *((label, f"{figure}: {words}") for label, figure, words in tiles(figures)[1:]),
        *(("read this first", caution.sentence) for caution in cautions(figures)),
        *((question, f"{verdict}: {words}") for question, words, verdict in answers(figures)),
        ("as of", figures["as_of"]),
        ("run id of the tables", figures["run_id"] or "made by hand"),
    ]
    first = {"item": "in one sentence", "in_words": title(figures)}
    sheet = pd.DataFrame([first, *rows, *({"item": item, "in_words": words} for item, words in said)])
    return sheet[["item", "mean", "lower", "upper", "unit", "in_words"]].astype({"unit": "str"})
