"""Contract of every table: its columns, their meaning, and what must hold in every row.

`check(TABLE, frame)` returns the frame unchanged or refuses it, naming table, rule, extent and first offender. Beside
every column with lower in its name stands one with upper, which is not below it. The `meaning` of each column is also
the data dictionary of the exports.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import pandas as pd
from pandas.api import types

from clv.errors import IntegrityError

TEXT, INTEGER, NUMBER, DATE = "text", "integer", "number", "date"

_KINDS: dict[str, tuple[str, Callable[[pd.Series], bool]]] = {
    TEXT: ("str", types.is_string_dtype),
    INTEGER: ("int64", types.is_integer_dtype),
    NUMBER: ("float64", types.is_float_dtype),
    DATE: ("datetime64[us]", types.is_datetime64_any_dtype),
}


@dataclass(frozen=True)
class Column:
    """What one column holds."""

    kind: str
    meaning: str
    nullable: bool = False


@dataclass(frozen=True)
class Rule:
    """A sentence that is true of every good row, and the test that finds the bad ones."""

    broken: str
    offenders: Callable[[pd.DataFrame], pd.Series]


class Table:
    """A table's name, rules, key (unique together; else the first column) and columns in order."""

    def __init__(self, name: str, /, *rules: Rule, key: tuple[str, ...] = (), **columns: Column) -> None:
        self.name, self.key, self.rules, self.columns = name, key or tuple(columns)[:1], rules, columns


def check(table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` if it fulfils `table`; raise `IntegrityError` naming the first thing that is wrong."""
    _check_columns(table, frame)
    for name, column in table.columns.items():
        _refuse(table, frame, f"{name} is missing", frame[name].isna() & (not column.nullable))
    _refuse(table, frame, f"{', '.join(table.key)} repeats", frame.duplicated(list(table.key)))
    limits = [(name, upper) for name in table.columns if (upper := name.replace("lower", "upper")) != name]
    for rule in (*table.rules, *(unordered(*pair) for pair in limits)):
        _refuse(table, frame, rule.broken, rule.offenders(frame))
    return frame


def with_texts(table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` with the columns that `table` calls text as pandas' text, also where all are missing."""
    return frame.astype({name: "str" for name, column in table.columns.items() if column.kind == TEXT})


def empty(table: Table) -> pd.DataFrame:
    """Return `table` without rows."""
    return pd.DataFrame({name: pd.Series(dtype=_KINDS[column.kind][0]) for name, column in table.columns.items()})


def dictionary(table: Table) -> pd.DataFrame:
    """Return the data dictionary of `table`: one row per column with its kind and meaning."""
    rows = [(name, column.kind, column.meaning) for name, column in table.columns.items()]
    return pd.DataFrame(rows, columns=["column", "kind", "meaning"])


def _check_columns(table: Table, frame: pd.DataFrame) -> None:
    missing = [name for name in table.columns if name not in frame.columns]
    unknown = [str(name) for name in frame.columns if name not in table.columns]
    if missing or unknown:
        raise IntegrityError(f"{table.name}: columns missing: {missing or 'none'}; unknown: {unknown or 'none'}.")
    for name, column in table.columns.items():
        if not _KINDS[column.kind][1](frame[name]):
            raise IntegrityError(f"{table.name}: column {name} must be {column.kind}, found {frame[name].dtype}.")


def _refuse(table: Table, frame: pd.DataFrame, broken: str, offends: pd.Series) -> None:
    if not offends.any():
        return
    row = frame[offends].iloc[0]
    # Of a customer only the place: the sentence may end on a page that must not name customers.
    named = [name for name in table.key if name != "customer_id"]
    place = int(offends.to_numpy().argmax()) + 1
    first = ", ".join([f"row {place}", *(f"{name} {row[name]}" for name in named)])
    raise IntegrityError(f"{table.name}: {broken} in {int(offends.sum())} rows (first: {first}).")


def below_zero(name: str) -> Rule:
    return Rule(f"{name} is below zero", lambda frame: frame[name] < 0)


def unordered(*names: str) -> Rule:
    def offenders(frame: pd.DataFrame) -> pd.Series:
        # Closed forms and simulated limits meet up to rounding.
        gaps = [frame[low] > frame[high] + frame[high].abs() * 1e-9 + 1e-9 for low, high in pairwise(names)]
        return pd.concat(gaps, axis=1).any(axis=1)

    return Rule(f"{' <= '.join(names)} does not hold", offenders)


def outside_unit(*names: str) -> Rule:
    return Rule(
        f"{' or '.join(names)} lies outside [0, 1]",
        lambda frame: ((frame[list(names)] < -1e-12) | (frame[list(names)] > 1 + 1e-12)).any(axis=1),
    )


CUSTOMER = Column(TEXT, "customer identifier, exactly as in the log")
