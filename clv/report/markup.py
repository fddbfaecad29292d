"""The look of a table in notebooks and pages: cells in words, numbers aligned, everything escaped."""

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

import pandas as pd

from clv.words import NBSP, amount

SENTENCE_CHARACTERS = 26  # from which a column needs room to break its lines in


class Words(pd.DataFrame):
    """A table as people read it: a notebook shows it as the pages do, under its caption."""

    @property
    def _constructor(self) -> type["Words"]:
        return Words

    def captioned(self, caption: str) -> "Words":
        """Return the table with a caption."""
        table = Words(self)
        table.attrs["caption"] = caption
        return table

    def _repr_html_(self) -> str:
        return markup(self)


def worded(columns: Mapping[str, Any], caption: str = "") -> Words:
    """Return a table in words, whose first column names its rows."""
    return Words(Words(columns).set_index(next(iter(columns)))).captioned(caption)


def markup(table: pd.DataFrame) -> str:
    """Return the HTML of `table`: its caption, row names first, everything escaped."""
    names = [name if isinstance(name, tuple) else (name,) for name in table.index]
    cells = [[*map(str, name), *map(str, row)] for name, row in zip(names, table.to_numpy(), strict=True)]
    header = [name or "" for name in table.index.names] + [str(column) for column in table.columns]
    columns = [_kind([row[place] for row in cells]) for place in range(len(header))]
    levels = table.index.nlevels
    lines = [_line(header, columns, len(header)), *(_line(row, columns, levels) for row in cells)]
    caption = table.attrs.get("caption", "")
    above = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{above}<thead>{lines[0]}</thead><tbody>{''.join(lines[1:])}</tbody></table>"


def _line(cells: list[str], columns: list[str], headers: int) -> str:
    tags = ["th"] * headers + ["td"] * (len(cells) - headers)
    written = (
        f'<{tag} class="{kind}">{escape(cell)}</{tag}>' for tag, cell, kind in zip(tags, cells, columns, strict=True)
    )
    return f"<tr>{''.join(written)}</tr>"


def _kind(cells: list[str]) -> str:
    if all(map(_is_number, cells)):
        return "number"
    return "sentence" if max(map(len, cells)) > SENTENCE_CHARACTERS else "word"


def _is_number(cell: str) -> bool:
    return not cell or (cell.lstrip("-+<")[:1].isdigit() and ", " not in cell)


def ranges(lower: pd.Series, upper: pd.Series, written: Callable[[float], str] = amount) -> list[str]:
    """Return each pair of limits as words."""
    return [f"{written(low)} to {written(high)}".replace(" ", NBSP) for low, high in zip(lower, upper, strict=True)]
