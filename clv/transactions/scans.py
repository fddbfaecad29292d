"""How files are read: for each run of files with one header the table function that yields their rows as they stand."""

import csv
import glob
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from clv.errors import InputError, listed
from clv.transactions.connection import literal
from clv.transactions.files import header, packing
from clv.transactions.source import SourceSettings

DELIMITERS = (",", ";", "\t", "|")
SPARE_FIELDS = 16  # so many fields too many are a faulty row; more, and the file is refused
# What an absent field is read as: a text that no file holds, so that an empty field stays an empty text.
_ABSENT = "\x01\x02"
FILE = "name of the file"
COUNTED = "row_number() OVER ()"


@dataclass(frozen=True)
class Scan:
    """Files that are read at once: the table function, its columns by their names there, ragged cells, row numbers."""

    files: Sequence[Path]
    function: str
    columns: Mapping[str, str]
    ragged: str = "NULL::VARCHAR"
    number: str = COUNTED


def scan_csv(files: Sequence[Path], settings: SourceSettings, *, parallel: bool) -> list[Scan]:
    """Return the scans of the files, in their order; files in a row with one header are read at once.

    The delimiter is the one that splits the header into the columns we need. DuckDB's own detection is off: it
    takes a data row for the header when the delimiter is wrong, and forgives ragged rows.
    """
    headers = {file: header_of(file, settings) for file in files}
    runs = groupby(files, key=lambda file: (*headers[file], packing(file), "\n" in headers[file][1] and file))
    return [_scan_alike(list(alike), *what[:3], settings, parallel=parallel) for what, alike in runs]


def header_of(file: Path, settings: SourceSettings) -> tuple[int, str]:
    """Return how many lines of titles stand above a file's header, and the header."""
    return header(file, settings.encoding, partial(_titles, wanted=set(settings.wanted.values())))


def _titles(lines: Sequence[str], *, wanted: set[str]) -> int:
    """Return the place of the first line with all columns wanted or, without one, of the first that looks like names.

    Names fill every field of their line, more than any title above them, and the rows below have as many fields.
    """
    found = [at for at, line in enumerate(lines) if any(wanted <= set(split(line, mark)) for mark in DELIMITERS)]
    rows = [split(line, max(DELIMITERS, key="".join(lines).count)) for line in lines]
    found += [
        at
        for at, row in enumerate(rows)
        if len(row) > 1 and all(row) and not any(re.search(r"[\d@]", name) for name in row)
        if all(len(below) == len(row) > sum(map(bool, title)) for below in rows[at + 1 : at + 3] for title in rows[:at])
    ]
    return next(iter(found), 0)


def _scan_alike(
    files: Sequence[Path], above: int, header: str, packed: str, settings: SourceSettings, *, parallel: bool
) -> Scan:
    needed = set(settings.wanted.values())  # the likeliest splits the header into most of these, else into most columns
    by_likelihood = sorted(DELIMITERS, key=lambda mark: (-len(needed & set(split(header, mark))), -header.count(mark)))
    delimiter = settings.delimiter or by_likelihood[0]
    names = split(header, delimiter)
    _refuse_header(names, header, needed, delimiter, files[0].name)
    one_line = str("\n" not in header).lower()  # behind a byte order mark DuckDB sees a part of a longer one only
    types = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(names) + SPARE_FIELDS))
    scan = (
        f"read_csv({_names(files)}, auto_detect = false, skip = {above}, header = {one_line},"
        f" delim = {literal(delimiter)}, quote = '\"', escape = '\"', nullstr = {literal(_ABSENT)},"
        f" null_padding = true, strict_mode = true, filename = '{FILE}', parallel = {str(parallel).lower()},"
        f" compression = '{packed}', columns = {{{types}}})"
    )
    scan = scan if one_line == "true" else f"(FROM {scan} OFFSET 1)"
    spare = ", ".join(f"nullif(c{len(names) + number}, '')" for number in range(SPARE_FIELDS))
    ragged = (
        f"CASE WHEN c{len(names) - 1} IS NULL THEN 'too few fields'"
        f" WHEN coalesce({spare}) IS NOT NULL THEN 'too many fields' END"
    )
    return Scan(files, scan, {name: f"c{number}" for number, name in enumerate(names)}, ragged)


def scan_parquet(con: DuckDBPyConnection, files: Sequence[Path], needed: set[str]) -> list[Scan]:
    found = {file: _parquet_columns(con, file) for file in files}
    first = found[files[0]]
    for file, columns in found.items():
        # DuckDB would turn a later file's values into the first one's types: '007' into 7.
        other = sorted(name for name in needed & set(first) & set(columns) if first[name] != columns[name])
        if other:
            raise InputError(f"{file.name} has other types than {files[0].name}: {listed(other)}.")
    scans = []
    for columns, alike in ((what, list(run)) for what, run in groupby(files, key=found.__getitem__)):
        function = f"read_parquet({_names(alike)}, filename = '{FILE}', file_row_number = true)"
        # Counting rows takes one thread; a single file knows their numbers.
        number = "file_row_number + 1" if len(files) == 1 else COUNTED
        scans.append(Scan(alike, function, {name: at for name, (at, _) in columns.items()}, number=number))
    return scans


def _parquet_columns(con: DuckDBPyConnection, file: Path) -> dict[str, tuple[str, str]]:
    """Return the columns of a file by its own names: DuckDB's name, another one for names that differ only in case."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = con.execute(f"DESCRIBE SELECT * FROM read_parquet({_names([file])})").fetchall()
        names = pq.read_schema(file).names
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        raise InputError(f"{file.name} cannot be read as Parquet: write the file again.") from error
    return {name: (row[0], row[1]) for name, row in zip(names, rows, strict=True)}


def split(header: str, delimiter: str) -> list[str]:
    """Return the names in a header, each in one line and without spaces around it."""
    names = next(csv.reader(header.splitlines(True) or [header], delimiter=delimiter))
    return [" ".join(name.split()) for name in names]


def _names(files: Sequence[Path]) -> str:
    # DuckDB would take a bracket in a file's name for a pattern.
    return f"[{', '.join(literal(glob.escape(str(file))) for file in files)}]"


def _refuse_header(names: list[str], header: str, needed: set[str], delimiter: str, file: str) -> None:
    better = [mark for mark in DELIMITERS if mark != delimiter and needed <= set(split(header, mark))]
    if better and not needed <= set(names):
        raise InputError(
            f"{file} split by the delimiter {delimiter!r} has {len(names)} columns without {', '.join(sorted(needed))}:"
            f" delimiter {better[0]!r} finds them all."
        )
    if repeated := sorted(name for name in needed if names.count(name) > 1):
        raise InputError(f"{file} has several columns named {', '.join(repeated)}: rename all but one.")
