"""What sources promises: strict reading, identifiers as text, one sentence for every file that cannot be read."""

import gzip
import zipfile
from datetime import UTC, datetime, timedelta

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers import COLUMNS, cleaned, kept, rules, source

from clv.errors import InputError
from clv.transactions import reading, scans
from clv.transactions.connection import connect, literal
from clv.transactions.source import SourceSettings


def test_identifiers_stay_text(tmp_path):
    lines = ["007", "7", "NA", "null", "1E5", "1152921504606846977", "1152921504606846978"]
    text = "id,date,amount\n" + "".join(f"{name},2024-01-01,1\n" for name in lines)
    con = cleaned(source(tmp_path, text))
    assert [name for name, _, _ in kept(con)] == sorted(lines)


def test_identifiers_lose_surrounding_space_and_control_characters(tmp_path):
    text = (
        'id,date,amount\nada,2024-01-01,1\n" ada\t",2024-01-02,1\n\u00a0ada\u200b,2024-01-03,1\nada\x00,2024-01-04,1\n'
    )
    assert {name for name, _, _ in kept(cleaned(source(tmp_path, text)))} == {"ada"}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_from_the_header(tmp_path, delimiter):
    text = "id,date,amount\nada,2024-01-01,1.5\n".replace(",", delimiter)
    assert kept(cleaned(source(tmp_path, text))) == [("ada", "01-01", 1.5)]


@pytest.mark.parametrize("titles", ["\n", "Orders of 2024; all shops\n", "Orders\nby Ada,,all days\n\n", "sep=,\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])  # below a title, rows may end in another way
def test_titles_above_the_header_are_passed_over(tmp_path, titles, end):
    text = titles + "id,date,amount\nada,2024-01-01,1.5\nbob,2024-01-02,2\n".replace("\n", end)
    settings = source(tmp_path, text)
    assert kept(cleaned(settings)) == [("ada", "01-01", 1.5), ("bob", "01-02", 2)]
    names, rows = reading.sample(connect(), settings, rows=10)
    assert (names, len(rows)) == (["id", "date", "amount"], 2)


@pytest.mark.parametrize(
    "above", ["id,,amount\n", "id,day\n", "an id,day,how much,why\n", "ada,2024-01-01,1.5\n", "id,day,id\n"]
)
def test_a_row_is_never_taken_for_the_header_nor_the_header_for_a_title(tmp_path, above):
    """Lines of data hold numbers; the header stays the first line although the columns that are mapped are missing."""
    file = tmp_path / "log.csv"
    file.write_text(above + "ada,Jan 1 2024,$1.5\nbob,Jan 2 2024,$2\neve,x,y\n")
    assert scans.header_of(file, SourceSettings(file)) == (0, above.strip())


def test_byte_order_mark_windows_lines_and_quotes_are_read(tmp_path):
    text = '\ufeff"id","date","amount"\r\n"a,b","2024-01-01","1.5"\r\n"say ""hi""","2024-01-02","2"'
    assert kept(cleaned(source(tmp_path, text))) == [("a,b", "01-01", 1.5), ('say "hi"', "01-02", 2)]


def test_a_compressed_file_is_read(tmp_path):
    file = tmp_path / "log.csv.gz"
    file.write_bytes(gzip.compress(b"id,date,amount\nada,2024-01-01,1.5\n"))
    con = cleaned(SourceSettings(file, columns=COLUMNS, date_format="%Y-%m-%d"))
    assert kept(con) == [("ada", "01-01", 1.5)]


def test_a_file_is_what_it_holds_whatever_its_name(tmp_path):
    file = tmp_path / "log.csv.gz"
    file.write_bytes(b"id,date,amount\nada,2024-01-01,1.5\n")
    con = cleaned(SourceSettings(file, columns=COLUMNS, date_format="%Y-%m-%d"))
    assert kept(con) == [("ada", "01-01", 1.5)]


@pytest.mark.parametrize("rows", [3, 100_000])
def test_a_compressed_file_that_was_cut_off_is_refused(tmp_path, rows):
    packed = gzip.compress(b"id,date,amount\n" + b"".join(b"ada%d,2024-01-01,1.5\n" % row for row in range(rows)))
    file = tmp_path / "log.csv.gz"
    file.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(InputError, match=r"^log\.csv\.gz (cannot be opened|ends before its end)"):
        cleaned(SourceSettings(file, columns=COLUMNS, date_format="%Y-%m-%d"))


def test_a_name_with_brackets_is_a_name_and_not_a_pattern(tmp_path):
    for name, customer in {"log[1].csv": "ada", "log1.csv": "bob"}.items():
        (tmp_path / name).write_text(f"id,date,amount\n{customer},2024-01-01,1\n")
    con = cleaned(SourceSettings(tmp_path / "log[1].csv", columns=COLUMNS, date_format="%Y-%m-%d"))
    assert kept(con) == [("ada", "01-01", 1)]


def test_several_files_are_read_in_the_order_of_their_names(tmp_path):
    (tmp_path / "b.csv").write_text("id,date,amount\nbob,2024-01-01,2\n")
    (tmp_path / "a.csv").write_text("id,date,amount\nada,2024-01-01,1\n")
    con = cleaned(SourceSettings(tmp_path / "*.csv", columns=COLUMNS, date_format="%Y-%m-%d"))
    assert con.execute("SELECT record, customer_id FROM source").fetchall() == [(1, "ada"), (2, "bob")]


def test_of_several_files_columns_are_read_by_their_names(tmp_path):
    (tmp_path / "a.csv").write_text("id,date,amount\nada,2024-01-01,1\n")
    (tmp_path / "b.csv").write_text("shop,id,amount,date\neast,bob,2,2024-01-02\neast,carl,3\n")
    (tmp_path / "c.csv").write_text("id,date,amount\ndora,2024-01-04,4\n")
    con = cleaned(SourceSettings(tmp_path / "*.csv", columns=COLUMNS, date_format="%Y-%m-%d", max_rejected_share=1.0))
    rows = con.execute("SELECT record, customer_id, amount, ragged, file FROM source").fetchall()
    assert rows == [
        (1, "ada", "1", None, "a.csv"),
        (2, "bob", "2", None, "b.csv"),
        (3, "carl", "3", "too few fields", "b.csv"),
        (4, "dora", "4", None, "c.csv"),
    ]


def test_each_of_several_files_must_have_the_columns_that_are_read(tmp_path):
    (tmp_path / "a.csv").write_text("id,date,amount\nada,2024-01-01,1\n")
    (tmp_path / "b.csv").write_text("id,date,total\nbob,2024-01-01,2\n")
    with pytest.raises(InputError, match=r"^b\.csv lacks the column amount \(found: id, date, total\)"):
        cleaned(SourceSettings(tmp_path / "*.csv", columns=COLUMNS, date_format="%Y-%m-%d"))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_name_of_two_lines_is_a_name(tmp_path, end):
    rows = ["ada,2024-01-01,1", 'bob,2024-01-02,"2"']
    (tmp_path / "log.csv").write_bytes(f'"the\nid","Order\nDate","Amount  \n(EUR)"{end}{end.join(rows)}{end}'.encode())
    for date, amount in (("Order Date", "Amount (EUR)"), ("Order\nDate", "Amount\n(EUR)")):
        names = {"customer_id": "the id", "date": date, "amount": amount}
        con = cleaned(SourceSettings(tmp_path / "log.csv", columns=names, date_format="%Y-%m-%d"))
        assert con.execute("SELECT customer_id, amount FROM source").fetchall() == [("ada", "1"), ("bob", "2")]
    assert reading.sample(con, SourceSettings(tmp_path / "log.csv"), rows=9)[0] == [
        "the id",
        "Order Date",
        "Amount (EUR)",
    ]


def test_a_sample_comes_from_the_whole_log_with_its_first_rows_and_orders_as_they_stand(tmp_path):
    lines = "".join(f"c{row},{row},1\n" for row in range(100_000))
    (tmp_path / "log.csv").write_text("id,date,amount\n" + lines)
    names, rows = reading.sample(connect(), SourceSettings(tmp_path / "log.csv"), rows=1000)
    days = [int(day) for _, day, _ in rows]
    assert (names, len(rows)) == (["id", "date", "amount"], 1000)
    assert days == sorted(days) and days[:500] == list(range(500))
    assert days[-1] > 60_000 and len({day // 50 for day in days[500:]}) < 25


def test_instants_and_names_that_differ_in_case_only_are_looked_at(tmp_path):
    file = literal(str(tmp_path / "log.parquet"))
    connect().execute("COPY (SELECT 'ada' AS id, TIMESTAMPTZ '2024-01-31 23:30:00+00' AS date, 5 AS amount) TO " + file)
    _, rows = reading.sample(connect(), SourceSettings(tmp_path / "log.parquet"), rows=9)
    assert rows == [("ada", datetime(2024, 1, 31, 23, 30, tzinfo=UTC), 5)]
    table = pa.table([["east"], ["ada"], ["2024-01-31"], [5]], names=["ID", "id", "date", "amount"])
    pq.write_table(table, tmp_path / "twins.parquet")
    assert reading.sample(connect(), SourceSettings(tmp_path / "twins.parquet"), rows=9)[0] == table.column_names
    con = cleaned(SourceSettings(tmp_path / "twins.parquet", columns=COLUMNS, date_format="%Y-%m-%d"))
    assert con.execute("SELECT customer_id FROM source").fetchall() == [("ada",)]


MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = 'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"'


def cell(value):
    """Return a cell as a spreadsheet stores it: days are numbers with a format."""
    if isinstance(value, datetime):
        return f'<c s="1"><v>{(value - datetime(1899, 12, 30)) / timedelta(days=1)}</v></c>'
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
    return f"<c><v>{value}</v></c>"


def workbook(file, rows, title="Sheet1", first=()):
    """Write a spreadsheet of two sheets, the first with few rows or none."""
    formats = '<xf numFmtId="0"/><xf numFmtId="22"/>'
    sheets = ["".join(f"<row>{''.join(map(cell, row))}</row>" for row in sheet) for sheet in (first, rows)]
    names = "".join(f'<sheet name="{name}" sheetId="{at}" r:id="r{at}"/>' for at, name in ((1, "Empty"), (2, title)))
    targets = [("worksheet", "worksheets/1.xml"), ("worksheet", "worksheets/2.xml"), ("styles", "styles.xml")]
    links = "".join(
        f'<Relationship Id="r{at}" Type="{OFFICE}/{kind}" Target="{target}"/>'
        for at, (kind, target) in enumerate(targets, start=1)
    )
    main = f'<Relationship Id="r1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
    parts = {
        "_rels/.rels": f"<Relationships {PACKAGE}>{main}</Relationships>",
        "xl/_rels/workbook.xml.rels": f"<Relationships {PACKAGE}>{links}</Relationships>",
        "xl/workbook.xml": f'<workbook {MAIN} xmlns:r="{OFFICE}"><sheets>{names}</sheets></workbook>',
        "xl/worksheets/1.xml": f"<worksheet {MAIN}><sheetData>{sheets[0]}</sheetData></worksheet>",
        "xl/worksheets/2.xml": f"<worksheet {MAIN}><sheetData>{sheets[1]}</sheetData></worksheet>",
        "xl/styles.xml": f"<styleSheet {MAIN}><cellXfs>{formats}</cellXfs></styleSheet>",
    }
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)


def test_a_spreadsheet_is_read_as_the_csv_it_would_be_saved_as(tmp_path):
    rows = [["id", "date", "amount"], [12, datetime(2024, 1, 31), 4.5], ["007", datetime(2024, 2, 1), 1000]]
    workbook(tmp_path / "log.xlsx", rows)
    settings = SourceSettings(tmp_path / "log.xlsx", columns=COLUMNS, date_format="%Y-%m-%d")
    con = cleaned(settings)
    found = con.execute("SELECT customer_id, date, amount FROM source").fetchall()
    assert found == [("12", "2024-01-31", "4.5"), ("007", "2024-02-01", "1000")]
    assert kept(con) == [("007", "02-01", 1000), ("12", "01-31", 4.5)]
    assert reading.sample(con, settings, rows=9) == (["id", "date", "amount"], found)


@pytest.mark.parametrize(
    ("first", "customers"),
    [
        ([["Our shop"], ["printed in May"]], ["ada", "bob"]),
        ([["id", "date", "amount"], ["eve", datetime(2023, 1, 1), 7]], ["ada", "bob", "eve"]),
    ],
)
def test_the_largest_sheet_is_read_with_all_that_have_its_header(tmp_path, first, customers):
    rows = [["id", "date", "amount"], ["ada", datetime(2024, 1, 31), 4.5], ["bob", datetime(2024, 2, 1), 1]]
    workbook(tmp_path / "log.xlsx", rows, first=first)
    con = cleaned(SourceSettings(tmp_path / "log.xlsx", columns=COLUMNS, date_format="%Y-%m-%d"))
    assert [name for name, _, _ in kept(con)] == customers


def test_a_sheet_is_named_as_table_and_moments_keep_their_time(tmp_path):
    workbook(tmp_path / "log.xlsx", [["id", "date", "amount"], ["ada", datetime(2024, 1, 31, 9, 5), 1]], "Orders")
    settings = {"columns": COLUMNS, "date_format": "%Y-%m-%d %H:%M:%S"}
    con = cleaned(SourceSettings(tmp_path / "log.xlsx", table="Orders", **settings))
    assert con.execute("SELECT date FROM source").fetchall() == [("2024-01-31 09:05:00",)]
    with pytest.raises(InputError, match=r"log\.xlsx has no sheet Order \(found: Empty, Orders\): correct table"):
        cleaned(SourceSettings(tmp_path / "log.xlsx", table="Order", **settings))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "log.csv is empty or begins with an empty line: give a file with a header on top."),
        ("id,date,amount\n", "log.csv holds no rows: give a log with transactions."),
        (
            "id,day,amount\nada,2024-01-01,1\n",
            "log.csv lacks the column date (found: id, day, amount):"
            " map customer_id, date and amount to the log's names under columns.",
        ),
        (
            f"id,date,amount\nada,2024-01-01,1\nbob,2024-01-01,1{',9' * 17}\n",
            "log.csv, line 3 has 20 fields or more where the header has 3: correct the row or quote its text.",
        ),
        (
            'id,date,amount\n"ada,2024-01-01,1\n',
            "log.csv, line 2 opens a quote that never closes, or closes one within a text: correct the row.",
        ),
        (
            b"id,date,amount\n\xe9va,2024-01-01,1\n",
            "log.csv, line 2 is not UTF-8 text: save the file in UTF-8, or state its encoding, like latin-1 or cp1252.",
        ),
        (
            b"id,date,amount,caf\xe9\nada,2024-01-01,1,1\n",
            "log.csv is not utf-8 text in its first line:"
            " save it as CSV in UTF-8, or state its encoding, like latin-1 or cp1252.",
        ),
        (
            b"id\0,date,amount\n",
            "log.csv is not text in its first line: give a CSV or Parquet file, or state encoding.",
        ),
        (b"PK\x03\x04id,date\n", "log.csv is a spreadsheet or ZIP archive: save the log as CSV or Parquet."),
        (
            "id,date,amount,amount\nada,2024-01-01,1,2\n",
            "log.csv has several columns named amount: rename all but one.",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_one_sentence(tmp_path, text, sentence):
    with pytest.raises(InputError) as refusal:
        cleaned(source(tmp_path, text))
    assert str(refusal.value) == sentence


def test_a_wrong_delimiter_is_refused_naming_the_right_one(tmp_path):
    with pytest.raises(InputError) as refusal:
        cleaned(source(tmp_path, "id;date;amount\nada;2024-01-01;1\n", delimiter=","))
    assert str(refusal.value) == (
        "log.csv split by the delimiter ',' has 1 columns without amount, date, id: delimiter ';' finds them all."
    )


def test_a_missing_file_is_refused():
    with pytest.raises(InputError, match=r"^source nowhere/log\.csv was not found"):
        cleaned(SourceSettings("nowhere/log.csv", columns=COLUMNS))


def test_text_dates_need_a_stated_format(tmp_path):
    with pytest.raises(InputError, match=r"^column date is text: state how its dates are written as date_format"):
        cleaned(source(tmp_path, "id,date,amount\nada,2024-01-01,1\n", date_format=None))


@pytest.mark.parametrize("options", [{"date_format": "%Q"}, {"exclude_pattern": "("}])
def test_a_format_or_pattern_that_means_nothing_is_refused(tmp_path, options):
    with pytest.raises(InputError, match=r"is not understood \("):
        cleaned(source(tmp_path, "id,date,amount\nada,2024-01-01,1\n", **options))


def parquet(path, frame, **options):
    frame.to_parquet(path / "log.parquet")
    return SourceSettings(
        path / "log.parquet", **({"columns": {"amount": "amount"}, "max_rejected_share": 1.0} | options)
    )


def test_parquet_keeps_its_types(tmp_path):
    frame = pd.DataFrame(
        {
            "customer_id": pd.array([7, 2**60 + 1, None], dtype="Int64"),
            "date": pd.to_datetime(["2024-01-01 23:59", "2024-01-02 00:00", "2024-01-03 00:00"]),
            "amount": [29.33, float("nan"), 1.0],
        }
    )
    con = cleaned(parquet(tmp_path, frame))
    assert kept(con) == [("7", "01-01", 29.33)]
    assert rules(con) == [[2, "unparsable_amount"], [3, "missing_customer_id"]]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"customer_id": [1.0]}, "column customer_id holds DOUBLE, which merges long identifiers: write it as text."),
        (
            {"date": [20240101]},
            "column date is a whole number: state how its dates are written as date_format, like unix_seconds, or"
            " %Y%m%d for 20240131, or spreadsheet_days for 45322.",
        ),
        ({"amount": [True]}, "column amount holds BOOLEAN: write amounts as numbers."),
    ],
)
def test_parquet_of_the_wrong_type_is_refused(tmp_path, changed, sentence):
    frame = pd.DataFrame({"customer_id": ["ada"], "date": pd.to_datetime(["2024-01-01"]), "amount": [1.0]} | changed)
    with pytest.raises(InputError) as refusal:
        cleaned(parquet(tmp_path, frame))
    assert str(refusal.value) == sentence


def test_a_file_that_is_no_parquet_is_refused(tmp_path):
    (tmp_path / "log.parquet").write_text("id,date,amount\n")
    with pytest.raises(InputError, match=r"^log\.parquet cannot be read as Parquet"):
        cleaned(SourceSettings(tmp_path / "log.parquet"))
