"""From a file to the table `source`: every record as it stands, strictly read, with its number.

CSV is read by DuckDB with all detection off; only the header is looked at here, to find columns and delimiter.
"""

import csv
import glob
import gzip
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import IO, cast

import duckdb
from duckdb import DuckDBPyConnection

from clv.database import literal, one, quoted
from clv.errors import InputError

CDNOW = Path(__file__).parent / "data" / "cdnow.csv"
CDNOW_COLUMNS = {"customer_id": "id", "date": "date", "amount": "amount"}
ISO_DATE = "%Y-%m-%d"
REQUIRED = ("customer_id", "date", "amount")
DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class SourceSettings:
    """Where the log is, how it is written, and the policies of cleaning (the keys of the params file)."""

    path: str | Path
    columns: Mapping[str, str] = field(default_factory=dict)
    date_format: str | None = None
    delimiter: str | None = None
    observation_end: date | None = None
    zero_amounts: str = "visit"
    refunds: str = "net"
    exclude_pattern: str | None = None
    max_rejected_share: float = 0.10

    def name_of(self, column: str) -> str:
        """Return the name in the source of one of our columns; unmapped ones have our own name."""
        return self.columns.get(column, column)


def read(con: DuckDBPyConnection, settings: SourceSettings) -> None:
    """Create the table `source`: record, customer_id, date, amount, order_id, in the order of the file.

    CSV columns stay text, so identifiers never become numbers and "NA" never becomes missing; Parquet keeps its types.
    Record 1 is the first one after the header; several files (a glob) are numbered through in the order of their names.
    """
    files = _files(settings)
    parquet = files[0].suffix.lower() in {".parquet", ".pq"}
    scan, found = _scan_parquet(con, files) if parquet else _scan_csv(files, settings)
    positions = _positions(found, settings, files[0].name)
    selected = ", ".join(f"{quoted(column)} AS {name}" for name, column in positions.items())
    order = "" if "order_id" in positions else ", NULL::VARCHAR AS order_id"
    try:
        con.execute(
            f"CREATE OR REPLACE TABLE source AS SELECT row_number() OVER () AS record, {selected}{order} FROM {scan}",
            [_names(files)],
        )
    except duckdb.Error as error:
        raise InputError(_unreadable(error, files)) from error
    if not one(con, "SELECT count(*) FROM source"):
        raise InputError(f"{files[0].name} holds no rows after its header: give a file with transactions.")


def _files(settings: SourceSettings) -> list[Path]:
    path = Path(settings.path)
    found = [path] if path.is_file() else sorted(Path(name) for name in glob.glob(str(path)) if Path(name).is_file())
    if not found:
        raise InputError(f"source {settings.path} was not found: name an existing CSV or Parquet file, or a glob.")
    return found


def _names(files: Sequence[Path]) -> list[str]:
    # DuckDB would take a bracket in a file's name for a pattern.
    return [glob.escape(str(file)) for file in files]


def _scan_csv(files: Sequence[Path], settings: SourceSettings) -> tuple[str, dict[str, str]]:
    """Return the table function that reads the files, and their columns: name in the header -> name in the scan.

    The delimiter is the one that splits the header into the columns we need. DuckDB's own detection is off: it
    takes a data row for the header when the delimiter is wrong, and forgives ragged rows.
    """
    headers = {file: _header(file) for file in files}
    needed = _needed(settings)
    first = headers[files[0]]
    delimiter = settings.delimiter or max(DELIMITERS, key=lambda mark: len(needed & set(_split(first, mark))))
    names = _split(first, delimiter)
    for file, header in headers.items():
        if _split(header, delimiter) != names:
            raise InputError(f"{file.name} has another header than {files[0].name}: give files with the same columns.")
    _refuse_wrong_delimiter(names, first, needed, delimiter, files[0].name)
    types = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(names)))
    scan = (
        f"read_csv(?, auto_detect = false, header = true, delim = {literal(delimiter)}, quote = '\"', escape = '\"',"
        f" nullstr = '', strict_mode = true, columns = {{{types}}})"
    )
    repeated = sorted(name for name in needed if names.count(name) > 1)
    if repeated:
        raise InputError(f"{files[0].name} has several columns named {', '.join(repeated)}: rename all but one.")
    return scan, {name: f"c{number}" for number, name in enumerate(names)}


def _scan_parquet(con: DuckDBPyConnection, files: Sequence[Path]) -> tuple[str, dict[str, str]]:
    try:
        rows = con.execute("DESCRIBE SELECT * FROM read_parquet(?)", [_names(files)]).fetchall()
    except duckdb.Error as error:
        raise InputError(f"{files[0].name} cannot be read as Parquet: write the file again.") from error
    return "read_parquet(?)", {row[0]: row[0] for row in rows}


def _header(file: Path) -> str:
    try:
        with _open(file) as stream:
            line = stream.readline(65_536).decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{file.name} is not UTF-8 text: save it as CSV in UTF-8.") from error
    except (OSError, EOFError) as error:
        raise InputError(f"{file.name} cannot be opened: check that it is complete and may be read.") from error
    if not line.strip():
        raise InputError(f"{file.name} is empty: give a file with a header and transactions.")
    return line


def _open(file: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(file)) if file.suffix.lower() == ".gz" else file.open("rb")


def _split(header: str, delimiter: str) -> list[str]:
    return [name.strip() for name in next(csv.reader([header], delimiter=delimiter))]


def _needed(settings: SourceSettings) -> set[str]:
    return {settings.name_of(column) for column in _wanted(settings)}


def _wanted(settings: SourceSettings) -> tuple[str, ...]:
    return (*REQUIRED, "order_id") if "order_id" in settings.columns else REQUIRED


def _refuse_wrong_delimiter(names: list[str], header: str, needed: set[str], delimiter: str, file: str) -> None:
    better = [mark for mark in DELIMITERS if mark != delimiter and needed <= set(_split(header, mark))]
    if better and not needed <= set(names):
        raise InputError(
            f"{file} split by the delimiter {delimiter!r} has {len(names)} columns without {', '.join(sorted(needed))}:"
            f" delimiter {better[0]!r} finds them all."
        )


def _positions(found: Mapping[str, str], settings: SourceSettings, file: str) -> dict[str, str]:
    missing = sorted(_needed(settings) - set(found))
    if missing:
        raise InputError(
            f"{file} lacks the column {', '.join(missing)} (found: {', '.join(found)}):"
            " map customer_id, date and amount to the file's names under columns."
        )
    return {name: found[settings.name_of(name)] for name in _wanted(settings)}


def _unreadable(error: duckdb.Error, files: Sequence[Path]) -> str:
    message = str(error)
    file = next((file.name for file in files if str(file) in message), files[0].name)
    line = re.search(r"CSV Error on Line: (\d+)", message)
    where = f"{file}, line {line[1]}" if line else file
    counts = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message)
    if counts:
        return f"{where} has {counts[2]} fields where the header has {counts[1]}: correct the row or quote its text."
    if "utf-8" in message:
        return f"{where} is not UTF-8 text: save the file as CSV in UTF-8."
    if "unterminated quote" in message:
        return f"{where} opens a quote that never closes: correct the row."
    return f"{where} cannot be read: check quotes, line ends and the delimiter."
