"""What check promises: a page on the log and the rows it lost, in a folder of their own, the same every time."""

import csv
import json
import re
import tempfile
import warnings
from collections import Counter
from datetime import date, timedelta
from html import unescape
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from clv.errors import InputError
from clv.report.page import quality
from clv.run import check_data, commands
from clv.run.artefacts import root
from clv.run.check_data import ROWS_PER_RULE, check

COLUMNS = "columns: {customer_id: id, date: date, amount: amount}\ndate_format: '%Y-%m-%d'\n"
GENERATED = """
source: generate
observation_end: "2025-06-30"
calibration_end: "2025-01-31"
exclude_pattern: "^TEST"
generate_customers: 300
generate_acquisition_months: 12
generate_mess_share: 0.1
"""
# 40 customers buy four times, every 30 days.
HEALTHY = [
    f"C{customer:02d},{date(2024, 1, 1) + timedelta(days=customer * 11 % 30 + 30 * time)},{10 + customer + time}.50"
    for time in range(4)
    for customer in range(40)
]


@pytest.fixture
def undrawn(monkeypatch):
    """Pages are made without their pictures, which take longer than all the rest."""
    picture = SimpleNamespace(_repr_mimebundle_=lambda: ({"text/plain": ""}, {}))
    for name in ("plot_weekly_activity", "plot_order_amounts"):
        monkeypatch.setattr(quality, name, lambda *_, **__: picture)


def shop(folder: Path, *faulty: str, settings: str = "", header: str = "id,date,amount") -> Path:
    """Write a healthy log that begins with the faulty rows, and its params file; return that."""
    (folder / "log.csv").write_text("\n".join([header, *faulty, *HEALTHY]) + "\n")
    (folder / "shop.yaml").write_text(f"source: {folder}/log.csv\n{COLUMNS}{settings}")
    return folder / "shop.yaml"


def text(page: Path) -> str:
    """Return what a reader sees of a page."""
    body = re.sub(r"<(style|script).*?</\1>|</?(strong|em|code)>", "", page.read_text(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", body)).replace("\u00a0", " "))


def rows_left_out(page: Path) -> list[dict[str, str]]:
    """Return the rows that are written beside a page."""
    with page.with_name("rows_left_out.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def files(folder: Path) -> dict[str, bytes]:
    """Return what stands in the files of a folder, by their names."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.slow
def test_a_status_that_no_setting_speaks_of_is_asked_about(outputs, tmp_path, undrawn):
    rows = [f"{row},{('paid', 'failed')[number % 9 == 0]}" for number, row in enumerate(HEALTHY)]
    (tmp_path / "log.csv").write_text("\n".join(["id,date,amount,status", *rows]))
    (tmp_path / "shop.yaml").write_text(f"source: {tmp_path}/log.csv\n{COLUMNS}")
    asked = "`status` holds paid 89 % of the rows"
    assert asked in unescape(check(tmp_path / "shop.yaml").read_text())
    (tmp_path / "shop.yaml").write_text(f"source: {tmp_path}/log.csv\n{COLUMNS}keep_rows: {{status: [paid]}}\n")
    assert asked not in unescape(check(tmp_path / "shop.yaml").read_text())


@pytest.mark.slow
def test_the_page_names_the_log_and_not_where_it_lies(outputs, tmp_path):
    assert str(tmp_path) not in check(shop(tmp_path)).read_text()


@pytest.mark.slow
def test_what_other_packages_warn_of_goes_to_the_log_and_not_to_the_terminal(outputs, tmp_path, monkeypatch, capsys):
    def warns(*_: object, **__: object) -> pd.DataFrame:
        warnings.warn("an odd column 'ada'", UserWarning, stacklevel=1)
        return original(*_, **__)

    original = check_data.summarise
    monkeypatch.setattr(check_data, "summarise", warns)
    monkeypatch.delenv("CLV_WARNINGS")
    warnings.simplefilter("default")  # as in a process that nobody tests; pytest restores its own
    assert commands.main(["check", str(shop(tmp_path))]) == 0
    assert capsys.readouterr().err.startswith("the log can be used")
    (event,) = [json.loads(line) for line in (outputs / "shop" / "log.jsonl").read_text().splitlines()]
    assert (event["event"], event["kind"], event["text"]) == ("warning", "UserWarning", 'an odd column "…"')


@pytest.mark.slow
def test_the_published_sample_can_be_used_and_loses_no_row(outputs):
    page = check(root() / "params" / "cdnow.yaml")
    assert page == outputs / "cdnow" / "check" / "data_quality.html"
    seen = text(page)
    assert "The log of cdnow: can it be used? Yes." in seen
    assert "2,357 customers made 6,696 purchases between 1 January 1997 and 30 June 1998" in seen
    assert rows_left_out(page) == []


@pytest.mark.slow
def test_a_generated_log_is_made_checked_and_gone(outputs, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    (tmp_path / "made.yaml").write_text(GENERATED)
    page = check(tmp_path / "made.yaml")
    assert list((tmp_path / "temporary").iterdir()) == []
    assert set(files(outputs)) == {"made/check/data_quality.html", "made/check/rows_left_out.csv"}
    assert "300 customers made" in text(page)
    mess = {"missing_customer_id", "excluded_customer", "duplicate", "refund_netted", "cancelled_purchase"}
    assert {row["rule"] for row in rows_left_out(page)} == mess


@pytest.mark.slow
@pytest.mark.parametrize(("faulty", "code"), [(2, 0), (50, 2)], ids=["a log with faults", "a log that is refused"])
def test_a_log_is_judged_alike_every_time(outputs, tmp_path, faulty, code):
    file = shop(tmp_path, *[",2024-01-05,5"] * faulty)
    codes = [commands.main(["check", str(file)])]
    first = files(outputs)
    codes += [commands.main(["check", str(file)])]
    assert files(outputs) == first
    assert codes == [code, code]


def test_what_a_run_has_made_stays_untouched(outputs, tmp_path, undrawn):
    made = ["report.html", "key_figures.json", "data/customers.parquet", "notebooks/01_generate.ipynb", "log.jsonl"]
    for name in made:
        (outputs / "shop" / name).parent.mkdir(parents=True, exist_ok=True)
        (outputs / "shop" / name).write_text(name)
    written = [(outputs / "shop" / name).stat().st_mtime_ns for name in made]
    check(shop(tmp_path))
    after = files(outputs / "shop")
    assert set(after) == {*made, "check/data_quality.html", "check/rows_left_out.csv"}
    assert all(after[name] == name.encode() for name in made)
    assert [(outputs / "shop" / name).stat().st_mtime_ns for name in made] == written


def test_a_refused_log_has_its_page_and_its_rows_before_the_refusal(outputs, tmp_path, undrawn):
    faulty = [f"C{customer},2024-01-05,=SUM(A{customer})" for customer in range(10, 35)]
    with pytest.raises(InputError) as refusal:
        check(shop(tmp_path, *faulty))
    page = outputs / "shop" / "check" / "data_quality.html"
    sentence, _, place = str(refusal.value).rpartition(" See ")
    assert sentence.startswith(
        "13.5% of 185 rows cannot be used, more than max_rejected_share 10.0%: mostly unparsable_"
    )
    assert place == f"{page}."
    assert sentence in text(page)
    assert "No, for the reason above." in text(page)
    assert "40 customers made 160 purchases" in text(page)  # what would be left
    rows = rows_left_out(page)
    assert [row["record"] for row in rows] == [str(record) for record in range(1, 26)]
    assert rows[0] == {
        "record": "1",
        "column": "amount",
        "rule": "unparsable_amount",
        "value": "'=SUM(A10)",
        "amount": "",
    }


def test_a_log_that_cannot_be_read_has_a_page_with_the_reason_alone(outputs, tmp_path):
    (tmp_path / "shop.yaml").write_text(f"source: {tmp_path}/nowhere.csv\n{COLUMNS}")
    with pytest.raises(InputError, match=r"nowhere\.csv was not found: .* See .*check/data_quality\.html\.$"):
        check(tmp_path / "shop.yaml")
    assert set(files(outputs)) == {"shop/check/data_quality.html"}
    seen = text(outputs / "shop" / "check" / "data_quality.html")
    assert "nowhere.csv was not found" in seen
    assert "Where every row went" not in seen


@pytest.mark.slow
def test_a_base_that_is_too_small_is_refused_with_all_that_is_known_of_it(outputs, tmp_path):
    with pytest.raises(InputError, match=r"^Only 29 of 29 customers made a repeat purchase"):
        check(shop(tmp_path, settings="exclude_pattern: 'C(29|3[0-9])'\n"))
    page = outputs / "shop" / "check" / "data_quality.html"
    assert "29 customers made 116 purchases" in text(page)
    assert page.read_text().count("data:image/png") == 2
    assert Counter(row["rule"] for row in rows_left_out(page)) == {"excluded_customer": 44}


@pytest.mark.slow
def test_a_backtest_is_judged_as_the_notebooks_would(tmp_path, outputs, undrawn):
    check(shop(tmp_path, settings="calibration_end: 2024-03-31\n"))
    with pytest.raises(
        InputError, match=r"^calibration_end \(2024-04-25\) must lie at least a week before the last day"
    ):
        check(shop(tmp_path, settings="calibration_end: 2024-04-25\n"))


def test_of_each_rule_a_thousand_rows_are_written(tmp_path, outputs, undrawn):
    many = ["C01,2024-01-05,x"] * (ROWS_PER_RULE + 1)
    page = check(shop(tmp_path, *many, ",2024-01-05,5", settings="max_rejected_share: 1.0\n"))
    rows = rows_left_out(page)
    assert Counter(row["rule"] for row in rows) == {"unparsable_amount": ROWS_PER_RULE, "missing_customer_id": 1}
    assert rows[-1]["record"] == str(len(many) + 1)
    assert "1,001" in text(page)


def test_a_mended_log_replaces_page_and_rows(tmp_path, outputs, undrawn):
    with pytest.raises(InputError):
        check(shop(tmp_path, *["C01,2024-01-05,x"] * 50))
    page = check(shop(tmp_path))
    assert "can it be used? Yes" in text(page)
    assert rows_left_out(page) == []


@pytest.mark.slow
def test_the_page_shows_what_stands_in_a_log_as_text_and_names_no_customer(tmp_path, outputs, undrawn):
    faulty = ["<script>alert(1)</script>,2024-01-05,5.00", "ada@example.org,2024-01-05,0", "**bob** $x$,soon,1"]
    file = shop(tmp_path, *faulty, header="id,date,<img src=x onerror=alert(2)>")
    file.write_text(file.read_text().replace("amount: amount", "amount: '<img src=x onerror=alert(2)>'"))
    page = check(file)
    assert "<img src=x onerror=alert(2)>" in text(page)
    assert not re.search(r"<img src=x|<script>alert", page.read_text())
    for name in ("alert(1)", "ada@example.org", "bob", "C01"):
        assert name not in text(page)


def test_rows_of_an_earlier_log_do_not_stay_beside_the_page_of_one_that_cannot_be_read(tmp_path, outputs, undrawn):
    page = check(shop(tmp_path, ",2024-01-05,5"))
    (tmp_path / "log.csv").write_text("x,y\n1,2\n")
    with pytest.raises(InputError):
        check(tmp_path / "shop.yaml")
    assert not page.with_name("rows_left_out.csv").exists()
