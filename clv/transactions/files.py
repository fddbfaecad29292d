"""Files of a log as they stand on disk: which ones a `source` setting names, what they are, and their text as UTF-8.

Spreadsheets become the CSV they would be saved as: whole numbers without a point, days and moments as ISO dates.
"""

import codecs
import csv
import errno
import glob
import io
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from itertools import accumulate
from pathlib import Path
from typing import IO

from clv.errors import InputError

CSV, PARQUET, SPREADSHEET, DUCKDB, SQLITE = "CSV", "Parquet", "a spreadsheet", "DuckDB", "SQLite"
SUFFIXES = {".csv", ".tsv", ".txt", ".gz", ".zst", ".parquet", ".pq"}  # what is read of a folder
LONGEST_HEADER = 1 << 16
_TOP = 40  # lines in which titles end and the header does
_BLOCK = 1 << 20
# The first bytes say what a file is, whatever its name.
_MAGIC = ((0, b"SQLite format 3\0", SQLITE), (0, b"PAR1", PARQUET), (8, b"DUCK", DUCKDB))
SHEETS = {b"PK\x03\x04": "a spreadsheet or ZIP archive", b"\xd0\xcf\x11\xe0": "an old spreadsheet"}
_OTHERS = {b"%PDF": "a PDF", b"BZh": "packed by bzip2", b"\xfd7zXZ": "packed by xz", b"ARROW1": "an Arrow file"}
_PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_MARKS = {
    **dict.fromkeys((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE), "utf-32"),
    **dict.fromkeys((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE), "utf-16"),
    codecs.BOM_UTF8: "utf-8-sig",
}


def find(source: str | Path) -> list[Path]:
    """Return the files that a path, a folder or a glob names, sorted by name; none if there are none.

    Of a folder these are the files at any depth whose name ends as logs' do; hidden ones are left out. A file that is
    found under several names, by links, counts once.
    """
    if os.path.isfile(source):
        return [Path(source)]
    if os.path.isdir(source):
        return _once(_logs_below(Path(source)))
    found = map(Path, glob.glob(str(source), recursive=True))
    return _once(file for file in found if os.path.isfile(file) and not file.name.startswith("."))


def kind(files: Sequence[Path]) -> str:
    """Return what the files are (CSV, PARQUET, DUCKDB or SQLITE); refuse a mixture and what cannot be read."""
    kinds = {file: _kind(file) for file in files}
    first = kinds[files[0]]
    for file, found in kinds.items():
        if found != first:
            raise InputError(f"{file.name} is {found} and {files[0].name} is {first}: give files of one kind.")
    if first in (DUCKDB, SQLITE) and len(files) > 1:
        raise InputError(f"source names {len(files)} databases: give one.")
    return first


def packing(file: Path) -> str:
    """Return how a file is compressed, as DuckDB names it: gzip, zstd or none."""
    begin = _begin(file)
    return next((name for magic, name in _PACKED.items() if begin.startswith(magic)), "none")


def encoding(file: Path, stated: str | None) -> str:
    """Return the encoding of a file's text: what its first bytes say, the stated one, or UTF-8."""
    try:
        with opened(file) as stream:
            begin = stream.read(4)
        known = codecs.lookup(stated or "utf-8").name
    except LookupError as error:
        raise InputError(f"encoding {stated} is not known: state one like latin-1 or cp1252.") from error
    except OSError as error:
        raise InputError(f"{file.name} cannot be opened: check that it is complete and may be read.") from error
    marked = next((name for mark, name in _MARKS.items() if begin.startswith(mark)), None)
    if len(begin) == 4 and not (any(begin[::2]) and any(begin[1::2])):  # UTF-16 without its mark
        marked = "utf-16-be" if begin[1] else "utf-16-le"
    return marked or ("utf-8" if known == "utf-8" else stated or known)


def header(file: Path, stated: str | None, titles: Callable[[list[str]], int]) -> tuple[int, str]:
    """Return how many of a file's first lines are `titles` above its header, and the header without its end.

    The header is a line, and more while a quote is open.
    """
    name = encoding(file, stated)
    try:
        lines = _first_lines(file, name)
        above = titles(lines[: _TOP // 2])
        records = accumulate(lines[above:], "{}\n{}".format)  # while a quote is open; if it never closes, one line
        line = next((record for record in records if record.count('"') % 2 == 0), lines[above])
        line.encode()
    except UnicodeError as error:
        raise InputError(f"{file.name} is not {name} text in its first line: {_state_encoding(stated)}.") from error
    if len(line) == LONGEST_HEADER:
        raise InputError(
            f"{file.name} begins with a line of more than {LONGEST_HEADER:,} characters: give a CSV file with a header."
        )
    if not line.strip():
        raise InputError(f"{file.name} is empty or begins with an empty line: give a file with a header on top.")
    if "\0" in line:
        raise InputError(f"{file.name} is not text in its first line: give a CSV or Parquet file, or state encoding.")
    return above, line


def _first_lines(file: Path, name: str) -> list[str]:
    """Return the first lines of a file without their ends; what is no text in them stands as surrogates."""
    # What is no text in the first block may stand below these lines: only they are judged.
    with opened(file) as stream, io.TextIOWrapper(stream, name, errors="surrogateescape", newline=None) as text:
        lines = [text.readline(LONGEST_HEADER).rstrip("\n") for _ in range(_TOP)]
    return [lines[0].removeprefix("\ufeff"), *lines[1:]]


def opened(file: Path) -> IO[bytes]:
    """Open a file for reading, unpacked."""
    import pyarrow as pa

    packed = packing(file)
    return file.open("rb") if packed == "none" else pa.input_stream(str(file), compression=packed)


@contextmanager
def copied(files: Sequence[Path], write: Callable[[Path, Path], None]) -> Iterator[list[Path]]:
    """Have `write` put a copy of each file under its name into a temporary folder; the copies vanish afterwards."""
    with tempfile.TemporaryDirectory(prefix="clv-") as folder:
        copies = [Path(folder) / str(number) / file.name for number, file in enumerate(files)]
        for file, copy in zip(files, copies, strict=True):
            copy.parent.mkdir()
            write(file, copy)
        yield copies


def as_utf8(file: Path, copy: Path, *, stated: str | None) -> None:
    """Copy a file as plain UTF-8 with one kind of line end.

    It begins with UTF-8's mark: what was stated of the original does not hold of its copy.
    """
    name, lines = encoding(file, stated), 0
    try:
        with (
            opened(file) as stream,
            io.TextIOWrapper(stream, name, newline=None) as text,
            copy.open("w", encoding="utf-8-sig", newline="\n") as target,
        ):
            while block := text.read(_BLOCK):
                lines += block.count("\n")
                target.write(block)
    except UnicodeError as error:
        where = f"{file.name}, in line {lines + 1} or after it,"
        raise InputError(f"{where} is not {name} text: {_state_encoding(stated)}.") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InputError(f"There is no room for a copy of {file.name} in UTF-8: free disk space.") from error
        raise InputError(f"{file.name} cannot be read to its end: check that it is complete.") from error


def as_csv(file: Path, copy: Path, *, sheet: str | None) -> None:
    """Write a sheet of a file as CSV: without a name the largest, and those with its first line."""
    with copy.open("w", encoding="utf-8-sig", newline="") as target:
        csv.writer(target, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(_rows(file, sheet))


def _state_encoding(stated: str | None) -> str:
    if stated:
        return "state another encoding"
    return "save it as CSV in UTF-8, or state its encoding, like latin-1 or cp1252"


def _logs_below(folder: Path) -> Iterator[Path]:
    for place, folders, names in folder.walk(on_error=_refuse_closed):
        folders[:] = [name for name in folders if not _is_hidden(name)]
        files = (place / name for name in names if not _is_hidden(name))
        yield from (file for file in files if file.suffix.lower() in SUFFIXES and os.path.isfile(file))


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "_"))


def _refuse_closed(error: OSError) -> None:
    folder = Path(error.filename).name
    raise InputError(f"folder {folder} cannot be opened ({error.strerror}): check that it may be read.") from error


def _once(files: Iterable[Path]) -> list[Path]:
    """Return each file under one of its names, rather the one that is no link."""
    worst_first = sorted(files, key=lambda file: (file.is_symlink(), len(file.parts), file), reverse=True)
    return sorted({os.path.realpath(file): file for file in worst_first}.values())


def _kind(file: Path) -> str:
    begin = _begin(file)
    if packing(file) != "none":
        _refuse_damaged(file)
    if begin[:4] in SHEETS:
        return SPREADSHEET
    for magic, what in _OTHERS.items():
        if begin.startswith(magic):
            raise InputError(f"{file.name} is {what}: save the log as CSV or Parquet.")
    if file.suffix.lower() in (".parquet", ".pq"):
        return PARQUET
    for place, magic, what in _MAGIC:
        if begin[place:].startswith(magic):
            return what
    with opened(file) as stream:
        text = stream.read(64).removeprefix(b"\xef\xbb\xbf").removeprefix(b"\xff\xfe").lstrip()
    if text[:1] in (b"{", b"[", b"<"):
        raise InputError(f"{file.name} looks like JSON, XML or a web page: save the log as CSV or Parquet.")
    return CSV


def _refuse_damaged(file: Path) -> None:
    """Refuse a packed file that was cut off or changed: DuckDB takes what is left of one packed by zstd for all."""
    try:
        with opened(file) as stream:
            while stream.read(_BLOCK):
                pass
    except OSError as error:
        raise InputError(
            f"{file.name} ends before its end or is damaged: it was not packed or copied completely."
        ) from error


def _begin(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(16)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise InputError(f"{file.name} cannot be opened ({reason}): check that it may be read.") from error


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
