"""A shop's line items, cleaned by writing a params file alone: what comes out is true, and no penny goes missing."""

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import retail

from clv.run import commands
from clv.run.artefacts import NOTEBOOKS, notebooks_folder
from clv.run.execute import run_notebook
from clv.run.prepare import prepare

pytestmark = pytest.mark.slow  # a kernel cleans the log

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


@dataclass(frozen=True)
class Made:
    """A cleaned log: the folder of its run, and the truth it can be held against."""

    folder: Path
    truth: retail.Retail

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_parquet(self.folder / "data" / f"{name}.parquet")


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Made:
    """The line items of a shop, checked, then cleaned by the first notebook."""
    folder = tmp_path_factory.mktemp("shop")
    made = retail.line_items(900, seed=7)
    retail.write_csv(made, folder / "shop.csv")
    params = folder / "shop.yaml"
    params.write_text(f"source: {folder / 'shop.csv'}\n{RETAIL}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS", str(folder / "outputs"))
        assert commands.main(["check", str(params)]) == 0
        run = prepare(params, notebooks_folder())
        run_notebook(notebooks_folder() / f"{NOTEBOOKS[0]}.ipynb", run)
        return Made(run.folder, made)


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


def test_the_shops_page_says_what_was_left_out_and_what_may_surprise(shop):
    page = (shop.folder / "html" / "01_generate.html").read_text()
    assert "refunds taken off their purchase" in page
    assert "no customer identifier" in page
    quality = shop.table("quality").set_index("rule")
    assert quality["rows"]["missing_customer_id"] > 0
    assert re.fullmatch(r"[\d, ]+", quality["records"]["missing_customer_id"])
