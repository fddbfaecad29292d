"""What new_params promises: a params file that says how a log is to be read, and overwrites nothing."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
import retail

from clv.errors import InputError
from clv.run import artefacts, commands, params
from clv.run.check_data import check
from clv.run.new_params import new_params

HEADER = "customer_id,date,amount,order_id,currency\n"
ROWS = [
    f"C{number % 30:03d},2024-{number % 12 + 1:02d}-{number % 28 + 1:02d},{number % 7 + 1}.50" for number in range(100)
]
LOG = HEADER + "".join(f"{row},O{number},EUR\n" for number, row in enumerate(ROWS))


@pytest.fixture
def project(tmp_path, outputs, monkeypatch):
    """A project of its own, with a folder for data."""
    monkeypatch.setattr(artefacts, "root", lambda: tmp_path)
    (tmp_path / "data").mkdir()
    return tmp_path


def named(project: Path, name: str, content: str | bytes = LOG) -> Path:
    """Write a log to data/ and return its place."""
    file = project / "data" / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def refused(data: object) -> str:
    """Return the sentence that a log is refused with."""
    with pytest.raises(InputError) as refusal:
        new_params(str(data))
    return str(refusal.value)


def test_files_that_share_no_column_are_not_one_log(project):
    named(project, "orders.csv")
    named(project, "prices.csv", "product,price\nA,1.00\n")
    assert (
        refused(project / "data") == "data has no column that each of its files names once: give the files of one log."
    )


# --- the file -------------------------------------------------------------------------------------------------------


def test_the_file_is_named_after_its_log_and_says_how_it_is_read(project):
    target = new_params(str(named(project, "orders.csv")))
    assert target == project / "params" / "orders.yaml"
    loaded = params.load(target)
    assert loaded.source == "data/orders.csv"
    assert loaded.columns == {name: name for name in ("customer_id", "date", "amount", "order_id", "currency")}
    assert (loaded.date_format, loaded.currency, loaded.encoding) == ("%Y-%m-%d", "EUR", None)
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize(
    ("log", "name"),
    [
        ("orders 2024.csv", "orders_2024"),
        ("orders.2024.csv.gz", "orders"),
        ("-x.csv", "x"),
        ("a" * 80 + ".csv", "a" * 64),
    ],
)
def test_a_name_that_cannot_be_a_runs_is_made_one(project, log, name):
    content = LOG.encode()
    assert new_params(str(named(project, log, content))).stem == name


def test_a_log_outside_the_project_is_named_in_full(project, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "orders.csv"
    elsewhere.write_text(LOG)
    assert params.load(new_params(str(elsewhere))).source == str(elsewhere)


def test_a_log_is_found_from_where_one_stands(project, monkeypatch):
    named(project, "orders.csv")
    monkeypatch.chdir(project / "data")
    assert params.load(new_params("orders.csv")).source == "data/orders.csv"


def test_a_folder_or_a_glob_is_one_log(project):
    (project / "data" / "shop").mkdir()
    for month in (1, 2):
        named(project, f"shop/orders-{month}.csv")
    assert params.load(new_params(str(project / "data" / "shop"))).source == "data/shop"
    assert params.load(new_params(str(project / "data" / "shop" / "orders-*.csv"))).source == "data/shop/orders-*.csv"


def test_typed_columns_need_no_format(project):
    frame = pd.read_csv(named(project, "orders.csv"), parse_dates=["date"])
    frame.to_parquet(project / "data" / "typed.parquet")
    loaded = params.load(new_params(str(project / "data" / "typed.parquet")))
    assert (loaded.date_format, loaded.columns["customer_id"]) == (None, "customer_id")


@pytest.mark.parametrize(
    ("encoding", "stated"),
    [("latin-1", "cp1252"), ("cp1252", "cp1252"), ("utf-8", None), ("utf-8-sig", None), ("utf-16", None)],
)
def test_the_encoding_is_stated_where_the_file_does_not_say_it_itself(project, encoding, stated):
    file = named(project, "orders.csv", (LOG + "Zoë,2024-01-31,1.50,O100,EUR\n").encode(encoding))
    target = new_params(str(file))
    assert params.load(target).encoding == stated
    assert ("encoding:" in target.read_text()) == (stated is not None)


def test_what_no_other_encoding_reads_is_latin_1(project):
    file = named(project, "orders.csv", LOG.encode() + b"Zo\x81,2024-01-31,1.50,O100,EUR\n")
    assert params.load(new_params(str(file))).encoding == "latin-1"


@pytest.mark.slow
def test_what_is_in_doubt_waits_for_an_answer(project):
    rows = "".join(
        f"C{n % 30:03d},{n % 12 + 1:02d}/{n % 11 + 1:02d}/2024,{n % 7 + 1}.50,O{n},EUR\n" for n in range(100)
    )
    target = new_params(str(named(project, "orders.csv", HEADER + rows)))
    assert params.load(target).date_format is None
    with pytest.raises(InputError, match=r"^column date is text: state how its dates are written as date_format"):
        check(target)
    target.write_text(target.read_text().replace('# date_format: "%d/%m/%Y"', 'date_format: "%d/%m/%Y"'))
    assert check(target).exists()


# --- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", ["", "nowhere.csv", "data", "data/*.csv"])
def test_where_there_is_no_log_nothing_is_written(project, monkeypatch, data):
    monkeypatch.chdir(project)
    assert refused(data) == f"DATA={data} was not found: name a log, like make new-params DATA=data/orders.csv."
    assert not (project / "params").exists()


def test_a_file_that_exists_is_not_overwritten(project):
    file = named(project, "orders.csv")
    new_params(str(file)).write_text("mine")
    assert refused(file) == "params/orders.yaml exists already: remove or rename it first."
    assert (project / "params" / "orders.yaml").read_text() == "mine"


@pytest.mark.slow
def test_the_only_table_of_a_database_is_recognised_like_a_file(project):
    with closing(sqlite3.connect(project / "data" / "orders.db")) as con, con:
        con.execute(f"CREATE TABLE orders ({HEADER.strip()}, status)")
        state = ("Failed", "Paid", "Paid")
        rows = [(*line.split(","), state[number % 3]) for number, line in enumerate(LOG.splitlines()[1:])]
        con.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?)", rows)
    target = new_params(str(project / "data" / "orders.db"))
    assert "`status` holds Paid 66 % of the rows" in " ".join(target.read_text().replace("#", "").split())
    assert (params.load(target).date_format, params.load(target).currency) == ("%Y-%m-%d", "EUR")
    assert "are all purchases?" in check(target).read_text()


def test_a_table_of_several_is_named_beside_the_log(project):
    with closing(sqlite3.connect(project / "data" / "shop.db")) as con, con:
        con.execute("CREATE TABLE customers (id, name)")
        con.execute("CREATE TABLE sales (customer_id, date, total_cents)")
        con.executemany("INSERT INTO sales VALUES (?, ?, 450)", [row.split(",")[:2] for row in ROWS])
    log = str(project / "data" / "shop.db")
    assert refused(log) == "shop.db holds 2 tables (it has customers, sales): name one as table, or give a query."
    assert commands.main(["new-params", log, "--table", "sales"]) == 0
    stated = params.load(project / "params" / "shop.yaml")
    assert (stated.table, stated.columns["amount"]) == ("sales", "total_cents")


@pytest.mark.parametrize("name", ["é.csv", ".csv", "__.csv", "(.csv"])
def test_a_log_whose_name_gives_none_for_a_run_is_refused(project, name):
    file = named(project, name)
    assert refused(file) == f"DATA={file} gives no name for a run: rename the file, letters and digits first."


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("empty.csv", b"", "empty.csv is empty or begins with an empty line: give a file with a header on top."),
        ("header.csv", HEADER, "a log needs a header and at least one row to be recognised: give a file with"),
        ("sheet.csv", b"PK\x03\x04", "sheet.csv is a spreadsheet or ZIP archive: save the log as CSV or Parquet."),
        ("page.csv", "<html>", "page.csv looks like JSON, XML or a web page: save the log as CSV or Parquet."),
        (
            "log.db",
            b"SQLite format 3\0",
            "log.db is damaged or ends before its end: copy it anew and completely.",
        ),
        ("wide.csv", LOG + "C001" + ",9" * 40 + "\n", "wide.csv, line 102 has "),
    ],
)
def test_a_file_that_cannot_be_looked_at_leaves_no_params_file(project, name, content, sentence):
    assert refused(named(project, name, content)).startswith(sentence)
    assert not (project / "params").exists()


def test_the_command_says_what_comes_next(project, capsys):
    named(project, "orders.csv")
    assert commands.main(["new-params", str(project / "data" / "orders.csv")]) == 0
    assert capsys.readouterr().err == (
        "params/orders.yaml is written: answer the questions in it, then make check-data PARAMS=params/orders.yaml\n"
    )
    assert commands.main(["new-params", str(project / "data" / "orders.csv")]) == 2
    assert capsys.readouterr().err == "params/orders.yaml exists already: remove or rename it first.\n"


# --- logs of shops --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_log_without_faults_can_be_used_before_anything_is_answered(project):
    retail.loyal(60).to_csv(project / "data" / "loyal.csv", index=False)
    target = new_params(str(project / "data" / "loyal.csv"))
    page = check(target)
    assert page == project / "outputs" / "loyal" / "check" / "data_quality.html"


@pytest.mark.slow
def test_a_shops_line_items_can_be_used_once_the_one_question_that_stops_them_is_answered(project):
    made = retail.line_items(300, seed=3)
    retail.write_csv(made, project / "data" / "shop.csv")
    target = new_params(str(project / "data" / "shop.csv"))
    loaded = params.load(target)
    assert loaded.columns == {
        "customer_id": "CustomerID",
        "date": "InvoiceDate",
        "order_id": "InvoiceNo",
        "quantity": "Quantity",
        "unit_price": "UnitPrice",
        "product": "StockCode",
        "country": "Country",
    }
    assert (loaded.shape, loaded.date_format, loaded.cancellation_pattern) == ("line_items", "%d/%m/%Y %H:%M", "^C")
    text = target.read_text()
    assert "`CustomerID` is blank in" in text and "mend them, or raise max_rejected_share?" in text
    with pytest.raises(InputError, match="mostly missing_customer_id"):
        check(target)
    target.write_text(text.replace("max_rejected_share: 0.10", "max_rejected_share: 0.20"))
    assert check(target).exists()


def test_a_reserved_name_is_refused_at_once(project):
    file = named(project, "lab.csv")
    assert refused(file) == f"DATA={file} gives no name for a run: rename the file, letters and digits first."


@pytest.mark.parametrize("log", ["orders (1).csv", "_orders.csv", "orders-.csv", "a" * 70 + ".csv"])
def test_the_file_names_itself(project, log):
    target = new_params(str(named(project, log)))
    assert f"make check-data PARAMS=params/{target.name}\n" in target.read_text()


def test_a_globs_file_names_itself(project):
    named(project, "orders-1.csv")
    target = new_params(str(project / "data" / "orders-*.csv"))
    assert f"make check-data PARAMS=params/{target.name}\n" in target.read_text()
