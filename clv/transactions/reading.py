"""From a log, wherever it lies, to `source`: every record as it stands, strictly read, with its number.

CSV is read by DuckDB with all detection off; only the header is looked at here, to find columns and delimiter.
"""

import csv
import glob
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from clv.errors import InputError, listed
from clv.transactions import files as transactions_files
from clv.transactions.complaints import FULL, harmless, reason
from clv.transactions.connection import literal, quoted
from clv.transactions.databases import read_duckdb, read_postgresql, read_sqlite
from clv.transactions.files import CSV, DUCKDB, PARQUET, SQLITE, encoding, find, first_lines, packing, rewritten
from clv.transactions.source import DATABASE, SourceSettings

DELIMITERS = (",", ";", "\t", "|")
SPARE_FIELDS = 16  # so many fields too many are a faulty row; more, and the file is refused
# What an absent field is read as: a text that no file holds, so that an empty field stays an empty text.
_ABSENT = "\x01\x02"
_READ_AGAIN = ("null_padding in conjunction with quoted new lines", "state machine reached an invalid state")
_FILE = "name of the file"
_TITLE_LINES = 20  # so far down a header is looked for, to say where it stands


def read(con: DuckDBPyConnection, settings: SourceSettings) -> None:
    """Create `source`: record, the mapped columns under our names, `ragged`, and `file` if there are several.

    CSV columns stay text, so identifiers never become numbers and "NA" never becomes missing; other sources keep their
    types. Record 1 is the first one after the header; several files are numbered through in the order of their names.
    `ragged` says what is wrong with the number of fields of a CSV's row. Files are read when the view is (`run_over`).
    """
    _read(con, settings)


def sample(con: DuckDBPyConnection, settings: SourceSettings, *, rows: int) -> tuple[list[str], list[tuple]]:
    """Return the names of all columns of a log in files, and its first rows as they stand.

    Of `settings` only path, delimiter and encoding count: nothing is mapped yet.
    """
    files = files_of(settings)
    kind = transactions_files.kind(files)
    if kind == PARQUET:
        scan, found, _ = _scan_parquet(con, files)
        return _some(con, scan, found, rows, settings)
    if kind != CSV:
        raise InputError(f"{files[0].name} is a {kind} database: copy params/cdnow.yaml, name its table and columns.")
    with rewritten(files[:1], settings.encoding) as copies:
        scan, found, _ = _scan_csv(copies, settings, parallel=False)
        return _some(con, scan, found, rows, settings)


def _some(
    con: DuckDBPyConnection, scan: str, found: Mapping[str, str], rows: int, settings: SourceSettings
) -> tuple[list[str], list[tuple]]:
    columns = ", ".join(map(quoted, found.values()))
    try:
        return list(found), con.execute(f"SELECT {columns} FROM {scan} LIMIT {rows}").fetchall()
    except duckdb.Error as error:
        raise _unreadable(error, settings) from error


def run_over(con: DuckDBPyConnection, settings: SourceSettings, query: str) -> None:
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
            _read(con, settings, **again.pop(0))
        else:
            return


def require_columns(con: DuckDBPyConnection, settings: SourceSettings) -> None:
    """Refuse a log in files that lacks a column, as soon as its header tells; a database is asked when it is read."""
    files = files_of(settings)
    kind = transactions_files.kind(files)
    if kind in (CSV, PARQUET):
        scan = _scan_parquet(con, files) if kind == PARQUET else _scan_csv(files, settings, parallel=False)
        _refuse_missing(set(settings.wanted.values()) - set(scan[1]), scan[1], settings, files[0])


def files_of(settings: SourceSettings) -> list[Path]:
    """Return the files of a log that lies in files; refuse a place where there is none."""
    found = find(settings.path)
    if not found:
        raise InputError(
            f"source {settings.path} was not found: name an existing CSV, Parquet, DuckDB or SQLite file, a folder "
            "or a glob."
        )
    return found


def _read(con: DuckDBPyConnection, settings: SourceSettings, *, parallel: bool = True, rewrite: bool = False) -> None:
    earlier = "SELECT table_type FROM information_schema.tables WHERE table_name = 'source'"
    for (what,) in con.execute(earlier).fetchall():
        con.execute(f"DROP {'VIEW' if what == 'VIEW' else 'TABLE'} source")
    if str(settings.path) == DATABASE:
        return read_postgresql(
            con, settings.wanted, variable=settings.database_url_env or "", table=settings.table, query=settings.query
        )
    files = files_of(settings)
    kind = transactions_files.kind(files)
    if kind in (DUCKDB, SQLITE):
        reader = read_duckdb if kind == DUCKDB else read_sqlite
        return reader(con, settings.wanted, file=files[0], table=settings.table, query=settings.query)
    if settings.table or settings.query:
        raise InputError(f"{files[0].name} is {kind}: table and query are for databases, remove them.")
    if kind == PARQUET:
        return _create(con, "VIEW", *_scan_parquet(con, files), settings, files)
    encodings = {encoding(file, settings.encoding) for file in files}
    if not rewrite and encodings <= {"utf-8", "utf-8-sig"}:
        return _create(con, "VIEW", *_scan_csv(files, settings, parallel=parallel), settings, files)
    with rewritten(files, settings.encoding) as copies:
        try:
            _create(con, "TABLE", *_scan_csv(copies, settings, parallel=False), settings, copies)
        except duckdb.Error as error:
            raise _unreadable(error, settings) from error


def _create(
    con: DuckDBPyConnection,
    what: str,
    scan: str,
    found: Mapping[str, str],
    ragged: str,
    settings: SourceSettings,
    files: Sequence[Path],
) -> None:
    _refuse_missing(set(settings.wanted.values()) - set(found), found, settings, files[0])
    selected = ", ".join(f"{quoted(found[name])} AS {column}" for column, name in settings.wanted.items())
    file = f", parse_filename({quoted(_FILE)}) AS file" if len(files) > 1 else ""
    columns = f"row_number() OVER () AS record, {selected}, {ragged} AS ragged{file}"
    con.execute(f"CREATE {what} source AS SELECT {columns} FROM {scan}")


def _refuse_missing(missing: set[str], found: Mapping[str, str], settings: SourceSettings, file: Path) -> None:
    if not missing:
        return
    lacks = f"{file.name} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(sorted(missing))}"
    if transactions_files.kind([file]) == CSV:
        lines = first_lines(file, settings.encoding, _TITLE_LINES)
        for number, line in enumerate(lines[1:], start=2):
            if any(set(settings.wanted.values()) <= set(split(line, mark)) for mark in DELIMITERS):
                raise InputError(f"{file.name} has its header in line {number}: remove the lines above it.")
        if any(re.search(r"^[\d.,/-]+$|@", name) for name in found):
            raise InputError(
                f"{lacks}, and its first line looks like a row of data: put a line with the columns' names on top."
            )
    raise InputError(
        f"{lacks} (found: {listed(found)}): map customer_id, date and amount to the log's names under columns."
    )


def _names(files: Sequence[Path]) -> str:
    # DuckDB would take a bracket in a file's name for a pattern.
    return f"[{', '.join(literal(glob.escape(str(file))) for file in files)}]"


def _scan_csv(files: Sequence[Path], settings: SourceSettings, *, parallel: bool) -> tuple[str, dict[str, str], str]:
    """Return the table function that reads the files, their columns (name in the header -> name in the scan), `ragged`.

    The delimiter is the one that splits the header into the columns we need. DuckDB's own detection is off: it
    takes a data row for the header when the delimiter is wrong, and forgives ragged rows.
    """
    headers = {file: transactions_files.header(file, settings.encoding) for file in files}
    first = headers[files[0]]
    delimiter = settings.delimiter or likely_delimiter(first, set(settings.wanted.values()))
    names = split(first, delimiter)
    for file, header in headers.items():
        if split(header, delimiter) != names:
            raise InputError(f"{file.name} has another header than {files[0].name}: give files with the same columns.")
    _refuse_header(names, first, settings, delimiter, files[0].name)
    packings = {packing(file) for file in files}
    if len(packings) > 1:
        raise InputError("source mixes packed and unpacked files: give files of one kind.")
    types = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(names) + SPARE_FIELDS))
    scan = (
        f"read_csv({_names(files)}, auto_detect = false, header = true, delim = {literal(delimiter)}, quote = '\"',"
        f" escape = '\"', nullstr = {literal(_ABSENT)}, null_padding = true, strict_mode = true, filename = '{_FILE}',"
        f" parallel = {str(parallel).lower()}, compression = '{packings.pop()}', columns = {{{types}}})"
    )
    spare = ", ".join(f"nullif(c{len(names) + number}, '')" for number in range(SPARE_FIELDS))
    ragged = (
        f"CASE WHEN c{len(names) - 1} IS NULL THEN 'too few fields'"
        f" WHEN coalesce({spare}) IS NOT NULL THEN 'too many fields' END"
    )
    return scan, {name: f"c{number}" for number, name in enumerate(names)}, ragged


def _scan_parquet(con: DuckDBPyConnection, files: Sequence[Path]) -> tuple[str, dict[str, str], str]:
    kinds = {file: _parquet_columns(con, file) for file in files}
    first = kinds[files[0]]
    for file, columns in kinds.items():
        # DuckDB would turn a later file's values into the first one's types: '007' into 7.
        other = sorted(name for name in {**first, **columns} if first.get(name) != columns.get(name))
        if other:
            raise InputError(f"{file.name} has other columns or types than {files[0].name}: {listed(other)}.")
    return f"read_parquet({_names(files)}, filename = '{_FILE}')", {name: name for name in first}, "NULL::VARCHAR"


def _parquet_columns(con: DuckDBPyConnection, file: Path) -> dict[str, str]:
    try:
        rows = con.execute(f"DESCRIBE SELECT * FROM read_parquet({_names([file])})").fetchall()
    except duckdb.Error as error:
        raise InputError(f"{file.name} cannot be read as Parquet: write the file again.") from error
    return {row[0]: row[1] for row in rows}


def likely_delimiter(header: str, needed: set[str]) -> str:
    """Return the delimiter that splits the header into most of the needed columns, and else into most columns."""
    return max(DELIMITERS, key=lambda mark: (len(needed & set(split(header, mark))), header.count(mark)))


def split(header: str, delimiter: str) -> list[str]:
    """Return the names in a header."""
    return [name.strip() for name in next(csv.reader([header], delimiter=delimiter))]


def _refuse_header(names: list[str], header: str, settings: SourceSettings, delimiter: str, file: str) -> None:
    needed = set(settings.wanted.values())
    better = [mark for mark in DELIMITERS if mark != delimiter and needed <= set(split(header, mark))]
    if better and not needed <= set(names):
        raise InputError(
            f"{file} split by the delimiter {delimiter!r} has {len(names)} columns without {', '.join(sorted(needed))}:"
            f" delimiter {better[0]!r} finds them all."
        )
    repeated = sorted(name for name in needed if names.count(name) > 1)
    if repeated:
        raise InputError(f"{file} has several columns named {', '.join(repeated)}: rename all but one.")


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
    if "utf-8" in message:
        return InputError(
            f"{where} is not UTF-8 text: save the file in UTF-8, or state its encoding, like latin-1 or cp1252."
        )
    if "unterminated quote" in message:
        return InputError(f"{where} opens a quote that never closes, or closes one within a text: correct the row.")
    if "GZIP" in message or "ZSTD" in message.upper():
        return InputError(f"{file} ends before its end: it was not packed or copied completely.")
    if transactions_files.kind(files) == PARQUET:
        return InputError(f"{file} cannot be read as Parquet to its end: write the file again.")
    return InputError(f"{where} cannot be read: check quotes, line ends and the delimiter.")
