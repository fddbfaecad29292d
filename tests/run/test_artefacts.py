"""Files of a run: whole or not at all, checked both ways, and nothing in them that should not leave."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from importlib import import_module
from pathlib import Path
from zipfile import ZipFile

import duckdb
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from python_calamine import CalamineWorkbook
from rooms import FOLDERS

from clv.errors import IntegrityError
from clv.rfm.tables import RFM
from clv.run import artefacts, disk, spreadsheets
from clv.run.artefacts import ARTEFACTS, NOTEBOOKS, root
from clv.run.folder import Run
from clv.tables import Table
from clv.transactions.tables import TRANSACTIONS

pytestmark = pytest.mark.usefixtures("outputs")
RUN = Run("test")


@pytest.fixture
def log() -> pd.DataFrame:
    """Two purchases."""
    return pd.DataFrame(
        {
            "customer_id": pd.Series(["ada", "bob"], dtype="str"),
            "date": pd.to_datetime(["2024-01-01", "2024-01-02"]),
            "amount": [1.5, 2.0],
        }
    )


def posterior(**extra: xr.Dataset) -> xr.DataTree:
    """Return a tiny posterior as a sampler leaves it."""
    shape = (("chain", "draw"), np.arange(8.0).reshape(2, 4))
    coords = {"chain": [0, 1], "draw": range(4)}
    groups = {
        "posterior": xr.Dataset({"r": shape}, coords=coords, attrs={"created_at": "now", "model": "bgnbd"}),
        "sample_stats": xr.Dataset({"diverging": (("chain", "draw"), np.zeros((2, 4), bool))}, coords=coords),
    }
    return xr.DataTree.from_dict(groups | extra)


def test_a_table_comes_back_as_it_was_written(log):
    RUN.write_table(TRANSACTIONS, log)
    pd.testing.assert_frame_equal(RUN.read_table(TRANSACTIONS), log)


def test_a_table_that_breaks_its_contract_leaves_the_old_file(log):
    RUN.write_table(TRANSACTIONS, log)
    before = RUN.path("transactions").read_bytes()
    with pytest.raises(IntegrityError, match="amount is below zero"):
        RUN.write_table(TRANSACTIONS, log.assign(amount=-1.0))
    assert RUN.path("transactions").read_bytes() == before


def test_a_table_spoilt_on_disk_is_refused_on_reading(log):
    RUN.write_table(TRANSACTIONS, log)
    log.assign(amount=-1.0).to_parquet(RUN.path("transactions"))
    with pytest.raises(IntegrityError, match="amount is below zero"):
        RUN.read_table(TRANSACTIONS)


def test_a_write_that_fails_half_way_leaves_the_old_file_and_no_other():
    RUN.write_text("report", "old")

    def fail_half_way() -> None:
        with disk.replacing(RUN.path("report")) as unfinished:
            unfinished.write_text("ne")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail_half_way()
    assert RUN.path("report").read_text() == "old"
    assert [file.name for file in RUN.folder.iterdir()] == ["report.md"]


def test_a_query_is_written_and_read_like_a_table(log):
    connection = duckdb.connect()
    connection.register("frame", log)
    query = "SELECT amount::DECIMAL(18, 2) AS amount, date::DATE AS date, customer_id FROM frame"
    RUN.write_query(connection, query, TRANSACTIONS)
    pd.testing.assert_frame_equal(RUN.read_table(TRANSACTIONS), log)


@pytest.mark.parametrize(
    ("query", "rule"),
    [
        ("SELECT customer_id, date FROM frame", r"columns missing: \['amount'\]"),
        ("SELECT *, 1 AS more FROM frame", r"columns unknown: \['more'\]"),
        ("SELECT customer_id, date, 'x' AS amount FROM frame", "amount must be number, found VARCHAR"),
        ("SELECT NULL::VARCHAR AS customer_id, date, amount FROM frame", "customer_id is missing in 2 rows"),
        ("SELECT * FROM frame UNION ALL SELECT * FROM frame", "repeats in 2 rows"),
        ("SELECT customer_id, date, -amount AS amount FROM frame", "amount is below zero in 2 rows"),
    ],
)
def test_a_query_that_breaks_the_contract_is_refused_and_not_written(log, query, rule):
    connection = duckdb.connect()
    connection.register("frame", log)
    with pytest.raises(IntegrityError, match=rule):
        RUN.write_query(connection, query, TRANSACTIONS)
    assert not RUN.path("transactions").exists()


def test_an_artefact_opens_as_a_view_with_days(log):
    RUN.write_table(TRANSACTIONS, log)
    connection = duckdb.connect()
    view = RUN.open_view(connection, TRANSACTIONS)
    assert connection.execute(f"SELECT max(date) - min(date), sum(amount) FROM {view}").fetchall() == [(1, 3.5)]


def test_a_posterior_keeps_its_draws_and_loses_everything_else():
    fit_data = xr.Dataset({"frequency": ("customer_id", [1])}, coords={"customer_id": ["ada"]})
    RUN.write_posterior("bgnbd", posterior(fit_data=fit_data))
    back = RUN.read_posterior("bgnbd")
    assert set(back.children) == {"posterior", "sample_stats"}
    assert back["posterior"].attrs == {"model": "bgnbd"}
    assert back["sample_stats"]["diverging"].dtype == bool
    np.testing.assert_array_equal(back["posterior"]["r"], posterior()["posterior"]["r"])
    assert b"ada" not in RUN.path("bgnbd").read_bytes()


def test_the_same_posterior_gives_the_same_bytes():
    RUN.write_posterior("bgnbd", posterior())
    RUN.write_posterior("gamma_gamma", posterior())
    assert RUN.path("bgnbd").read_bytes() == RUN.path("gamma_gamma").read_bytes()


def test_a_posterior_about_single_customers_is_refused():
    single = xr.Dataset({"rate": ("customer_id", [1.0])}, coords={"customer_id": ["ada"]})
    with pytest.raises(IntegrityError, match="holds customer_id"):
        RUN.write_posterior("bgnbd", posterior(posterior=single))


def test_json_takes_numpy_and_dates():
    figures = {"a": np.float64(1.5), "n": np.int64(2), "day": pd.Timestamp("2024-01-31"), "v": np.arange(2), "x": None}
    RUN.write_json("key_figures", figures)
    assert RUN.read_json("key_figures") == {"a": 1.5, "n": 2, "day": "2024-01-31", "v": [0, 1], "x": None}


def test_a_figure_that_is_not_a_number_is_refused_by_name():
    with pytest.raises(IntegrityError, match=r"^key_figures\.total_clv\.mean is nan, not a number"):
        RUN.write_json("key_figures", {"total_clv": {"mean": float("nan")}})


def test_text_that_a_spreadsheet_would_run_is_quoted_and_numbers_are_not():
    cells = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "plain"]
    RUN.write_csv("customers", pd.DataFrame({"id": cells, "value": [-1.0] * 7}))
    back = pd.read_csv(RUN.folder / "exports" / "customers.csv", dtype={"id": "str"})
    assert list(back["id"]) == [f"'{cell}" for cell in cells[:-1]] + ["plain"]
    assert list(back["value"]) == [-1.0] * 7


def test_a_workbook_keeps_text_as_text_and_days_as_days_and_is_the_same_twice(monkeypatch):
    ids = ["0001", "=1+1", "@x", "https://a.b", "12"]
    told = {"value": [-1.5, 0.0, np.nan, np.inf, 2.0], "day": pd.Timestamp("2024-01-31"), "currency": "GBP"}
    customers = pd.DataFrame({"customer_id": ids, **told}).rename(columns={"value": "clv_mean"})
    tables = {"customers": customers, "contacts": None, "ranks": customers}
    summary = pd.DataFrame({"item": ["=2+2"], "mean": [1234.5]})
    RUN.write_exports(tables, summary=summary, as_of="2024-01-31")
    first = RUN.path("workbook").read_bytes()
    book = CalamineWorkbook.from_path(RUN.path("workbook"))
    assert book.sheet_names == ["summary", "customers", "ranks"]
    assert book.get_sheet_by_name("summary").to_python() == [["item", "mean"], ["=2+2", 1234.5]]
    rows = book.get_sheet_by_name("customers").to_python()
    assert rows[0] == ["customer_id", "clv_mean", "day", "currency"]
    assert [row[0] for row in rows[1:]] == ids
    assert [row[1] for row in rows[1:]] == [-1.5, 0.0, "", "", 2.0]
    assert rows[1][2] == date(2024, 1, 31)
    with ZipFile(RUN.path("workbook")) as parts:
        assert b"<f>" not in parts.read("xl/worksheets/sheet2.xml")
        assert b"<hyperlink" not in parts.read("xl/worksheets/sheet2.xml")
        assert b"#,##0.00####" in parts.read("xl/styles.xml")
    monkeypatch.setattr(spreadsheets, "MOST_ROWS", 4)
    RUN.write_exports({"customers": customers}, summary=summary, as_of="2024-01-31")
    cells = CalamineWorkbook.from_path(RUN.path("workbook")).get_sheet_by_name("customers").to_python()
    assert cells[1] == ["5 rows are more than a sheet should hold; all stand in exports/customers.csv."]
    monkeypatch.undo()
    RUN.write_exports(tables, summary=summary, as_of="2024-01-31")
    assert RUN.path("workbook").read_bytes() == first


def test_what_is_missing_is_an_empty_cell_whatever_its_kind():
    days, counts = pd.to_datetime(["2024-01-31", None]), pd.array([1, None], dtype="Int64")
    missing = pd.DataFrame({"text": ["a", None], "day": days, "count": counts})
    RUN.write_exports({"ranks": missing}, summary=missing, as_of="2024-01-31")
    rows = CalamineWorkbook.from_path(RUN.path("workbook")).get_sheet_by_name("ranks").to_python(skip_empty_area=False)
    assert rows[1:] == [["a", date(2024, 1, 31), 1.0]]  # nothing is written of the second row


def test_a_table_without_rows_is_a_sheet_with_its_header():
    RUN.write_exports({"ranks": pd.DataFrame({"a": [], "b": []})}, summary=pd.DataFrame({"c": [1]}), as_of="2024-01-31")
    assert CalamineWorkbook.from_path(RUN.path("workbook")).get_sheet_by_name("ranks").to_python() == [["a", "b"]]


def test_a_page_may_carry_tables_of_groups_and_none_that_names_customers():
    names = ("segments", "migration", "cohorts", "ranks", "windows", "data_dictionary")
    for name in names:
        RUN.write_csv(name, pd.DataFrame({"group": ["ä"], "value": [1.5]}))
    with pytest.raises(IntegrityError, match=r"^outputs/test/key_figures\.json is missing: run 05_segments first\.$"):
        RUN.aggregates()
    RUN.write_json("key_figures", {"total": 1})
    carried = RUN.aggregates()
    assert list(carried) == [*(f"{name}.csv" for name in names), "key_figures.json"]
    assert carried["segments.csv"].encode() == (RUN.folder / "exports" / "segments.csv").read_bytes()
    RUN.write_csv("segments", pd.DataFrame({"value": [1.5], "customer_id": ["ada"]}))
    with pytest.raises(IntegrityError, match=r"segments\.csv is about single customers"):
        RUN.aggregates()


def test_a_missing_artefact_names_the_notebook_that_makes_it():
    with pytest.raises(IntegrityError, match=r"^outputs/test/data/rfm\.parquet is missing: run 02_rfm first\.$"):
        RUN.read_table(RFM)


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", "-x", "x\0", "/tmp"])
def test_a_run_cannot_leave_the_outputs_folder(name):
    with pytest.raises(IntegrityError):
        Run(name)


def test_every_file_stands_once_and_belongs_to_one_notebook():
    files = [artefact.file for artefact in ARTEFACTS.values()]
    assert len(set(files)) == len(files)
    assert {artefact.notebook for artefact in ARTEFACTS.values()} == set(NOTEBOOKS)


def test_every_parquet_artefact_has_a_contract_of_its_name():
    rooms = [room for room in FOLDERS if (root() / "clv" / room / "tables.py").exists()]
    declared = [value for room in rooms for value in vars(import_module(f"clv.{room}.tables")).values()]
    contracts = {table.name for table in declared if isinstance(table, Table)}
    assert {key for key, artefact in ARTEFACTS.items() if artefact.file.endswith(".parquet")} == contracts


def test_the_log_is_one_json_line_per_event():
    RUN.log("started", notebook="02_rfm")
    RUN.log("done", notebook="02_rfm", seconds=1.5)
    lines = [json.loads(line) for line in (RUN.folder / "log.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["started", "done"]
    assert lines[1]["seconds"] == 1.5


def test_two_runners_that_log_at_once_do_not_cut_each_others_lines():
    reasons = [letter * 50_000 for letter in "abcdefgh"]
    with ThreadPoolExecutor(len(reasons)) as pool:
        list(pool.map(lambda reason: [RUN.log("failed", reason=reason) for _ in range(20)], reasons))
    lines = [json.loads(line)["reason"] for line in (RUN.folder / "log.jsonl").read_text().splitlines()]
    assert sorted(lines) == sorted(reasons * 20)


def test_a_source_is_found_from_the_project_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert artefacts.source_files("params/*.yaml") == sorted((artefacts.root() / "params").glob("*.yaml"))
    assert artefacts.source_files("generate") == []
    assert Path(RUN.source("generate")) == RUN.path("raw")
