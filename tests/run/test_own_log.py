"""Logs from outside, run to a report by writing a params file alone: what comes out is true, and gives nobody away."""

import base64
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pytest
import retail
from retail import NASTY, handlers

from clv.run import commands
from clv.run.artefacts import root

pytestmark = pytest.mark.slow  # each log runs through six notebooks

PASSWORD = "correct-horse-battery-staple"
RETAIL = """
shape: line_items
columns:
  customer_id: CustomerID
  date: InvoiceDate
  order_id: InvoiceNo
  quantity: Quantity
  unit_price: UnitPrice
  product: StockCode
  country: Country
date_format: "%d/%m/%Y %H:%M"
encoding: latin-1
cancellation_pattern: "^C"
countries: [United Kingdom]
exclude_ids: ["99001", "99002", "99003", "99004", "99005"]
exclude_pattern: "^TEST"
max_rejected_share: 0.3
observation_end: "2025-11-27"
calibration_end: "2025-05-29"
currency: GBP
"""
QUICK = "method: laplace\ndraws: 250\npredictive_draws: 200\n"


@dataclass(frozen=True)
class Made:
    """A finished run: its folder, what was printed, and the truth it can be held against."""

    folder: Path
    said: str
    truth: retail.Retail | None = None
    names: tuple[str, ...] = ()

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_parquet(self.folder / "data" / f"{name}.parquet")

    def figures(self) -> dict:
        return json.loads((self.folder / "key_figures.json").read_text())


def make(folder: Path, name: str, log: Path, settings: str) -> Made:
    """Check a log with these settings, then run `make report`."""
    file = folder / f"{name}.yaml"
    file.write_text(f"source: {log}\n{settings}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS", str(folder / "outputs"))
        assert commands.main(["check", str(file)]) == 0
    ran = subprocess.run(
        ["make", "report", f"PARAMS={file}", f"PYTHON={sys.executable}"],
        cwd=root(),
        env=os.environ | {"CLV_OUTPUTS": str(folder / "outputs"), "CLV_SECRET": PASSWORD},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert ran.returncode == 0, ran.stderr
    return Made(folder / "outputs" / name, ran.stdout + ran.stderr)


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Made:
    """The line items of a shop, in which some customers have nasty ids."""
    folder = tmp_path_factory.mktemp("shop")
    made = retail.line_items(900, seed=7)
    often = made.clean_days["customer_id"].value_counts().index[: len(NASTY)]
    renamed = dict(zip(often, NASTY, strict=True))
    rows = made.rows.assign(CustomerID=made.rows["CustomerID"].replace(renamed))
    days = made.clean_days.assign(customer_id=made.clean_days["customer_id"].replace(renamed))
    retail.write_csv(replace(made, rows=rows), folder / "shop.csv")
    run = make(folder, "shop", folder / "shop.csv", RETAIL + QUICK)
    return replace(run, truth=replace(made, clean_days=days), names=tuple(often))


def test_a_shops_line_items_come_out_as_the_true_purchases_to_the_cent(shop):
    found = shop.table("transactions")
    found = found.assign(date=found["date"].dt.strftime("%Y-%m-%d"), cents=(found["amount"] * 100).round().astype(int))
    true = shop.truth.clean_days.assign(date=shop.truth.clean_days["date"].astype(str).str[:10])
    merged = found.merge(true, on=["customer_id", "date"], how="outer")
    assert len(merged) == len(found) == len(true)
    assert (merged["cents"] == merged["amount_cents"]).all()


def test_every_row_and_every_penny_of_the_shop_is_accounted_for(shop):
    ledger = shop.table("ledger").set_index("line")
    assert ledger["rows"]["source"] == len(shop.truth.rows) == ledger["rows"].drop("source").sum()
    assert ledger["amount"].drop("source").sum() == pytest.approx(ledger["amount"]["source"], abs=0.005)
    expected = shop.truth.kept_counts
    assert ledger["rows"]["duplicate"] == expected["exact_duplicates"]
    assert ledger["rows"]["refund_unmatched"] == expected["unmatched_cancellations"]


def test_the_shops_report_says_what_was_left_out_and_what_may_surprise(shop):
    page = (shop.folder / "report.html").read_text()
    assert "refunds taken off their purchase" in page
    assert "no customer identifier" in page
    quality = shop.table("quality").set_index("rule")
    assert quality["rows"]["missing_customer_id"] > 0
    assert re.fullmatch(r"[\d, ]+", quality["records"]["missing_customer_id"])


def texts(folder: Path) -> dict[Path, str]:
    """Return every file of a run that people or browsers open, as text: all but the settings themselves."""
    kinds = {".html", ".ipynb", ".md", ".json", ".jsonl"}
    settings = {folder / "params", folder / "manifest.json"}  # hold the params file, in which customers may be excluded
    files = [file for file in folder.rglob("*") if file.suffix in kinds and not settings & {file, file.parent}]
    return {file: with_carried(file.read_text()) for file in files}


def with_carried(page: str) -> str:
    """Return a page's text and that of the files it carries."""
    carried = re.findall(r'href="data:[^"]*;base64,([^"]+)"', page)
    return page + "".join(base64.b64decode(content).decode() for content in carried)


def test_no_page_notebook_or_log_names_a_customer(shop):
    files = texts(shop.folder)
    assert len(files) >= 15
    assert '\n"rfm_segment",' in files[shop.folder / "report.html"]  # what the page carries is looked through too
    fragments = ["99001", "ada.lovelace", "alert('clv')", "alert(&#x27;clv", "evil.example", "**bob**"]
    # Digits within a longer number of a chart are nobody's.
    looked_for = {fragment: re.compile(rf"(?<![\d.]){re.escape(fragment)}(?!\d)") for fragment in fragments}
    found = [(file.name, one) for file, text in files.items() for one in fragments if looked_for[one].search(text)]
    assert found == []
    assert not any(fragment in shop.said for fragment in fragments)


def test_the_environment_is_in_no_file(shop):
    for file in shop.folder.rglob("*"):
        assert not file.is_file() or PASSWORD.encode() not in file.read_bytes(), file


def test_exports_name_customers_and_no_cell_is_a_formula(shop):
    cells = pd.read_csv(shop.folder / "exports" / "customers.csv", dtype=str, keep_default_na=False)
    assert {NASTY[0], NASTY[1], f"'{NASTY[2]}"} <= set(cells["customer_id"])
    for file in shop.folder.rglob("*.csv"):
        frame = pd.read_csv(file, dtype=str, keep_default_na=False)
        texts_only = frame.apply(lambda column: column.str.match(r"[=@\t\r]|[+-](?![\d.])")).to_numpy()
        assert not texts_only.any(), file


def test_no_page_has_an_event_handler(shop):
    assert handlers("<p onclick='x'>") == ["onclick"]
    for file in shop.folder.rglob("*.html"):
        assert handlers(file.read_text()) == [], file
