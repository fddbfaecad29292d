"""The report says what the figures say, in sentences a budget owner can act on."""

import copy

import pandas as pd
import pytest
import xarray as xr

from clv import page_tables, report, segments, tables


def outcome(actual, mean, lower, upper, **more):
    return {
        "actual": actual,
        "forecast": {"mean": mean, "lower": lower, "upper": upper},
        "inside": lower <= actual <= upper,
        "error": mean / actual - 1,
        "coverage_of_interval": 0.93,
        "slope_error": 0.09,
        "coverage": {"0.50": 0.79, "0.80": 0.89, "0.90": 0.93, "0.94": 0.95},
        "mae": 0.785,
        "crps": 0.51,
        "slope": 0.84,
        **more,
    }


FIGURES = {
    "campaign": None,
    "acquisition": None,
    "as_of": "1998-06-30",
    "source": "cdnow",
    "horizon_weeks": 52,
    "discount_rate_annual": 0.10,
    "value_is": "revenue",
    "currency": "USD",
    "interval": 0.9,
    "n_customers": 2357,
    "n_repeat_customers": 1139,
    "n_transactions": 6696,
    "revenue": 244_091.94,
    "first_purchase": "1997-01-01",
    "total_clv": {"mean": 69_044.0, "lower": 63_129.8, "upper": 74_750.3},
    "expected_purchases": {"mean": 1970.6, "lower": 1822.0, "upper": 2118.0},
    "share_buying": 0.266,
    "share_of_value_top_decile": 0.628,
    "share_of_value_one_time_buyers": 0.08,
    "slipping": {"customers": 430, "revenue": 31_300.0, "clv_mean": 2_680.0},
    "gate": {"verdict": "PASS", "checks": [{"verdict": "PASS", "sentence": "all is well"}]},
    "backtest": {
        "origin": "1997-09-30",
        "horizon_weeks": 39.0,
        "n_customers": 2357,
        "purchases": outcome(1882, 1653.0, 1500.0, 1830.0),
        "value": outcome(70_976.4, 60_116.0, 52_535.0, 67_667.0, expectation_interval_coverage=0.016),
        "worst_tenth": {"decile": 8, "predicted": 16.8, "actual": 28.4},
        "naive": {"past_rate_mae": 1.02, "nobody_mae": 0.80},
    },
}
GROUPS = pd.DataFrame(
    {
        "grouping": ["base", "rfm_segment", "rfm_segment"],
        "group": ["all customers", "At risk", "Champions"],
        "customers": [2357, 84, 521],
        "repeat_customers": [1139, 84, 521],
        "revenue": [244_091.9, 7_580.0, 147_000.0],
        "mean_p_alive": [0.79, 0.2, 0.9],
        "mean_p_purchase": [0.27, 0.08, 0.63],
        "expected_purchases": [1970.6, 9.0, 1500.0],
        "purchases_lower": [1822.0, 3.0, 1400.0],
        "purchases_upper": [2118.0, 16.0, 1600.0],
        "clv_mean": [69_044.0, 353.0, 53_100.0],
        "clv_lower": [63_129.8, 83.0, 47_500.0],
        "clv_upper": [74_750.3, 704.0, 58_900.0],
        "clv_per_customer": [29.3, 4.2, 102.0],
        "share_of_value": [1.0, 0.005, 0.77],
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


def changed(**backtest):
    figures = copy.deepcopy(FIGURES)
    for name, values in backtest.items():
        figures["backtest"][name].update(values)
    return figures


def test_the_bottom_line_states_worth_range_and_assumption():
    first = said(report.bottom_line(FIGURES, GROUPS)).splitlines()[0]
    assert first == (
        "- On 30 June 1998 the 2,357 known customers are worth **69,000 USD** of revenue over the next 52 weeks "
        "(later money discounted at 10 % a year). With 90 % probability it will be between 63,100 USD and 74,800 USD, "
        "if customers go on as they did."
    )


def test_the_bottom_line_has_at_most_five_points():
    assert len(report.bottom_line(FIGURES, GROUPS).splitlines()) == 5


def test_the_most_valuable_segment_and_those_who_probably_left_are_named():
    line = said(report.bottom_line(FIGURES, GROUPS)).splitlines()[3]
    assert line == (
        "- Most is at stake with *Champions*: 521 customers will bring 53,100 USD, 77 % of the value. 430 repeat "
        "customers have more likely left than not: they bought for 31,300 USD so far, and 2,680 USD of revenue is "
        "still expected from them."
    )


def test_the_bottom_line_tells_how_the_last_forecast_did_in_number_and_in_money():
    assert said(report.bottom_line(FIGURES, GROUPS)).splitlines()[4] == (
        "- Tested on the 39 weeks after 30 September 1997: 1,653 purchases worth 60,100 USD were forecast, 1,882 worth "
        "71,000 USD came, both **outside** the 90 % interval."
    )
    one = report.bottom_line(changed(value={"inside": True}), GROUPS)
    assert "one of them **outside**" in one


def test_margin_is_not_called_revenue():
    assert "of margin over" in said(report.bottom_line(FIGURES | {"value_is": "margin"}, GROUPS))


def test_a_missed_backtest_is_a_warning_before_everything_else():
    assert said(report.banner(FIGURES)) == (
        "> **Take care.** The backtest missed. For the 39 weeks after 30 September 1997 1,653 (1,500 to 1,830) "
        "purchases were forecast and 1,882 came (forecast 12 % too low) and 60,100 (52,500 to 67,700) USD of "
        "value (discounted) were forecast and 71,000 came (forecast 15 % too low). The 90 % interval did not "
        "contain the "
        "outcome; expect errors of this size in the totals of this report as well."
    )


def test_a_kept_promise_needs_no_warning():
    kept = changed(purchases={"inside": True}, value={"inside": True})
    assert report.banner(kept) == ""


def test_a_check_that_warns_reaches_the_reader():
    warned = copy.deepcopy(FIGURES)
    warned["backtest"] = None
    warned["gate"]["checks"] = [{"verdict": "WARN", "sentence": "R-hat is 1.02."}]
    assert report.banner(warned) == "> **Take care.** R-hat is 1.02."


def test_value_from_one_time_buyers_is_warned_about():
    mostly = changed(purchases={"inside": True}, value={"inside": True}) | {"share_of_value_one_time_buyers": 0.6}
    warning = "> **Take care.** 60 % of the value comes from customers who bought once"
    assert said(report.banner(mostly)).startswith(warning)


def test_a_run_without_a_backtest_says_so():
    untested = FIGURES | {"backtest": None}
    assert "has **not** been tested" in report.bottom_line(untested, GROUPS)
    assert report.trust(untested).startswith("There is no backtest")
    assert report.title_tracking(untested) == report.title_backtest(untested) == "No backtest in this run"


def test_trust_names_both_intervals_and_the_naive_forecasts():
    text = said(report.trust(FIGURES))
    assert "1,882 purchases came where 1,653 were expected" in text
    assert "contained what came for 93 % of the customers" in text
    assert "contained it for 1.6 %" in text
    assert "0.84 USD more (± 0.09 standard error)" in text
    assert "tenth 8 of the customers by forecast: 16.8 USD each were expected, 28.4 USD came" in text
    assert "1.02" in text
    assert "0.80" in text


def test_what_was_left_out_is_said_with_its_reason():
    assert said(report.left_out(LEDGER, "USD")) == (
        "Of 100 rows of the log (1,000 USD), 97 were kept (980 USD). Rows left out: 3 (no customer identifier)."
    )
    nothing = LEDGER.drop(index=1)
    assert report.left_out(nothing, "USD").endswith("No row was left out.")
    counted = said(report.left_out(nothing, "USD", purchases=90))
    assert "They are 90 purchases: what a customer buys on one day counts as one." in counted


def test_dependence_is_held_against_what_independence_shows():
    table = pd.DataFrame({"measure": ["Spearman"], "value": [0.21], "lower": [0.01], "upper": [0.10]})
    assert "Spearman +0.21 (+0.01 to +0.10). Spend depends on frequency" in report.dependence_in_words(table)
    assert report.dependence_in_words(table.assign(value=0.05)).endswith("That is what independence looks like.")


def test_bars_outside_their_band_are_set_beside_luck():
    table = pd.DataFrame({"observed": [0.5, 0.2], "lower": [0.4, 0.3], "upper": [0.6, 0.4]})
    assert said(report.check_in_words(table, interval=0.9)) == (
        "1 of 2 observed shares lie outside their 90 % band; about 0.2 would by luck."
    )


def test_a_holdout_without_purchases_is_still_reported():
    nobody = changed(purchases={"actual": 0, "error": None}, value={"actual": 0.0, "error": None})
    assert "were forecast and 0 came" in said(report.banner(nobody))
    assert said(report.title_tracking(nobody)) == "1,653 purchases were forecast, 0 came"


def test_the_text_report_holds_the_same_findings():
    text = report.markdown_report(FIGURES, GROUPS, LEDGER)
    for part in (report.banner(FIGURES), report.bottom_line(FIGURES, GROUPS), report.trust(FIGURES)):
        assert part in text
    assert said(text).startswith("# What our customers are worth, 30 June 1998\n")
    table = [line for line in text.splitlines() if line.startswith("| Champions |")]
    assert len(table) == 1
    assert "47,500 to 58,900" in said(table[0])


def test_tables_for_people_escape_and_align():
    table = pd.DataFrame({"Words": ["<b>x</b>", "y"], "Numbers": ["1,200", "-3"]}, index=["a", "b"])
    page = page_tables.shown(table).data
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert '<td style="text-align: left">y</td><td style="text-align: right">-3</td>' in page


def test_long_words_are_not_cut_short():
    sentence = "a very long sentence " * 20
    assert sentence in page_tables.shown(pd.DataFrame({"": [sentence]})).data


def test_the_data_dictionary_explains_every_exported_column():
    dictionary = page_tables.data_dictionary()
    for table in (tables.CUSTOMERS, tables.SEGMENTS, tables.COHORTS):
        assert set(table.columns) == set(dictionary.loc[dictionary["table"] == table.name, "column"])
    assert (dictionary["meaning"].str.len() > 10).all()


def test_every_segment_has_words_and_an_action():
    names = {name for row in segments.SEGMENT_MAP.values() for name in row}
    assert names == set(segments.ACTIONS)


@pytest.mark.parametrize("cell", [float("nan"), pd.NaT, None])
def test_what_is_missing_is_shown_as_nothing(cell):
    assert page_tables.readable(pd.DataFrame({"x": [cell, 1.0]}, dtype=object))["x"].tolist() == ["", "1.00"]


def drawn(**statistics: float) -> xr.DataTree:
    """Return a posterior of which only the way it was drawn matters."""
    return xr.DataTree.from_dict({"sample_stats": xr.Dataset(statistics)})


def test_what_to_look_for_depends_on_how_the_draws_were_found():
    assert report.draws_in_words(drawn(k_hat=0.2), []) == (
        "These draws come from a multivariate t distribution around the posterior's mode, weighted by how well it fits "
        "there and drawn again in proportion. Look for a curve that leaves the diagonal gently: one that leaps up at "
        "the left would say that few draws carry all the weight. In the table, `ess` says how many independent draws "
        "they are worth."
    )
    assert report.draws_in_words(drawn(diverging=0.0), []).startswith("Left, one density per chain")


def test_a_run_says_how_much_memory_it_needs():
    assert report.memory_in_words(1.96, 4.0) == (
        "The hungriest of them needs about 2.0 GiB of memory; memory_gib allows 4."
    )
