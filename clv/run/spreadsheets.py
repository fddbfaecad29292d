"""Tables as files that spreadsheets open: text stays text, no cell is a formula."""

import csv
from collections.abc import Mapping
from datetime import datetime
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Imported where it is used: `clv.run prepare` needs names only, and quickly.
if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 50_000  # of a sheet, written in 20 s: more are slow to open, and Excel itself ends at 1,048,576
_WIDEST = 70  # characters
_LOOKS = {"M": "yyyy-mm-dd", "f": "#,##0.00####", "i": "#,##0"}  # by the kind of a column
_AS_TEXT = dict.fromkeys(("strings_to_formulas", "strings_to_numbers", "strings_to_urls"), False)


def write_for_people(frame: "pd.DataFrame", file: Path) -> None:
    """Write `frame` as CSV; text that a spreadsheet would take for a formula gets a leading '."""
    harmless = frame.assign(**frame.select_dtypes(exclude="number").map(_guarded)).rename(columns=_guarded)
    harmless.to_csv(file, index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)


def _guarded(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def write_workbook(sheets: "Mapping[str, pd.DataFrame | None]", file: Path, *, as_of: str) -> None:
    """Write a sheet for each table, row by row, so that none needs memory; of one that is too long where it stands."""
    import pandas as pd
    import xlsxwriter

    # No text becomes a formula, number or link, whatever it looks like.
    with xlsxwriter.Workbook(file, {"constant_memory": True, **_AS_TEXT}) as book:
        book.set_properties({"created": datetime.fromisoformat(as_of)})  # else the same run would leave other bytes
        for name, frame in sheets.items():
            if frame is not None and len(frame) > MOST_ROWS:
                told = f"{len(frame):,} rows are more than a sheet should hold; all stand in exports/{name}.csv."
                frame = pd.DataFrame({name: [told]})
            if frame is not None:
                _write_sheet(book, book.add_worksheet(name), frame)


def _write_sheet(book: Any, sheet: Any, frame: "pd.DataFrame") -> None:
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, len(frame), len(frame.columns) - 1)
    for place, name in enumerate(frame):
        longest = max((len(str(cell)) for cell in frame[name].head(1000)), default=0)
        look = {"valign": "top", "text_wrap": longest > _WIDEST}
        look["num_format"] = _LOOKS.get(frame[name].dtype.kind, "General")
        sheet.set_column(place, place, min(max(longest, len(name)) + 3, _WIDEST), book.add_format(look))
    sheet.write_row(0, 0, frame.columns, book.add_format({"bold": True, "bottom": 1}))
    cells = frame.astype(object).mask(frame.isna() | frame.isin([inf, -inf]), None)
    for number, row in enumerate(cells.itertuples(index=False, name=None), start=1):
        sheet.write_row(number, 0, row)
