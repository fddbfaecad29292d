"""The report says what the figures say, in sentences a budget owner can act on."""

import copy
import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from forecasts import MISFIT, TESTED

from clv import tables
from clv.checks.gate import PASS, Check
from clv.forecast.tables import COHORTS, CUSTOMERS, FORECAST, SEGMENTS, as_shown
from clv.report import display, key_figures
from clv.report.charts.backtest import against_actual, chart_tracking, chart_windows
from clv.report.charts.value import chart_total
from clv.report.labels import label
from clv.report.markup import Words, markup
from clv.report.tables import backtest, value
from clv.report.text import cover, log, markdown, notebooks, trust

BACKTEST = TESTED | {
    "ranking": TESTED["ranking"] | {"best_tenth_expected": 0.548},
    "slipping": {"customers": 395, "forecast": 2_140.0, "actual": 3_310.0},
    "naive": TESTED["naive"] | {"nobody_value_mae": 31.0},
    "horizons": [],
    "groupings": {"purchases": {}, "value": {}},
    "windows_left_out": 0,
    "sample_of": None,
}
FIGURES = {
    "run_id": "5e6f",
    "next_quarter": {
        "starts": "1998-07-01",
        "ends": "1998-09-30",
        "revenue": 17_900.0,
        "lower": 14_000.0,
        "upper": 23_000.0,
        "last_revenue": 18_000.0,
        "last_revenue_of_new": 0.0,
        "year_before": None,
    },
    "latest_windows": [],
    "new_customer": {
        "mean": 61.0,
        "may_cost": {"0.50": 60.0, "0.80": 52.0, "0.95": 45.0},
        "quantiles": [45.0, 60.0, 75.0],
    },
    "truth": None,
    "watch": {"customers": 34, "clv_mean": 3_100.0},
    "campaign": None,
    "acquisition": None,
    "as_of": "1998-06-30",
    "source": "cdnow",
    "horizon_weeks": 52,
    "discount_rate_annual": 0.10,
    "gross_margin": 1.0,
    "value_is": "revenue",
    "currency": "USD",
    "interval": 0.9,
    "n_customers": 2357,
    "n_repeat_customers": 1139,
    "n_transactions": 6696,
    "revenue": 244_091.94,
    "first_purchase": "1997-01-01",
    "revenue_before": 101_000.0,
    "may_come_back": 0.0,
    "total_clv": {
        "mean": 69_044.0,
        "lower": 52_310.0,
        "upper": 91_480.0,
        "if_model_right": {"lower": 63_129.8, "upper": 74_750.3},
        "with_misfit": {"lower": 52_310.0, "upper": 91_480.0},
    },
    "expected_purchases": {
        "mean": 1970.6,
        "lower": 1561.0,
        "upper": 2487.0,
        "if_model_right": {"lower": 1822.0, "upper": 2118.0},
        "with_misfit": {"lower": 1561.0, "upper": 2487.0},
    },
    "share_buying": 0.266,
    "share_of_value_top_decile": 0.628,
    "share_of_value_one_time_buyers": 0.08,
    "slipping": {"customers": 430, "revenue": 31_300.0, "clv_mean": 2_680.0},
    "gate": {"verdict": "PASS", "checks": [{"name": "R-hat", "verdict": "PASS", "sentence": "all is well"}]},
    "backtest": BACKTEST,
    "misfit": MISFIT | {"tau_range": {"purchases": [0.04, 0.25], "value": [0.05, 0.3]}},
}
GROUPS = pd.DataFrame(
    {
        "grouping": ["base", "rfm_segment", "rfm_segment"],
        "group": ["all customers", "At risk", "Champions"],
        "customers": [2357, 84, 521],
        "repeat_customers": [1139, 84, 521],
        "revenue": [244_091.9, 7_580.0, 147_000.0],
        "mean_p_alive": [0.79, 0.2, 0.9],
        "mean_p_alive_repeat": [0.79, 0.2, 0.9],
        "mean_p_purchase": [0.27, 0.08, 0.63],
        "expected_purchases": [1970.6, 9.0, 1500.0],
        "purchases_lower": [1822.0, 3.0, 1400.0],
        "purchases_upper": [2118.0, 16.0, 1600.0],
        "clv_mean": [69_044.0, 353.0, 53_100.0],
        "clv_lower": [63_129.8, 83.0, 47_500.0],
        "clv_upper": [74_750.3, 704.0, 58_900.0],
        "clv_per_customer": [29.3, 4.2, 102.0],
        "share_of_value": [1.0, 0.005, 0.77],
        "expected_purchases_with_misfit": [1970.6, 9.0, 1500.0],
        "clv_mean_with_misfit": [69_044.0, 352.0, 53_100.0],
        "purchases_lower_with_misfit": [1561.0, 3.0, 1200.0],
        "purchases_upper_with_misfit": [2487.0, 17.0, 1900.0],
        "clv_lower_with_misfit": [52_310.0, 80.0, 40_200.0],
        "clv_upper_with_misfit": [91_480.0, 760.0, 70_300.0],
    }
)
LEDGER = pd.DataFrame(
    {
        "line": ["source", "missing_customer_id", "kept"],
        "meaning": ["rows in the source", "no customer identifier", "rows used"],
        "rows": [100, 3, 97],
        "amount": [1000.0, 20.0, 980.0],
    }
)


def said(text: str) -> str:
    return text.replace("\u00a0", " ")


GROUPS = as_shown(GROUPS)
label(GROUPS, currency="USD", interval=0.9)


def untested() -> tuple[dict, pd.DataFrame]:
    """Return figures and groups of a run without a backtest: nothing allows for misfit."""
    without = {
        name: FIGURES[name] | FIGURES[name]["if_model_right"] | {"with_misfit": None}
        for name in ("total_clv", "expected_purchases")
    }
    wider = dict.fromkeys([name for name in GROUPS if name.endswith("_with_misfit")], float("nan"))
    own = {name.removesuffix("_if_model_right"): GROUPS[name] for name in GROUPS if name.endswith("_if_model_right")}
    return FIGURES | without | {"backtest": None, "misfit": None}, GROUPS.assign(**wider, **own)


def test_the_title_of_the_total_has_the_limits_that_the_chart_shades():
    draws = pd.DataFrame({"value": [6e4, 7e4], "value_with_misfit": [5e4, 8e4]})
    assert said(chart_total(draws, untested()[1]).layout.title.text) == (
        "All customers together will bring 63,100 to 74,800 USD with 90 % probability"
    )
    assert "52,300 to 91,500 USD" in said(chart_total(draws, GROUPS).layout.title.text)


def test_a_run_without_a_backtest_says_so():
    drawn = chart_tracking(pd.DataFrame(), untested()[0]["backtest"])
    assert drawn.layout.title.text == "No backtest in this run"
    assert against_actual(pd.DataFrame(), x="", unit="", title="").layout.title.text == "No backtest in this run"


def test_what_was_left_out_is_said_with_its_reason():
    assert said(log.left_out(LEDGER, "USD")) == (
        "Of 100 rows of the log (1,000 USD), 97 were kept (980 USD). Rows left out: 3 worth 20.0 USD (no customer "
        "identifier)."
    )
    free = LEDGER.assign(amount=LEDGER["amount"].where(LEDGER.index != 1, 0.0))
    assert log.left_out(free, "USD").endswith("Rows left out: 3 (no customer identifier).")
    nothing = LEDGER.drop(index=1)
    assert log.left_out(nothing, "USD").endswith("No row was left out.")
    counted = said(log.left_out(nothing, "USD", purchases=90))
    assert "They are 90 purchases: what a customer buys on one day counts as one." in counted


def test_dependence_is_held_against_what_independence_shows():
    table = pd.DataFrame({"measure": ["Spearman"], "value": [0.21], "lower": [0.01], "upper": [0.10]})
    assert "Spearman +0.21 (+0.01 to +0.10). Spend depends on frequency" in notebooks.dependence_in_words(table)
    assert notebooks.dependence_in_words(table.assign(value=0.05)).endswith("That is what independence looks like.")


def test_a_holdout_without_purchases_is_still_reported():
    nobody = copy.deepcopy(FIGURES)
    for name in ("purchases", "value"):
        nobody["backtest"][name] |= {"actual": 0, "error": None}
    assert "| 1,653 forecast, 0 came |" in said(markdown.markdown_report(nobody, GROUPS, LEDGER))
    weeks = pd.DataFrame({"week": [0.0], "period": "calibration", "actual": 0.0, "expected": 0.0})
    weeks = weeks.assign(lower=np.nan, upper=np.nan)
    label(weeks, interval=0.9)
    drawn = chart_tracking(weeks, nobody["backtest"]["purchases"])
    assert drawn.layout.title.text == "1,653 purchases were forecast, 0 came"


def test_the_text_report_holds_the_same_findings():
    text = markdown.markdown_report(FIGURES, GROUPS, LEDGER)
    for part in (cover.read_first(FIGURES), trust.trust_in_words(FIGURES)):
        assert part in text
    assert said(text).startswith("# Our 2,357 customers will bring about 69,000 USD in the next 12 months\n")
    assert "- Next 12 months: **69,000 USD**, likely 52,300 to 91,500 USD with 90 % probability." in said(text)
    table = [line for line in text.splitlines() if line.startswith("| Champions |")]
    assert len(table) == 1
    assert "40,200 to 70,300" in said(table[0])


def test_the_footer_says_what_the_report_rests_on_and_of_a_report_without_figures_what_is_known():
    known = {"run": "shop", "run_id": "c7cf29815519", "seed": 1, "versions": {"python": "3.13.0", "pymc": "6.3.2"}}
    figures = FIGURES | {"first_purchase": "2024-01-02", "as_of": "2025-06-30", "gate": {"verdict": "WARN"}}
    assert said(cover.footer(figures, **known)) == (
        "Run shop, run id c7cf29815519; purchases from 2 January 2024 to 30 June 2025; seed 1; checks WARN; "
        "tables of 5e6f; "
        "python 3.13.0, pymc 6.3.2."
    )
    assert cover.footer(None, **known) == "Run shop, run id c7cf29815519; seed 1; python 3.13.0, pymc 6.3.2."


def test_tables_for_people_escape_and_align():
    table = pd.DataFrame({"Words": ["<b>x</b>", "y"], "Numbers": ["1,200", "-3"]}, index=["a", "b"])
    page = markup(table)
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert '<th class="word">b</th><td class="word">y</td><td class="number">-3</td>' in page
    assert Words(table).captioned("a < b")._repr_html_().startswith("<table><caption>a &lt; b</caption><thead>")


def test_checks_that_warn_stand_first_and_those_that_passed_are_folded():
    check = {"part": "data", "name": "x", "figure": 1.0, "limit": "< 2", "sentence": "S."}
    page = display.folded_checks([check | {"verdict": "PASS"}] * 3 + [check | {"verdict": "WARN"}]).data
    before, folded = page.split('<details class="more" open><summary>3 checks passed</summary>')
    assert "WARN" in before and "PASS" not in before and "WARN" not in folded
    assert display.folded_checks([check | {"verdict": "PASS"}]).data.startswith("<p>Nothing failed or warns.</p>")


def test_an_empty_table_is_not_folded_but_left_out():
    table = Words({"x": ["1"]})
    assert display.folded(table, "Open").data.startswith('<details class="more" open><summary>Open</summary><table>')
    assert display.folded(table[:0], "Open").data == ""


def test_headings_and_segments_are_explained_where_they_stand():
    table = markup(Words({"Will buy": ["5 %"], "<b>": ["x"]}, index=pd.Index(["Lost"], name="Group")))
    assert '<abbr title="seldom, longest ago, by recency and frequency" tabindex="0">Lost</abbr>' in table
    assert "<abbr title=" in table.partition("Will buy")[0] and '<th class="word">&lt;b&gt;</th>' in table


def test_long_words_are_not_cut_short():
    sentence = "a very long sentence " * 20
    assert sentence in markup(pd.DataFrame({"": [sentence]}))


def test_the_data_dictionary_explains_every_exported_column():
    dictionary = display.data_dictionary()
    for table in (CUSTOMERS, SEGMENTS, COHORTS, FORECAST):
        assert set(table.columns) == set(dictionary.loc[dictionary["table"] == table.name, "column"])
    assert (dictionary["meaning"].str.len() > 10).all()


@pytest.mark.parametrize("cell", [float("nan"), pd.NaT, None])
def test_what_is_missing_is_shown_as_nothing(cell):
    assert display.readable(pd.DataFrame({"x": [cell, 1.0]}, dtype=object))["x"].tolist() == ["", "1.00"]


def drawn(**statistics: float) -> xr.DataTree:
    """Return a posterior of which only the way it was drawn matters."""
    return xr.DataTree.from_dict({"sample_stats": xr.Dataset(statistics)})


def test_what_to_look_for_depends_on_how_the_draws_were_found():
    assert notebooks.draws_in_words(drawn(k_hat=0.2), []) == (
        "These draws come from a multivariate t distribution around the posterior's mode, weighted by how well it fits "
        "there and drawn again in proportion. Look for a curve that leaves the diagonal gently: one that leaps up at "
        "the left would say that few draws carry all the weight. In the table, `ess` says how many independent draws "
        "they are worth."
    )
    assert notebooks.draws_in_words(drawn(diverging=0.0), []).startswith("Left, one density per chain")


def test_a_run_says_how_much_memory_it_needs():
    assert notebooks.memory_in_words(1.96, 4.0) == (
        "The hungriest of them needs about 2.0 GiB of memory; memory_gib allows 4."
    )


# --- the figures the words are made of


def collected(groups: pd.DataFrame) -> dict:
    """Return the key figures of two customers, and of whatever groups are given, beside a best tenth of 58 %."""
    tier = {"grouping": ["value_tier"], "group": ["Top 10 %"], "share_of_value": [0.58]}
    groups = pd.concat([groups, pd.DataFrame(tier)], ignore_index=True)
    base = pd.DataFrame(
        {
            "frequency": [0, 2],
            "purchases": [1, 3],
            "revenue": [10.0, 60.0],
            "first_purchase": pd.to_datetime(["2024-03-01", "2024-01-01"]),
            "p_purchase": [0.2, 0.6],
            "p_alive": [0.9, 0.4],
            "clv_mean": [5.0, 15.0],
        }
    )
    forecast = SimpleNamespace(customers=base, total_value=np.linspace(10, 30, 100))
    checks = [Check("data", "one", 1.0, "1", PASS, "All is well.")]
    stated = {
        "as_of": "2024-12-31", "run_id": "5e6f", "purchase_model": "BG/NBD", "source": "/ada/log.csv",
        "horizon_weeks": 52, "discount_rate_annual": 0.1, "gross_margin": 1.0, "currency": "USD", "interval": 0.9,
    }  # fmt: skip
    dependence = pd.DataFrame({"measure": ["Spearman"], "value": [0.1]})
    return key_figures.collect_key_figures(
        forecast, groups, dependence, LEDGER, tables.empty(FORECAST), past_windows(),
        pd.DataFrame({"clv_mean": [5.0]}), checks, stated=stated, misfit=MISFIT, revenue_before=77.0, may_come_back=0.1,
        new_customer={"mean": 61.0}, truth=None,
    )  # fmt: skip


def test_the_figures_that_a_report_carries_name_the_log_and_not_where_it_lies():
    assert collected(GROUPS)["source"] == "log.csv"
    assert "/ada" not in json.dumps(collected(GROUPS))


def test_the_figures_of_the_total_are_the_row_of_everybody():
    found = collected(GROUPS)
    total, counted = found["total_clv"], found["expected_purchases"]
    assert (total["mean"], total["lower"], total["upper"]) == (69_044.0, 52_310.0, 91_480.0)
    assert total["if_model_right"] == {"lower": 63_129.8, "upper": 74_750.3}
    assert total["with_misfit"] == {"lower": 52_310.0, "upper": 91_480.0}
    assert (counted["mean"], counted["lower"], counted["upper"]) == (1970.6, 1561.0, 2487.0)
    assert counted["with_misfit"] == {"lower": 1561.0, "upper": 2487.0}
    assert found["misfit"] == MISFIT
    assert found["revenue_before"] == 77
    assert found["share_of_value_one_time_buyers"] == 0.25
    assert found["share_of_value_top_decile"] == 0.58  # as the table of tiers says
    assert found["slipping"] == {"customers": 1, "revenue": 60, "clv_mean": 15}


def test_the_truth_of_generated_customers_is_told_whole_and_by_segment():
    customers = pd.DataFrame({"customer_id": ["ada", "bob", "cid"], "rfm_segment": ["Lost", "Lost", "Loyal"]})
    truth = pd.DataFrame({"customer_id": ["cid", "ada", "bob"], "future_value": [70.0, 1.0, 2.0]})
    assert key_figures.truth_of(truth, customers) == {"value": 73.0, "segments": {"Lost": 3.0, "Loyal": 70.0}}
    assert collected(GROUPS)["truth"] is None


def test_without_a_backtest_no_figure_allows_for_misfit():
    found = collected(untested()[1])
    assert found["total_clv"]["with_misfit"] is found["expected_purchases"]["with_misfit"] is None


# --- tables of past tests


def past_windows() -> pd.DataFrame:
    """Return of table WINDOWS what is shown: one quarter and one half year, the second missed."""
    return pd.DataFrame(
        {
            "horizon_weeks": [13, 13, 26],
            "origin": pd.to_datetime(["1998-03-31", "1998-03-31", "1997-12-30"]),
            "outcome": ["purchases", "value", "value"],
            "customers": [2357, 2357, 2300],
            "actual": [512.0, 19_000.0, 45_000.0],
            "forecast": [640.0, 20_000.0, 36_000.0],
            "lower": [590.0, 16_500.0, 31_000.0],
            "upper": [700.0, 23_500.0, 41_000.0],
            "lower_with_misfit": [500.0, 14_000.0, 26_000.0],
            "upper_with_misfit": [800.0, 27_000.0, 49_000.0],
            "coverage": [0.95, 0.94, 0.91],
        }
    )


def test_past_windows_are_shown_with_their_error_and_their_interval():
    rows = past_windows()
    label(rows, currency="USD", interval=0.9)
    table = backtest.windows_table(rows, "value")
    assert [said(name) for name in table.index] == ["from 31 Mar 1998, 13 weeks", "from 30 Dec 1997, 26 weeks"]
    assert {said(column): said(cell) for column, cell in table.iloc[1].items()} == {
        "Customers": "2,300",
        "Value (USD) forecast": "36,000",
        "Total: 90 %, allowing for errors known by then": "26,000 to 49,000",
        "Total: 90 % if the model is right": "31,000 to 41,000",
        "Came": "45,000",
        "Off": "+25 %",
        "Single customers inside": "91 %",
    }
    counted = backtest.windows_table(rows, "purchases")
    assert said(counted.loc[counted.index[0], "Off"]) == "-20 %"
    assert counted["Purchases forecast"].tolist() == ["640"]


def test_the_title_of_the_past_counts_totals_inside():
    past = past_windows()
    label(past, interval=0.9)
    titles = [chart_windows(rows).layout.title.text for rows in (past, past.head(1))]
    assert titles == [
        "Past totals inside their range: 1 of 1 (13 weeks), 1 of 1 (26 weeks)",
        "No past window to test on",  # purchases are not value
    ]


def test_tested_segments_come_in_the_readers_order_and_say_what_missed():
    groups = pd.DataFrame(
        {
            "grouping": ["base", "rfm_segment", "rfm_segment", "cohort"],
            "group": ["all customers", "Lost", "Champions", "1997-01"],
            "customers": [10, 6, 4, 10],
            "value_forecast_with_misfit": [1000.0, 100.0, 900.0, 1000.0],
            "value_lower_with_misfit": [800.0, 50.0, 700.0, 800.0],
            "value_upper_with_misfit": [1200.0, 150.0, 1100.0, 1200.0],
            "value_actual": [1400.0, 150.0, 1250.0, 1400.0],
        }
    )
    label(groups, currency="USD", interval=0.9)
    table = backtest.tested_segments_table(groups)
    assert table.index.tolist() == ["Champions", "Lost"]
    assert table["Inside"].tolist() == ["no", "yes"]  # a limit is inside
    assert table["Came"].tolist() == ["1,250", "150"]
    assert said(table.iloc[0, 2]) == "700 to 1,100"


def test_scores_are_shown_for_everybody_and_by_what_was_known():
    single = {
        "n_customers": 10,
        "coverage": {"0.90": 0.934},
        "pit_distance": 0.02,
        "crps": 0.5,
        "mae": 0.7,
        "rmse": 1.3,
    }
    histories = {"bought once": single | {"n_customers": 6}, "came back": single | {"n_customers": 4}}
    table = backtest.history_table(single | {"by_history": histories})
    assert table["Customers"].to_dict() == {"all": "10", "bought once": "6", "came back": "4"}
    assert said(table.rename(columns=said).loc["all", "90 % held"]) == "93 %"
    assert backtest.history_table(None).empty


def test_amounts_are_shown_per_purchase():
    spend = pd.DataFrame(
        {"customers": 10.0, "purchases": 25.0, "expected": 36.75, "actual": 35.0, "0.90": 0.88, "pit_distance": 0.031},
        index=["all"],
    )
    scarce = spend.assign(customers=10_000.0)  # luck explains 88 % of ten customers, not of ten thousand
    assert "vary more" in backtest.spend_table(scarce, "USD")["Within luck"].iloc[0]
    table = backtest.spend_table(spend, "USD").rename(columns=said)
    assert table.columns.tolist() == [
        "Customers", "Purchases", "Expected per purchase (USD)", "Came (USD)", "90 % held", "PIT distance",
        "Within luck",
    ]  # fmt: skip
    assert table.map(said).loc["all"].tolist() == ["10", "25", "36.75", "35.00", "88 %", "0.031", "yes"]


def test_windows_are_announced_with_what_was_known_and_came():
    rolling = pd.DataFrame(
        {
            "horizon_weeks": [13, 13, 13, 26],
            "origin": pd.to_datetime(["1997-07-01", "1997-07-01", "1998-03-31", "1997-12-30"]),
            "customer_id": ["ada", "bob", "ada", "ada"],
            "frequency": [0, 2, 1, 1],
            "actual_purchases": [3, 4, 0, 1],
        }
    )
    table = backtest.rolling_table(rolling)
    assert [said(name) for name in table.index] == ["13 weeks", "13 weeks", "26 weeks"]
    assert table.iloc[0].tolist() == ["1997-07-01", "2", "1", "7"]


def test_a_tier_says_how_surely_its_customers_belong_to_it():
    tiers = GROUPS.assign(grouping="value_tier", group=["Top 10 %", "Next 20 %", "Next 30 %"])
    customers = pd.DataFrame(
        {"value_tier": ["Top 10 %", "Top 10 %", "Next 20 %", "Next 30 %"], "value_tier_probability": [1, 0.5, 0.4, 0.3]}
    )
    table = value.tiers_table(tiers, customers).map(said)
    assert table["Belong there"].tolist() == ["75 %", "40 %", "30 %"]


def test_moves_are_listed_the_largest_first_without_those_who_stayed():
    migration = pd.DataFrame(
        [("A", "A", 90, 0.9), ("A", "B", 10, 0.1), ("B", "A", 50, 1.0)],
        columns=["segment_before", "segment_now", "customers", "share"],
    )
    table = value.migration_table(migration).map(said)
    assert table.reset_index().to_numpy().tolist() == [["B", "A", "50", "100 %"], ["A", "B", "10", "10 %"]]


def test_the_verdict_of_a_test_stands_beside_its_question():
    table = backtest.answers_table([("Was it right?", "It was.", "held"), ("Really?", "No.", "missed")])
    assert table.reset_index().to_numpy().tolist() == [
        ["Was it right?", "held", "It was."],
        ["Really?", "missed", "No."],
    ]


def test_what_changed_since_last_time_adds_up_and_earlier_forecasts_stand_beside_what_came():
    last = {"as_of": "1998-03-31", "then": 80_000.0, "came": 18_000.0, "n_new": 12, "new": 5_000.0}
    figures = FIGURES | {"since_last": last | {"others": 2_044.0, "now": 69_044.0}}
    days = {"as_of": ["1998-03-31"] * 2, "starts": ["1998-04-01"] * 2, "ends": ["1998-06-30", "1999-03-30"]}
    made = pd.DataFrame(days).apply(pd.to_datetime)
    made = made.assign(value=[20_000.0, 80_000.0], value_lower=15_000.0, value_upper=99_000.0)
    heading, bridge, scored = value.since_last_time(figures, made.assign(actual_value=[18_000.0, np.nan]))
    assert heading.data == "## Since last time"
    assert {said(name): said(step) for name, step in bridge["Value"].items()} == {
        "Forecast of 31 March 1998": "80,000 USD",
        "what these customers brought since": "-18,000",
        "12 new customers, still to bring": "+5,000",
        "the others, seen anew and to a later end": "+2,040",
        "Forecast of 30 June 1998": "69,000 USD",
    }
    assert scored.map(said).loc["1998-04-01 to 1998-06-30"].tolist() == [
        "1998-03-31", "20,000", "15,000 to 99,000", "18,000", "10 % less", "yes",
    ]  # fmt: skip
    assert value.since_last_time(FIGURES | {"since_last": None}, made.assign(actual_value=np.nan)) == []


def test_groups_are_ranked_with_a_probability_and_columns_that_were_asked_for_have_a_table_of_their_own():
    ranked = pd.DataFrame({"grouping": ["cohort", "by Channel", "by Channel"], "group": ["1997-01", "Web", "Shop"]})
    ranked = ranked.assign(customers=[50, 40, 3], clv_per_customer=[9.0, 8.0, 7.0], lower=1.0, upper=20.0)
    ranked = ranked.assign(p_above_next=[np.nan, 0.62, np.nan], margin_to_date=20.0, highest_cost=27.5)
    label(ranked, currency="USD", interval=0.9)
    (table,) = value.asked_tables(ranked)
    assert table.attrs["caption"] == "Channel: what a customer will bring"
    assert table.map(said).loc["Web"].tolist() == ["40", "8.00", "1.00 to 20.0", "62 %", "20.0", "27.5"]
    assert table.map(said).loc["Shop"].tolist()[2:4] == ["too few to tell", ""]
    assert value.ranks_table(ranked, "cohort").attrs["caption"] == "Cohort: what a customer will bring"
