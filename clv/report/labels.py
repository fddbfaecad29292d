"""What a table's figures are in, kept with the table: its currency, its interval, its horizon.

A label goes wherever pandas and Parquet carry the attributes of a table, so what 05 labels and writes, 06 need not ask.
"""

from typing import Any

import pandas as pd

from clv.errors import ClvError


def label(*tables: pd.DataFrame, **labels: str | float) -> None:
    """Let tables know the run's `currency`, the probability inside their limits (`interval`), and `horizon_weeks`."""
    for table in tables:
        table.attrs.update(labels)


def currency_of(table: pd.DataFrame) -> str:
    """Return the three letters of the table's currency."""
    return str(_label(table, "currency"))


def interval_of(table: pd.DataFrame) -> float:
    """Return the probability inside the table's limits."""
    return float(_label(table, "interval"))


def _label(table: pd.DataFrame, name: str) -> Any:
    if name not in table.attrs:
        raise ClvError(f"a table without its {name}: give it to `report.label` first ({', '.join(table.columns[:4])}).")
    return table.attrs[name]
