"""Every forecast is kept, scored by what came of the customers it was about, and leads to the next one's value."""

from datetime import date

import pandas as pd
import pytest
from duckdb import DuckDBPyConnection

from clv import transactions
from clv.backtest import kept
from clv.backtest.tables import FORECASTS
from clv.run.folder import Run

# Ada is known on 31 March and buys twice in the second quarter, Bob is new in May; nobody refunds anything.
LOG = [
    ("ada", "2024-01-10", 50.0), ("ada", "2024-02-10", 50.0), ("ada", "2024-04-20", 30.0), ("ada", "2024-06-20", 20.0),
    ("bob", "2024-05-05", 80.0), ("ada", "2024-07-09", 10.0),
]  # fmt: skip
BASE = pd.Series(
    {"customers": 1, "expected_purchases": 6.0, "purchases_lower": 2.0, "purchases_upper": 9.0}
    | {"clv_mean": 200.0, "clv_lower": 90.0, "clv_upper": 400.0}
)


@pytest.fixture
def con() -> DuckDBPyConnection:
    connection = transactions.connect(memory_gib=1.0)
    rows = pd.DataFrame(LOG, columns=["customer_id", "date", "amount"]).astype({"date": "datetime64[us]"})
    connection.register("log", rows)
    connection.execute("CREATE VIEW refunds AS SELECT *, date AS refunded_on FROM log WHERE false")
    return connection


def ahead(first: str) -> pd.DataFrame:
    """Return a quarter that is forecast, with 60 money in 3 purchases, and one that was seen."""
    starts = pd.to_datetime([first, "2023-10-01"])
    rows = pd.DataFrame({"kind": "quarter", "status": ["forecast", "observed"], "starts": starts})
    rows = rows.assign(ends=starts + pd.offsets.QuarterEnd(0), revenue=60.0, purchases=3.0)
    return rows.assign(revenue_lower=40.0, revenue_upper=90.0, purchases_lower=1.0, purchases_upper=5.0)


def made(con, day: date, earlier=None, run_id="first", value=200.0):
    return kept.keep(
        con, "log", earlier, BASE.replace({200.0: value}), ahead(f"2024-{day.month + 1:02}-01"), day, 52,
        run_id=run_id, refunds="refunds", discount_weekly=0.0, gross_margin=0.5,
    )  # fmt: skip


def test_a_forecast_is_kept_unscored_until_its_time_is_over(con):
    table = made(con, date(2024, 3, 31))
    assert table["kind"].tolist() == ["quarter", "horizon"]
    assert table["actual_value"].isna().all()
    assert table.set_index("kind").loc["horizon", ["value", "value_lower", "purchases"]].tolist() == [200, 90, 6]
    assert table.set_index("kind").loc["horizon", "ends"] == pd.Timestamp("2025-03-30")


def test_what_came_of_the_customers_known_then_scores_it(con):
    table = made(con, date(2024, 6, 30), made(con, date(2024, 3, 31)), run_id="second")
    scored = table[table["actual_value"].notna()]
    assert scored[["kind", "run_id", "actual_purchases", "actual_value"]].to_numpy().tolist() == [
        ["quarter", "first", 2.0, 50.0]  # Bob was not known in March
    ]
    assert table["run_id"].tolist() == ["first", "first", "second", "second"]


def test_a_quarter_that_begins_later_counts_from_its_first_day_on(con):
    assert kept._came(con, "log", date(2024, 2, 29), date(2024, 5, 1), date(2024, 6, 30), "refunds", {}) == [1, 20]


def test_made_again_the_table_is_the_same_and_an_earlier_day_takes_no_later_forecast_away(con):
    first = made(con, date(2024, 3, 31))
    both = made(con, date(2024, 6, 30), first)
    pd.testing.assert_frame_equal(made(con, date(2024, 6, 30), both), both)
    again = made(con, date(2024, 3, 31), both)
    assert again["as_of"].nunique() == 2


def test_made_again_from_its_own_file_the_table_is_the_same_to_the_byte(con, tmp_path):
    first, again = tmp_path / "first.parquet", tmp_path / "again.parquet"
    made(con, date(2024, 3, 31)).to_parquet(first)
    made(con, date(2024, 3, 31), pd.read_parquet(first)).to_parquet(again)
    assert again.read_bytes() == first.read_bytes()


def test_value_then_and_now_are_joined_by_what_came_who_is_new_and_the_outlook(con):
    both = made(con, date(2024, 6, 30), made(con, date(2024, 3, 31)), value=190.0)
    customers = pd.DataFrame(
        {"first_purchase": pd.to_datetime(["2024-01-10", "2024-05-05"]), "clv_mean": [150.0, 40.0]}
    )
    ask = {"refunds": "refunds", "discount_weekly": 0.0, "gross_margin": 0.5}
    found = kept.since_last(con, "log", both, customers, date(2024, 6, 30), **ask)
    assert found == {
        "as_of": "2024-03-31", "then": 200.0, "came": 25.0, "n_new": 1, "new": 40.0, "others": -25.0, "now": 190.0,
    }  # fmt: skip
    assert found["then"] - found["came"] + found["new"] + found["others"] == found["now"]
    assert kept.since_last(con, "log", made(con, date(2024, 3, 31)), customers, date(2024, 3, 31), **ask) is None


def test_kept_forecasts_are_read_by_the_next_run_and_are_no_link_of_its_chain(con, tmp_path, monkeypatch):
    monkeypatch.setenv("CLV_OUTPUTS", str(tmp_path))
    run = Run("shop")
    assert run.read_earlier(FORECASTS) is None
    run.write_table(FORECASTS, made(con, date(2024, 3, 31)))
    assert run.path("forecasts") == tmp_path / "shop" / "forecasts.parquet"
    assert run.read_earlier(FORECASTS)["run_id"].tolist() == ["first", "first"]
