"""From a log, wherever it lies, to `source`: every record as it stands, strictly read, with its number.

CSV is read by DuckDB with all detection off; only the header is looked at here, to find columns and delimiter.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
from duckdb import DuckDBPyConnection

from clv.errors import InputError, listed
from clv.transactions import files as transactions_files
from clv.transactions.connection import FULL, harmless, quoted, reason
from clv.transactions.databases import COLUMN, everything, read_duckdb, read_postgresql, read_sqlite
from clv.transactions.files import CSV, DUCKDB, PARQUET, SPREADSHEET, SQLITE, as_csv, as_utf8, copied, encoding, find
from clv.transactions.parsing import INSTANT
from clv.transactions.scans import COUNTED, FILE, SPARE_FIELDS, Scan, header_of, scan_csv, scan_parquet
from clv.transactions.source import DATABASE, SourceSettings

_READ_AGAIN = ("null_padding in conjunction with quoted new lines", "state machine reached an invalid state")
# What the quick reader says of a file that it cannot read further, and what is said of it here.
_STOPPED = {
    "utf-8": "{where} is not UTF-8 text: save the file in UTF-8, or state its encoding, like latin-1 or cp1252.",
    "unterminated quote": "{where} opens a quote that never closes, or closes one within a text: correct the row.",
    "gzip": "{file} ends before its end: it was not packed or copied completely.",
    "zstd": "{file} ends before its end: it was not packed or copied completely.",
    "": "{where} cannot be read: check quotes, line ends and the delimiter.",
}
_BLOCK = 50  # rows that stay together in a sample


def read(con: DuckDBPyConnection, settings: SourceSettings) -> None:
    """Create `source`: record, the mapped columns under our names, `ragged`, and `file` if there are several.

    CSV columns stay text, so identifiers never become numbers and "NA" never becomes missing; other sources keep their
    types. Record 1 is the first one after the header; several files are numbered through in the order of their names.
    `ragged` says what is wrong with the number of fields of a CSV's row. Files are read when the view is (`run_over`).
    """
    _read(con, settings)


def sample(con: DuckDBPyConnection, settings: SourceSettings, *, rows: int) -> tuple[list[str], list[tuple]]:
    """Return the names of all columns of a log, and rows of it as they stand: its first, and of files some throughout.

    Of `settings` only what says where the log is and how its file is written counts: nothing is mapped yet.
    """
    _read(con, settings, all_columns=True, most=rows)
    # The rest comes in blocks: orders of several lines stay whole, and customers of one day together.
    chosen = f"CASE WHEN record <= {rows // 2} THEN 0 ELSE hash(record // {_BLOCK}) END"
    picked = f"SELECT * FROM source ORDER BY {chosen}, record LIMIT {rows}"
    run_over(con, settings, f"CREATE OR REPLACE TABLE looked AS {picked}", all_columns=True)
    extra = {"record", "ragged", "file"}
    kinds = [row[:2] for row in con.execute("DESCRIBE looked").fetchall() if row[0] not in extra]
    # Python would need another library for instants; their zone is put back here.
    cells = (f"timezone('UTC', {quoted(at)}) AS {quoted(at)}" if kind == INSTANT else quoted(at) for at, kind in kinds)
    found = con.execute(f"SELECT {', '.join(cells)} FROM looked ORDER BY record").fetchall()
    for at in (place for place, (_, kind) in enumerate(kinds) if kind == INSTANT):
        found = [(*row[:at], row[at] and row[at].replace(tzinfo=UTC), *row[at + 1 :]) for row in found]
    return [name.partition(COLUMN)[2] for name, _ in kinds], found


def run_over(con: DuckDBPyConnection, settings: SourceSettings, query: str, *, all_columns: bool = False) -> None:
    """Run a query that reads all of `source`; a file that cannot be read is refused, naming file and line.

    What the quick reader cannot read is tried again: texts with line ends in them by one thread, Windows and Unix line
    ends in one file from a copy that has one kind.
    """
    again = [{"parallel": False}, {"rewrite": True}]
    while True:
        try:
            con.execute(query)
        except duckdb.Error as error:
            hopeless = not any(sign in str(error) for sign in _READ_AGAIN)
            if hopeless or not again:
                raise _unreadable(error, settings) from error
            _read(con, settings, all_columns=all_columns, **again.pop(0))
        else:
            return


def require_columns(con: DuckDBPyConnection, settings: SourceSettings) -> None:
    """Refuse a log that lacks a column, as soon as its header or its database tells."""
    files = [] if str(settings.path) == DATABASE else files_of(settings)
    kind = transactions_files.kind(files) if files else DATABASE
    if kind in (DATABASE, DUCKDB, SQLITE):
        return _read(con, settings, most=0)
    if kind in (CSV, PARQUET):
        needed = set(settings.wanted.values())
        scans = scan_parquet(con, files, needed) if kind == PARQUET else scan_csv(files, settings, parallel=False)
        for scan in scans:
            _refuse_missing(needed - set(scan.columns), scan.columns, settings, scan.files[0])


def files_of(settings: SourceSettings) -> list[Path]:
    """Return the files of a log that lies in files; refuse a place where there is none."""
    found = find(settings.path)
    if not found:
        raise InputError(
            f"source {settings.path} was not found: name an existing CSV, Parquet, DuckDB or SQLite file, a folder "
            "or a glob."
        )
    return found


def _read(
    con: DuckDBPyConnection,
    settings: SourceSettings,
    *,
    parallel: bool = True,
    rewrite: bool = False,
    all_columns: bool = False,
    most: int | None = None,
) -> None:
    """Create `source`; of a database not more than `most` rows."""
    earlier = "SELECT table_type FROM information_schema.tables WHERE table_name = 'source'"
    for (what,) in con.execute(earlier).fetchall():
        con.execute(f"DROP {'VIEW' if what == 'VIEW' else 'TABLE'} source")
    wanted = None if all_columns else settings.wanted
    asked: dict[str, Any] = {"table": settings.table, "query": settings.query, "most": most}
    if str(settings.path) == DATABASE:
        return read_postgresql(con, wanted, variable=settings.database_url_env or "", **asked)
    files = files_of(settings)
    kind = transactions_files.kind(files)
    if kind in (DUCKDB, SQLITE):
        return (read_duckdb if kind == DUCKDB else read_sqlite)(con, wanted, file=files[0], **asked)
    if settings.query or (settings.table and kind != SPREADSHEET):
        raise InputError(f"{files[0].name} is {kind}: table and query are for databases, remove them.")
    if kind == PARQUET:
        return _create(con, "VIEW", scan_parquet(con, files, set(settings.wanted.values())), settings, wanted)
    encodings = {encoding(file, settings.encoding) for file in files} if kind == CSV else set()
    # Below titles, or a name of two lines, DuckDB silently finds no rows, if all other lines end in another way.
    headers = [header_of(file, settings) for file in files] if kind == CSV else []
    rewrite = rewrite or any(above or "\n" in names for above, names in headers)
    if not rewrite and encodings and encodings <= {"utf-8", "utf-8-sig"}:
        return _create(con, "VIEW", scan_csv(files, settings, parallel=parallel), settings, wanted)
    sheets = kind == SPREADSHEET
    write = partial(as_csv, sheet=settings.table) if sheets else partial(as_utf8, stated=settings.encoding)
    with copied(files, write) as copies:
        try:
            _create(con, "TABLE", scan_csv(copies, settings, parallel=False), settings, wanted)
        except duckdb.Error as error:
            raise _unreadable(error, settings) from error


def _create(
    con: DuckDBPyConnection,
    what: str,
    scans: Sequence[Scan],
    settings: SourceSettings,
    wanted: Mapping[str, str] | None,
) -> None:
    """Create `source` from one scan after the other: columns are found by name, whatever stands beside them."""
    if wanted is None:
        wanted = everything([name for name in scans[0].columns if all(name in scan.columns for scan in scans)])
        if not wanted:
            name = Path(settings.path).name
            raise InputError(f"{name} has no column that each of its files names once: give the files of one log.")
    named = len(scans) > 1 or len(scans[0].files) > 1
    parts = []
    for scan in scans:
        _refuse_missing(set(wanted.values()) - set(scan.columns), scan.columns, settings, scan.files[0])
        selected = ", ".join(f"{quoted(scan.columns[name])} AS {quoted(ours)}" for ours, name in wanted.items())
        file = f", parse_filename({quoted(FILE)}) AS file" if named else ""
        number = f"{scan.number} AS record, " if len(scans) == 1 else ""
        parts.append(f"SELECT {number}{selected}, {scan.ragged} AS ragged{file} FROM {scan.function}")
    number = "" if len(scans) == 1 else f"{COUNTED} AS record, "
    con.execute(f"CREATE {what} source AS SELECT {number}* FROM ({' UNION ALL '.join(parts)})")


def _refuse_missing(missing: set[str], found: Mapping[str, str], settings: SourceSettings, file: Path) -> None:
    if not missing:
        return
    lacks = f"{file.name} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(sorted(missing))}"
    if transactions_files.kind([file]) == CSV and any(re.search(r"^[\d.,/-]+$|@", name) for name in found):
        raise InputError(
            f"{lacks}, and its first line looks like a row of data: put a line with the columns' names on top."
        )
    raise InputError(
        f"{lacks} (found: {listed(found)}): map customer_id, date and amount to the log's names under columns."
    )


def _unreadable(error: duckdb.Error, settings: SourceSettings) -> InputError:
    """Return the refusal that says in which file and line reading stopped, without quoting what stands there."""
    message = str(error)
    if isinstance(error, duckdb.OutOfMemoryException):
        return InputError(FULL)
    files = find(settings.path)
    if not files or transactions_files.kind(files) in (DUCKDB, SQLITE):
        said = harmless(reason(error), settings.wanted.values())
        return InputError(f"The log in {Path(settings.path).name} cannot be read ({said}).")
    file = next((file.name for file in files if file.name in message), files[0].name)
    line = re.search(r"CSV Error on Line: (\d+)", message)
    where = f"{file}, line {line[1]}" if line else file
    counts = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message)
    if counts:
        expected, found = int(counts[1]) - SPARE_FIELDS, max(int(counts[2]), int(counts[1]) + 1)
        return InputError(
            f"{where} has {found} fields or more where the header has {expected}: correct the row or quote its text."
        )
    if transactions_files.kind(files) == PARQUET:
        return InputError(f"{file} cannot be read as Parquet to its end: write the file again.")
    said = next(said for sign, said in _STOPPED.items() if sign in message.lower())
    return InputError(said.format(where=where, file=file))
