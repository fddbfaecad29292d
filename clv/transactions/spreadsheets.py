"""Spreadsheets as the CSV they would be saved as: whole numbers without a point, days and moments as ISO dates."""

import csv
from datetime import date, datetime, time
from pathlib import Path

from clv.errors import InputError
from clv.transactions.files import SHEETS


def as_csv(file: Path, copy: Path, *, sheet: str | None) -> None:
    """Write a sheet of a file as CSV: without a name the largest, and those with its first line."""
    with copy.open("w", encoding="utf-8-sig", newline="") as target:
        csv.writer(target, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(_rows(file, sheet))


def _rows(file: Path, sheet: str | None) -> list[list[str]]:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_path(file)
        if sheet and sheet not in book.sheet_names:
            raise InputError(f"{file.name} has no sheet {sheet} (found: {', '.join(book.sheet_names)}): correct table.")
        sheets = [book.get_sheet_by_name(name).to_python() for name in ([sheet] if sheet else book.sheet_names)]
        most = max(sheets, key=len)
        cells = most[:1] + [row for rows in sheets if rows[:1] == most[:1] for row in rows[1:]] if most[1:] else []
    except (CalamineError, OSError, ValueError) as error:
        with file.open("rb") as begin:
            what = SHEETS[begin.read(4)]
        raise InputError(f"{file.name} is {what}: save the log as CSV or Parquet.") from error
    if not cells:
        raise InputError(f"{file.name} holds no rows: give a spreadsheet with a header and transactions.")
    columns = zip(*cells, strict=True)
    timed = [any(isinstance(cell, datetime) and cell.time() != time() for cell in column) for column in columns]
    return [[_text(cell, hours) for cell, hours in zip(row, timed, strict=True)] for row in cells]


def _text(cell: object, with_time: bool) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))  # a spreadsheet knows no whole numbers: customer 12 is 12.0 there
    if isinstance(cell, date):
        moment = cell if isinstance(cell, datetime) else datetime.combine(cell, time())
        return moment.strftime("%Y-%m-%d %H:%M:%S" if with_time else "%Y-%m-%d")
    return str(cell)
