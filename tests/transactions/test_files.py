"""What source_files promises: the files meant, once each, as what they hold, read to their end in any encoding."""

import codecs
import errno
import gzip
import os
import re
import tempfile
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from helpers import COLUMNS, cleaned, kept, rules, source

from clv.errors import InputError
from clv.transactions import connection, reading
from clv.transactions import files as transactions_files
from clv.transactions.files import CSV, DUCKDB, PARQUET, SQLITE
from clv.transactions.reading import run_over
from clv.transactions.source import SourceSettings

HEADER = "id,date,amount\n"
LOG = HEADER + "é,2024-01-01,1.5\n€uro,2024-01-02,2\n"
READ = [("é", "01-01", 1.5), ("€uro", "01-02", 2)]
MANY = 150_000  # rows: more than one reader takes at a time
closed_to_us = pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")


def zstd(text: bytes) -> bytes:
    """Return bytes packed by zstd."""
    packed = pa.BufferOutputStream()
    with pa.CompressedOutputStream(packed, "zstd") as stream:
        stream.write(text)
    return packed.getvalue().to_pybytes()


def files(folder: Path, held: Mapping[str, bytes]) -> Path:
    """Write files and return their folder."""
    for name, content in held.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return folder


def settings(path: Path | str, **options) -> SourceSettings:
    """Return the settings that read a log with the columns of these tests."""
    return SourceSettings(
        path, **({"columns": COLUMNS, "date_format": "%Y-%m-%d", "max_rejected_share": 1.0} | options)
    )


def refused(log: SourceSettings) -> str:
    """Return the sentence that a log is refused with."""
    with pytest.raises(InputError) as refusal:
        cleaned(log)
    return str(refusal.value)


def rows(log: SourceSettings) -> list[tuple]:
    """Return what is read, in its order: record, customer, date, amount, what is wrong with the number of fields."""
    con = connection.connect()
    reading.read(con, log)
    run_over(con, log, "CREATE TABLE found AS SELECT record, customer_id, date, amount, ragged FROM source")
    return con.execute("SELECT * FROM found ORDER BY record").fetchall()


# --- which files ---


def found(source: Path | str, *, of: Path) -> list[str]:
    """Return the names of the files that a setting names, from a folder on."""
    return [str(file.relative_to(of)) for file in transactions_files.find(source)]


def test_of_a_folder_logs_at_any_depth_are_found_in_the_order_of_their_names(tmp_path):
    names = [
        "b.csv",
        "a.CSV",
        "2024/c.csv.gz",
        "2024/q1/d.tsv",
        "e.parquet",
        "f.pq",
        "g.txt",
        "h.csv.zst",
        "k.csv/l.csv",
    ]
    files(tmp_path, dict.fromkeys(names, b""))
    assert found(tmp_path, of=tmp_path) == sorted(names)


def test_of_a_folder_hidden_and_other_files_are_left_out(tmp_path):
    left_out = [".a.csv", "_b.csv", ".git/c.csv", "_old/d.csv", "e.md", "f.xlsx", "g.db", "h.duckdb", "csv", "_SUCCESS"]
    files(tmp_path, dict.fromkeys([*left_out, "a.csv"], b""))
    assert found(tmp_path, of=tmp_path) == ["a.csv"]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.csv", ["_b.csv", "a.csv"]),
        ("*", ["_b.csv", "a.csv", "c.md"]),
        ("**/*.csv", ["2024/d.csv", "2024/q1/e.csv", "_b.csv", "a.csv"]),
        ("2024/*", ["2024/d.csv"]),
        ("[ab].csv", ["a.csv"]),
        ("?.csv", ["a.csv"]),
        (".old/*.csv", [".old/g.csv"]),
        (".*.csv", []),
        ("*.parquet", []),
    ],
)
def test_a_glob_finds_the_files_that_it_matches_and_no_hidden_ones(tmp_path, pattern, names):
    held = ["a.csv", "_b.csv", "c.md", "2024/d.csv", "2024/q1/e.csv", ".f.csv", ".old/g.csv", "x.csv/h.md"]
    files(tmp_path, dict.fromkeys(held, b""))
    assert found(tmp_path / pattern, of=tmp_path) == names


@pytest.mark.parametrize("name", ["log", ".log.csv", "log.md", "a[1].csv", "a*.csv", "[!a].csv", "ä é.csv", " .csv"])
def test_a_file_that_is_named_is_found_whatever_its_name(tmp_path, name):
    files(tmp_path, {name: b"", "a1.csv": b"", "b.csv": b""})
    assert found(tmp_path / name, of=tmp_path) == [name]


@pytest.mark.parametrize(
    "name", ["nowhere.csv", "nowhere/*.csv", "empty", "hidden", "broken.csv", "queue.csv", "x" * 300, "a\0b", "["]
)
def test_where_there_is_no_log_none_is_found(tmp_path, name):
    (tmp_path / "empty").mkdir()
    files(tmp_path, {"hidden/.a.csv": b"", "hidden/_b.csv": b""})
    (tmp_path / "broken.csv").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "queue.csv")
    assert transactions_files.find(tmp_path / name) == []
    assert refused(settings(tmp_path / name)).endswith(
        "was not found: name an existing CSV, Parquet, DuckDB or SQLite file, a folder or a glob."
    )


@pytest.mark.parametrize("pattern", ["", "*", "**/*.csv"])
def test_a_file_that_links_lead_to_as_well_is_found_once(tmp_path, pattern):
    files(tmp_path, {"orders.csv": b"", "2024/more.csv": b""})
    (tmp_path / "latest.csv").symlink_to("orders.csv")
    (tmp_path / "again.csv").symlink_to(tmp_path / "latest.csv")
    (tmp_path / "2024" / "up").symlink_to(tmp_path)
    at_any_depth = [] if pattern == "*" else ["2024/more.csv"]
    assert found(tmp_path / pattern, of=tmp_path) == [*at_any_depth, "orders.csv"]


def test_a_file_or_folder_that_only_a_link_leads_to_is_found(tmp_path):
    elsewhere = files(tmp_path / "elsewhere", {"orders.csv": b""})
    place = files(tmp_path / "place", {"a.csv": b""})
    (place / "b.csv").symlink_to(elsewhere / "orders.csv")
    (tmp_path / "link").symlink_to(place)
    assert found(tmp_path / "link", of=tmp_path / "link") == ["a.csv", "b.csv"]


def test_a_folder_that_a_link_in_a_folder_leads_to_is_not_part_of_it(tmp_path):
    elsewhere = files(tmp_path / "elsewhere", {"orders.csv": b""})
    place = files(tmp_path / "place", {"a.csv": b""})
    (place / "b").symlink_to(elsewhere)
    assert found(place, of=place) == ["a.csv"]


@closed_to_us
def test_a_folder_with_a_part_that_may_not_be_read_is_refused(tmp_path):
    files(tmp_path, {"a.csv": LOG.encode(), "closed/b.csv": LOG.encode(), ".closed/c.csv": b""})
    for name in ("closed", ".closed"):
        (tmp_path / name).chmod(0)
    try:
        sentence = refused(settings(tmp_path))
    finally:
        (tmp_path / "closed").chmod(0o700)
    assert sentence == "folder closed cannot be opened (Permission denied): check that it may be read."
    assert found(tmp_path, of=tmp_path) == ["a.csv", "closed/b.csv"]


@closed_to_us
@pytest.mark.parametrize("name", ["log.csv", "log.parquet", "log.duckdb"])
def test_a_file_that_may_not_be_read_is_refused(tmp_path, name):
    (tmp_path / name).write_text(LOG)
    (tmp_path / name).chmod(0)
    sentence = f"{name} cannot be opened (Permission denied): check that it may be read."
    assert refused(settings(tmp_path / name)) == sentence


# --- what they are ---


@pytest.mark.parametrize(
    ("begin", "name", "what"),
    [
        (b"id,date\n", "log.csv", CSV),
        (b"id,date\n", "log.sqlite", CSV),
        (b"id\n", "log.duckdb", CSV),
        (b"", "log", CSV),
        (gzip.compress(b"id\n", mtime=0), "log.csv", CSV),
        (zstd(b"id\n"), "log.csv", CSV),
        (b"PAR1", "log.csv", PARQUET),
        (b"id\n", "log.parquet", PARQUET),
        (b"id\n", "log.PQ", PARQUET),
        (b"SQLite format 3\0", "log.csv", SQLITE),
        (b"SQLite format 3,date", "log.csv", CSV),
        (b"12345678DUCK", "log.csv", DUCKDB),
        (b"DUCK,id", "log.csv", CSV),
    ],
)
def test_a_file_is_what_its_first_bytes_say(tmp_path, begin, name, what):
    (tmp_path / name).write_bytes(begin)
    assert transactions_files.kind([tmp_path / name]) == what


@pytest.mark.parametrize(
    ("begin", "what"),
    [
        (b"PK\x03\x04", "a spreadsheet or ZIP archive"),
        (b"\xd0\xcf\x11\xe0", "an old spreadsheet"),
        (b"%PDF-1.7", "a PDF"),
        (b"BZh9", "packed by bzip2"),
        (b"\xfd7zXZ\0", "packed by xz"),
        (b"ARROW1\0\0", "an Arrow file"),
    ],
)
@pytest.mark.parametrize("name", ["log.csv", "log.parquet"])
def test_a_file_of_another_kind_is_refused_saying_what_it_is(tmp_path, begin, what, name):
    (tmp_path / name).write_bytes(begin)
    assert refused(settings(tmp_path / name)) == f"{name} is {what}: save the log as CSV or Parquet."


@pytest.mark.parametrize(
    ("second", "what"), [(b"PAR1", PARQUET), (b"SQLite format 3\0", SQLITE), (b"12345678DUCK", DUCKDB)]
)
def test_files_of_several_kinds_are_refused(tmp_path, second, what):
    files(tmp_path, {"a.csv": b"id\n", "b.csv": second})
    assert refused(settings(tmp_path)) == f"b.csv is {what} and a.csv is CSV: give files of one kind."


@pytest.mark.parametrize("begin", [b"SQLite format 3\0", b"12345678DUCK"])
def test_several_databases_are_refused(tmp_path, begin):
    files(tmp_path, {"a.db": begin, "b.db": begin})
    assert refused(settings(tmp_path / "*.db")) == "source names 2 databases: give one."


def test_a_table_of_files_that_have_none_is_refused(tmp_path):
    (tmp_path / "log.csv").write_text(LOG)
    sentence = "log.csv is CSV: table and query are for databases, remove them."
    assert refused(settings(tmp_path / "log.csv", table="orders")) == sentence


# --- encodings ---

LATIN = LOG.replace("€", "¤")
ENCODED = {
    "UTF-8": (LOG.encode(), None),
    "UTF-8, stated": (LOG.encode(), "UTF8"),
    "UTF-8 with its mark": (LOG.encode("utf-8-sig"), None),
    "UTF-8 with its mark, another one stated": (LOG.encode("utf-8-sig"), "cp1252"),
    "UTF-16, low byte first": (b"\xff\xfe" + LOG.encode("utf-16-le"), None),
    "UTF-16, high byte first": (b"\xfe\xff" + LOG.encode("utf-16-be"), None),
    "UTF-16, another one stated": (b"\xfe\xff" + LOG.encode("utf-16-be"), "latin-1"),
    "UTF-16 without a mark, stated": (LOG.encode("utf-16-le"), "utf-16-le"),
    "UTF-16 without a mark": (LOG.encode("utf-16-le"), None),
    "UTF-16 without a mark, high byte first": (LOG.encode("utf-16-be"), None),
    "UTF-32": (LOG.encode("utf-32"), None),
    "cp1252": (LOG.encode("cp1252"), "cp1252"),
    "latin-9": (LOG.encode("iso8859-15"), "iso-8859-15"),
    "UTF-8 by gzip": (gzip.compress(LOG.encode(), mtime=0), None),
    "cp1252 by gzip": (gzip.compress(LOG.encode("cp1252"), mtime=0), "cp1252"),
    "UTF-16 by gzip": (gzip.compress(LOG.encode("utf-16"), mtime=0), None),
    "UTF-8 by zstd": (zstd(LOG.encode()), None),
    "cp1252 by zstd": (zstd(LOG.encode("cp1252")), "cp1252"),
    "two parts by gzip": (gzip.compress(LOG[:20].encode(), mtime=0) + gzip.compress(LOG[20:].encode()), None),
    "two parts by zstd": (zstd(LOG[:20].encode()) + zstd(LOG[20:].encode()), None),
}


@pytest.mark.parametrize(("content", "stated"), ENCODED.values(), ids=ENCODED)
def test_customers_are_the_same_in_every_encoding(tmp_path, content, stated):
    assert kept(cleaned(source(tmp_path, content, encoding=stated))) == READ


@pytest.mark.parametrize("name", ["UTF-8", "utf8", "U8"])
def test_utf_8_is_utf_8_however_it_is_written(tmp_path, name):
    (tmp_path / "log.csv").write_text(LOG, encoding="utf-8")
    assert transactions_files.encoding(tmp_path / "log.csv", name) == "utf-8"  # so that no copy is made of it


def test_latin_1_is_read_by_file_and_packed(tmp_path):
    log = (HEADER + "Zoë,2024-01-01,1.5\n").encode("latin-1")
    files(tmp_path, {"a.csv": log, "b.csv": log})
    assert [row[1] for row in rows(settings(tmp_path, encoding="latin-1"))] == ["Zoë", "Zoë"]
    files(tmp_path, {"a.csv": gzip.compress(log, mtime=0), "b.csv": gzip.compress(log)})
    assert [row[1] for row in rows(settings(tmp_path, encoding="latin-1"))] == ["Zoë", "Zoë"]


def test_files_of_one_log_may_differ_in_encoding_and_line_ends(tmp_path):
    files(
        tmp_path,
        {
            "a.csv": LOG.encode("cp1252"),
            "b.csv": LOG.encode("utf-8-sig"),
            "c.csv": LOG.replace("\n", "\r\n").encode("utf-16"),
            "d.csv": LOG.replace("\n", "\r").encode("cp1252"),
        },
    )
    read = rows(settings(tmp_path, encoding="cp1252"))
    assert [row[:2] for row in read] == list(enumerate(["é", "€uro"] * 4, start=1))


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-8", "utf-8-sig"])
def test_columns_are_found_by_their_names_in_every_encoding(tmp_path, encoding):
    text = "Käufer;Größe;date;amount\n7;XL;2024-01-01;1.5\n"
    columns = COLUMNS | {"customer_id": "Käufer", "product": "Größe"}
    log = source(tmp_path, text.encode(encoding), encoding=encoding, columns=columns)
    assert kept(cleaned(log)) == [("7", "01-01", 1.5)]


@pytest.mark.parametrize(
    ("text", "stated", "sentence"),
    [
        (
            LOG.encode("cp1252"), None,
            "log.csv, line 2 is not UTF-8 text: save the file in UTF-8, or state its encoding, like latin-1 or cp1252.",
        ),
        (LOG.encode(), "ascii", "log.csv, in line 1 or after it, is not ascii text: state another encoding."),
        (b"\x81\n", "cp1252", "log.csv is not cp1252 text in its first line: state another encoding."),
        (
            b"\xff\xfe" + LOG.encode("utf-16-le")[:-1], None,
            "log.csv is not utf-16 text in its first line:"
            " save it as CSV in UTF-8, or state its encoding, like latin-1 or cp1252.",
        ),
        (LOG.encode(), "klingon", "encoding klingon is not known: state one like latin-1 or cp1252."),
    ],
)  # fmt: skip
def test_a_file_in_another_encoding_than_stated_is_refused(tmp_path, text, stated, sentence):
    assert refused(source(tmp_path, text, encoding=stated)) == sentence


def test_a_file_whose_encoding_changes_late_is_refused_saying_where(tmp_path):
    line = b"ada,2024-01-01,1\n"
    text = HEADER.encode() + line * 200_000 + b"\x81va,2024-01-01,1\n"
    sentence = refused(source(tmp_path, text, encoding="cp1252"))
    line = re.match(r"log\.csv, in line (\d+) or after it, is not cp1252 text", sentence)
    assert line
    assert 100_000 < int(line[1]) <= 200_002


# --- line ends ---

LINES = [
    "id,date,amount,note",
    "ada,2024-01-01,1,a",
    "bob,2024-01-02,2,b",
    "carl,2024-01-03,3,c",
    "dora,2024-01-04,4,d",
]
LINE_ENDS = {
    "Unix": ["\n"],
    "Windows": ["\r\n"],
    "old Mac": ["\r"],
    "Unix, then Windows": ["\n", "\r\n"],
    "Windows, then Unix": ["\r\n", "\n"],
    "Mac, then Unix": ["\r", "\n"],
    "all of them": ["\n", "\r\n", "\r"],
    "written twice as text": ["\r\r\n"],
}


def joined(lines: list[str], ends: list[str]) -> bytes:
    """Return a text whose lines end in turn in each of `ends`."""
    return "".join(line + ends[number % len(ends)] for number, line in enumerate(lines)).encode()


@pytest.mark.parametrize("ends", LINE_ENDS.values(), ids=LINE_ENDS)
@pytest.mark.parametrize("packed", [bytes, gzip.compress, zstd])
def test_lines_may_end_in_any_way(tmp_path, ends, packed):
    assert rows(source(tmp_path, packed(joined(LINES, ends)), columns=COLUMNS)) == [
        (1, "ada", "2024-01-01", "1", None),
        (2, "bob", "2024-01-02", "2", None),
        (3, "carl", "2024-01-03", "3", None),
        (4, "dora", "2024-01-04", "4", None),
    ]


def many_lines(*, every: int, note: str, count: int = MANY) -> list[str]:
    """Return a header and lines whose amount is their number; every so many lines there is a note."""
    notes = {True: note, False: "b"}
    return [LINES[0]] + [
        f"c{number},2024-01-01,{number},{notes[number % every == 0]}" for number in range(1, count + 1)
    ]


def assert_numbered(log: SourceSettings, *, count: int = MANY) -> None:
    """Every row was read whole, and its record number is the one that stands in it."""
    con = cleaned(log)
    wrong = "rule IS NOT NULL OR money <> record OR customer <> 'c' || record"
    read = con.execute(f"SELECT count(*), max(record), count(*) FILTER ({wrong}) FROM judged").fetchone()
    assert read == (count, count, 0)


@pytest.mark.slow
@pytest.mark.parametrize("ends", LINE_ENDS.values(), ids=LINE_ENDS)
def test_records_of_a_large_file_are_numbered_right_with_any_line_ends(tmp_path, ends):
    half = MANY // 2
    lines = many_lines(every=MANY, note="a")
    # The first half ends its lines in one way: nothing that looks at the beginning alone could know.
    assert_numbered(source(tmp_path, joined(lines[:half], ends[:1]) + joined(lines[half:], ends), columns=COLUMNS))


@pytest.mark.slow
@pytest.mark.parametrize("note", ['"two\nlines"', '"two\r\nlines"', '"one\n\n\nafter, another"', '"a ""\n"""'])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("every", [1, 4999])
def test_records_of_a_large_file_are_numbered_right_with_line_ends_in_texts(tmp_path, note, end, every):
    lines = many_lines(every=every, note=note)
    assert_numbered(source(tmp_path, joined(lines, [end]), columns=COLUMNS))


def test_records_of_a_large_file_in_another_encoding_are_numbered_right(tmp_path):
    lines = many_lines(every=11, note='"zwei\r\nGrößen, €"')
    assert_numbered(
        source(tmp_path, joined(lines, ["\r\n"]).decode().encode("cp1252"), encoding="cp1252", columns=COLUMNS)
    )


def test_line_ends_in_texts_of_identifiers_stay(tmp_path):
    text = HEADER + '"a\nb",2024-01-01,1\n"c\r\nd",2024-01-02,2\n'
    assert [row[1] for row in rows(source(tmp_path, text))] == ["a\nb", "c\r\nd"]


# --- temporary copies ---


@contextmanager
def nothing_left_behind(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """The block may use a temporary folder, and leaves nothing in it."""
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (LOG.encode("cp1252"), {"encoding": "cp1252"}),
        (LOG.encode("utf-16"), {}),
        (joined(LINES, ["\n", "\r\n"]), {"columns": COLUMNS}),
    ],
)
def test_copies_vanish_when_they_are_read(tmp_path, monkeypatch, text, options):
    log = source(tmp_path, text, **options)
    with nothing_left_behind(tmp_path / "temporary", monkeypatch):
        assert kept(cleaned(log))


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (LOG.encode("cp1252") + b"\x81", {"encoding": "cp1252"}),
        (LOG.encode("utf-16")[:-1], {}),
        (LOG.encode("utf-16"), {"columns": COLUMNS | {"date": "day"}}),
        (LOG.replace("é", '"é').encode("utf-16"), {}),
        (LOG.replace("1.5", "1.5" + ",9" * 20).encode("utf-16"), {}),
        (gzip.compress(LOG.encode("cp1252"), mtime=0)[:-12], {"encoding": "cp1252"}),
        (HEADER.encode("utf-16"), {}),
    ],
)
def test_copies_vanish_also_when_the_log_is_refused(tmp_path, monkeypatch, text, options):
    log = source(tmp_path, text, **options)
    with nothing_left_behind(tmp_path / "temporary", monkeypatch):
        assert refused(log)


def test_a_copy_for_which_there_is_no_room_is_not_called_an_incomplete_file(tmp_path, monkeypatch):
    @contextmanager
    def full(file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        yield

    log = source(tmp_path, LOG.encode("cp1252"), encoding="cp1252")
    as_utf8 = transactions_files.as_utf8

    def as_utf8_on_a_full_disk(*files, **stated):
        monkeypatch.setattr(transactions_files, "opened", full)
        monkeypatch.setattr(transactions_files, "encoding", lambda file, stated: stated)
        as_utf8(*files, **stated)

    monkeypatch.setattr(reading, "as_utf8", as_utf8_on_a_full_disk)
    assert refused(log) == "There is no room for a copy of log.csv in UTF-8: free disk space."


# --- rows with more or fewer fields ---


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("x,2024-01-01", "too few fields"),
        ("x", "too few fields"),
        ("   ", "too few fields"),
        ('""', "too few fields"),
        ("x,2024-01-01,1,9", "too many fields"),
        ("x,2024-01-01,1,,9", "too many fields"),
        ("x,2024-01-01,1" + "," * 15 + "9", "too many fields"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_row_with_too_few_or_too_many_fields_is_a_fault_of_its_record(tmp_path, line, fault, end):
    lines = ["id,date,amount", "ada,2024-01-01,1", line, "bob,2024-01-02,2"]
    con = cleaned(source(tmp_path, joined(lines, [end])))
    found = con.execute("SELECT record, rule, value FROM rejected").fetchall()
    assert found == [(2, "ragged_row", fault)]
    assert kept(con) == [("ada", "01-01", 1), ("bob", "01-02", 2)]


@pytest.mark.parametrize("spare", [",", ",,", "," * 16])
@pytest.mark.parametrize("everywhere", [True, False])
def test_delimiters_at_the_end_of_rows_say_nothing(tmp_path, spare, everywhere):
    lines = ["id,date,amount", "ada,2024-01-01,1", "bob,2024-01-02,2"]
    lines = [line + spare if everywhere or "ada" in line else line for line in lines]
    con = cleaned(source(tmp_path, joined(lines, ["\n"])))
    assert kept(con) == [("ada", "01-01", 1), ("bob", "01-02", 2)]
    assert rules(con) == []


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_without_anything_are_no_records(tmp_path, end):
    lines = ["id,date,amount", "", "ada,2024-01-01,1", "", "", "bob,2024-01-02,2", "x,2024-01-03", "", ""]
    read = rows(source(tmp_path, joined(lines, [end])))
    assert [(row[0], row[1], row[4]) for row in read] == [
        (1, "ada", None),
        (2, "bob", None),
        (3, "x", "too few fields"),
    ]


@pytest.mark.parametrize("row", [",,", " ,  ,", '"","",""'])
def test_rows_in_which_nothing_stands_are_left_out_and_no_faults(tmp_path, row):
    con = cleaned(source(tmp_path, LOG + row + "\n", max_rejected_share=0.0))
    assert rules(con) == [[3, "empty_row"]]
    assert kept(con) == READ


def test_faults_late_in_a_large_file_are_faults_of_their_records(tmp_path):
    lines = many_lines(every=7, note='"two\nlines"')
    lines[100_001] = "x,2024-01-01"
    lines[140_002] += ",9"
    con = cleaned(source(tmp_path, joined(lines, ["\n"]), columns=COLUMNS))
    assert rules(con) == [[100_001, "ragged_row"], [140_002, "ragged_row"]]


# --- several files ---


def parquet(file: Path, *names: str) -> None:
    """Write a Parquet file with a purchase of each customer."""
    file.parent.mkdir(parents=True, exist_ok=True)
    day = pd.Timestamp("2024-01-01")
    pd.DataFrame({"id": names, "date": [day] * len(names), "amount": [1.5] * len(names)}).to_parquet(file)


def test_a_folder_of_parquet_is_one_log_numbered_through(tmp_path):
    parquet(tmp_path / "2024" / "b.parquet", "carl", "dora")
    parquet(tmp_path / "2023" / "a.pq", "ada", "bob")
    parquet(tmp_path / "_temporary" / "c.parquet", "eve")
    files(tmp_path, {"_SUCCESS": b"", ".a.pq.crc": b"x"})
    con = cleaned(settings(tmp_path))
    assert con.execute("SELECT record, customer, file FROM judged ORDER BY record").fetchall() == [
        (1, "ada", "a.pq"),
        (2, "bob", "a.pq"),
        (3, "carl", "b.parquet"),
        (4, "dora", "b.parquet"),
    ]


def test_parquet_is_parquet_under_any_name(tmp_path):
    parquet(tmp_path / "log.csv", "ada")
    assert kept(cleaned(settings(tmp_path / "log.csv"))) == [("ada", "01-01", 1.5)]


def test_a_folder_of_csv_and_parquet_is_refused(tmp_path):
    parquet(tmp_path / "a.parquet", "ada")
    files(tmp_path, {"b.csv": LOG.encode()})
    assert refused(settings(tmp_path)) == "b.csv is CSV and a.parquet is Parquet: give files of one kind."


def test_packed_and_plain_files_are_read_together(tmp_path):
    files(tmp_path, {"a.csv": LOG.encode(), "b.csv": gzip.compress(LOG.encode(), mtime=0)})
    assert len(cleaned(settings(tmp_path)).execute("FROM source").fetchall()) == 2 * (LOG.count("\n") - 1)


@pytest.mark.slow
@pytest.mark.parametrize("packed", [bytes, gzip.compress, zstd])
def test_records_of_several_files_are_numbered_through(tmp_path, packed):
    third = MANY // 3
    lines = many_lines(every=9999, note="a")
    for number, name in enumerate(["a.csv", "b/c.csv", "d.csv"]):
        part = lines[1 + number * third : 1 + (number + 1) * third]
        files(tmp_path, {name: packed(joined([lines[0], *part], ["\n"]))})
    assert_numbered(settings(tmp_path))


def test_a_file_with_a_header_alone_adds_no_records(tmp_path):
    files(tmp_path, {"a.csv": HEADER.encode(), "b.csv": LOG.encode(), "c.csv": HEADER.encode()})
    assert [row[:2] for row in rows(settings(tmp_path))] == [(1, "é"), (2, "€uro")]


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n", b"\r\n\r\n", gzip.compress(b"", mtime=0)])
def test_a_file_without_a_header_is_refused_naming_it(tmp_path, content):
    files(tmp_path, {"a.csv": content, "b.csv": LOG.encode()})
    sentence = "a.csv is empty or begins with an empty line: give a file with a header on top."
    assert refused(settings(tmp_path)) == sentence


# --- damaged and strange files ---


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
@pytest.mark.parametrize("share", [0, 0.001, 0.01, 0.5, 0.99, 0.9999])
def test_a_packed_file_that_was_cut_off_is_refused(tmp_path, pack, encoding, share):
    packed = pack(joined(many_lines(every=3, note="€", count=30_000), ["\n"]).decode().encode(encoding))
    log = source(tmp_path, packed[: 4 + int(len(packed) * share)], encoding=encoding, columns=COLUMNS)
    sentence = "log.csv ends before its end or is damaged: it was not packed or copied completely."
    assert refused(log) == sentence


@pytest.mark.parametrize("place", [-8, -100, 50])
def test_a_packed_file_with_a_changed_byte_is_refused(tmp_path, place):
    packed = bytearray(gzip.compress(joined(many_lines(every=3, note="a", count=30_000), ["\n"])))
    packed[place] ^= 0xFF
    assert "ends before its end or is damaged" in refused(source(tmp_path, bytes(packed), columns=COLUMNS))


@pytest.mark.parametrize("text", ["x" * 1_000_000, HEADER.strip() + ",x" * 40_000 + "\nada,2024-01-01,1\n"])
def test_a_file_whose_first_line_is_no_header_is_refused(tmp_path, text):
    sentence = "log.csv begins with a line of more than 65,536 characters: give a CSV file with a header."
    assert refused(source(tmp_path, text)) == sentence


@pytest.mark.parametrize("name", ["x" * 1_000_000, '"' + "x\n" * 500_000 + '"'])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_line_of_a_million_characters_is_read(tmp_path, name, encoding):
    text = HEADER + f"{name},2024-01-01,1\nbob,2024-01-02,2\n"
    read = rows(source(tmp_path, text.encode(encoding)))
    assert [(len(row[1]), row[3]) for row in read] == [(1_000_000, "1"), (3, "2")]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_zero_bytes_stay_in_their_cell(tmp_path, encoding):
    text = HEADER + "a\0b,2024-01-01,1\n\0,2024-01-02,2\n"
    read = rows(source(tmp_path, text.encode(encoding), encoding=encoding))
    assert [row[1] for row in read] == ["a\0b", "\0"]


def test_a_folder_whose_name_ends_like_a_files_is_a_folder(tmp_path):
    files(tmp_path / "orders.csv", {"a.csv": LOG.encode()})
    assert kept(cleaned(settings(tmp_path / "orders.csv"))) == READ


@pytest.mark.parametrize("row", [",\t,", "\u00a0,,\u200b"])
def test_rows_of_tabs_and_invisible_characters_are_empty(tmp_path, row):
    con = cleaned(source(tmp_path, LOG + row + "\n", max_rejected_share=0.0))
    assert rules(con) == [[3, "empty_row"]]
    assert kept(con) == READ


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda text: codecs.BOM_UTF8 + text])
def test_json_is_seen_behind_a_mark_and_packed(tmp_path, pack):
    (tmp_path / "log.csv").write_bytes(pack(b'[{"id": "ada"}]'))
    assert refused(settings(tmp_path / "log.csv")).startswith("log.csv looks like JSON, XML or a web page")
