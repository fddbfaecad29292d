"""Tables as files for people: who made them, of which day and in which currency stands in every row."""

import numpy as np
import pandas as pd

from clv.report.key_figures import SCHEMA_VERSION

SIGNIFICANT_DIGITS = 6
_LABELS = ("as_of", "horizon_weeks", "currency")


def exports(*, run_id: str | None, **tables: pd.DataFrame) -> dict[str, pd.DataFrame | None]:
    """Return each table, by its name, as its file shall hold it; None of one without rows."""
    return {name: exported(table, run_id=run_id) if len(table) else None for name, table in tables.items()}


def exported(table: pd.DataFrame, *, run_id: str | None) -> pd.DataFrame:
    """Return a labelled table with six significant digits and what it belongs to.

    A P(alive) of exactly 1 is what BG/NBD says of everybody who bought once, because it cannot tell: left empty.
    """
    numbers = table.select_dtypes("float").apply(_rounded)
    if "p_alive" in numbers:
        numbers["p_alive"] = numbers["p_alive"].where(table["p_alive"] < 1)
    known = {name: table.attrs[name] for name in _LABELS if name in table.attrs and name not in table}
    return table.assign(**numbers, **known, run_id=run_id or "", schema_version=SCHEMA_VERSION)


def _rounded(column: pd.Series) -> pd.Series:
    size = np.floor(np.log10(column.abs().where(column != 0, 1.0)))
    scale = 10.0 ** (SIGNIFICANT_DIGITS - 1 - size)
    return (column * scale).round() / scale
