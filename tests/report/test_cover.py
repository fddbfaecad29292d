"""What is read first: warnings in money, the largest first, none twice, none that its own paragraph withdraws."""

import copy
import re

import pytest
from test_report import FIGURES, said, untested

from clv.report.text import cover

WARNED = {"name": "independence", "figure": 0.25, "verdict": "WARN", "sentence": "Customers who buy more spend more."}
LATELY = {"horizon_weeks": 13, "origin": "1998-03-31", "forecast": 22_600.0, "actual": 17_800.0, "inside": True}
FINE = copy.deepcopy(FIGURES)
FINE["backtest"]["value"] |= {"with_misfit": {"lower": 50_000.0, "upper": 80_000.0}}


def told(**changed) -> list[str]:
    return [said(caution.sentence) for caution in cover.cautions(FINE | changed)]


def test_where_all_is_well_nothing_stands_before_the_figures():
    assert cover.read_first(FINE) == cover.further_cautions(FINE) == ""


def test_the_title_is_one_sentence_and_margin_is_not_called_revenue():
    assert said(cover.title(FINE)) == "Our 2,357 customers will bring about 69,000 USD in the next 12 months"
    assert "69,000 USD of margin in the next 17 weeks" in said(
        cover.title(FINE | {"value_is": "margin", "horizon_weeks": 17})
    )


def test_without_money_the_cover_says_what_value_counts():
    visits = FINE | {"value_is": "purchases", "currency": "purchases", "discount_rate_annual": 0.0}
    assert cover.cover(visits).endswith("value and revenue stand for a number of purchases.")
    assert "value and revenue" not in cover.cover(FINE)
    assert cover.tiles(visits)[1][0].startswith("Purchases, Jul")


def test_a_headline_test_that_the_latest_window_contradicts_is_said_first():
    assert told(latest_windows=[LATELY], gate={"checks": [WARNED]})[0] == (
        "The 39 weeks tested from 30 September 1997 brought 18 % more than forecast, the last 13 weeks 21 % less: "
        "17,800 USD of value for 22,600 USD."
    )
    assert told(latest_windows=[LATELY | {"actual": 25_000.0}]) == []  # the same direction
    value = FINE["backtest"]["value"]
    as_forecast = FINE["backtest"] | {"value": value | {"actual": 1.02 * value["forecast"]["mean"]}}
    assert told(latest_windows=[LATELY], backtest=as_forecast)[0].startswith("The 39 weeks tested")
    nearly = LATELY | {"actual": 0.95 * LATELY["forecast"]}
    assert told(latest_windows=[nearly], backtest=as_forecast) == []  # both are about right
    missed = LATELY | {"actual": 57_400.0, "inside": False}  # the same direction, and out of its range
    assert told(latest_windows=[missed])[0].endswith(
        "the last 13 weeks 154 % more: 57,400 USD of value for 22,600 USD."
    )
    assert cover.verdict(FINE | {"latest_windows": [LATELY]})[0] == "Use with care"


def test_a_forecast_that_starts_above_what_came_last_says_so_first():
    quarter = FINE["next_quarter"] | {"revenue": 20_000.0}
    assert told(next_quarter=quarter, gate={"checks": [WARNED]})[0].replace("\u2060", "") == (
        "The forecast starts 11 % above the last quarter: 20,000 USD in Jul\u2013Sep 1998 after 18,000 USD, from a "
        "base that nobody new joins."
    )
    assert told(next_quarter=FINE["next_quarter"] | {"revenue": 18_300.0}) == []
    assert told(next_quarter=FINE["next_quarter"] | {"last_revenue": 0.0}) == []  # nothing to hold it against


def test_a_season_that_past_windows_bear_out_may_start_above_the_last_quarter_but_not_above_that_of_a_year_before():
    quarter = FINE["next_quarter"] | {"revenue": 20_000.0, "year_before": 21_000.0}
    borne_out, refuted = (
        {"name": "calendar", "verdict": verdict, "figure": 0.1, "sentence": ""} for verdict in ("PASS", "WARN")
    )

    def starts_above(check, **changed) -> bool:
        return any(
            "starts 11 %" in caution for caution in told(next_quarter=quarter | changed, gate={"checks": [check]})
        )

    assert not starts_above(borne_out)
    assert starts_above(borne_out, year_before=18_500.0)
    assert starts_above(borne_out, year_before=None)
    assert starts_above(refuted) and starts_above(WARNED)  # no season: what came a year before came of more customers


def test_warnings_are_in_money_the_largest_first_and_the_same_once():
    once = {"name": "one-time buyers", "figure": 0.6, "verdict": "WARN", "sentence": "60 % of the value ..."}
    found = told(gate={"checks": [WARNED, once, WARNED]}, share_of_value_one_time_buyers=0.6)
    assert found == [
        "41,400 USD, 60 % of the value, is expected of customers who bought once, of whom the model knows little.",
        "What customers who bought once are expected to bring, 41,400 USD, may be 8,290 USD too high: spend and "
        "frequency go together here, which the model ignores.",
    ]


@pytest.mark.parametrize("name", ["mean spend", "infinite mean spend"])
def test_of_a_heavy_tail_it_says_what_is_rough_and_once(name):
    check = {"name": name, "figure": 3.5, "verdict": "WARN", "sentence": ""}
    assert told(gate={"checks": [check, check]}) == [
        "A few customers spend many times what most do: what a new customer is worth is rough."
    ]


def test_a_suspicion_that_its_own_paragraph_withdraws_is_no_warning():
    withdrawn = WARNED | {"sentence": "5,600 USD may be 1,400 USD too high: ..., which does not bear that out."}
    assert told(gate={"checks": [withdrawn]}) == told(gate={"checks": [WARNED | {"figure": 0.02}]}) == []


def test_two_warnings_stand_first_and_the_others_where_trust_is():
    every = {
        "latest_windows": [LATELY], "next_quarter": FINE["next_quarter"] | {"revenue": 20_000.0},
        "gate": {"checks": [WARNED]},
    }  # fmt: skip
    assert len(cover.read_first(FINE | every).split("\n>\n")) == 2
    assert cover.further_cautions(FINE | every).startswith("- What customers who bought once")


@pytest.mark.parametrize("name", ["prior sensitivity", "R-hat"])
def test_no_word_of_the_gate_reaches_the_first_screen(name):
    checked = {"name": name, "figure": 0.089, "verdict": "WARN", "sentence": "purchases, all data: x moves by 0.089"}
    assert "moves by" not in cover.read_first(FINE | {"gate": {"checks": [checked]}})
    assert told(gate={"checks": [checked]})


def test_what_a_prior_decides_is_told_in_money():
    checked = {"name": "prior sensitivity", "figure": 0.05, "verdict": "WARN", "sentence": "spend, all data: ..."}
    assert told(gate={"checks": [checked]}) == [
        "About 3,450 USD of the total rest on what was assumed before any data: so much these data leave open."
    ]


def test_a_calendar_that_the_past_does_not_bear_out_is_told_as_it_was_judged():
    checked = {"name": "calendar", "figure": 0.4, "verdict": "WARN", "sentence": "Totals were off by more on it."}
    assert told(gate={"checks": [checked]}) == ["Totals were off by more on it."]


def test_a_missed_backtest_is_a_warning_only_if_the_range_that_is_shown_missed():
    missed = {"name": "backtest", "figure": 0.1, "verdict": "WARN", "sentence": "The backtest missed."}
    assert told(gate={"checks": [missed]}) == []
    narrow = FINE["backtest"]["value"] | {"with_misfit": {"lower": 50_000.0, "upper": 70_000.0}}
    assert told(backtest=FINE["backtest"] | {"value": narrow}) == [
        "In the 39 weeks tested, 71,000 USD came where 60,100 USD were forecast, outside the range that was shown."
    ]


def test_a_rule_without_a_model_that_beats_the_forecast_is_named_for_purchases_too():
    rule = {"rule": "nobody buying again", "measure": "total", "naive": 120.0, "forecast": 1_229.0}
    better = [rule | {"outcome": "purchases"}, rule | {"outcome": "value", "measure": "customer"}]
    assert told(backtest=FINE["backtest"] | {"better_without_a_model": better}) == [
        "In the test, the plain guess of nobody buying again missed purchases by 120, this forecast by 1,229."
    ]
    both = [rule | {"outcome": "value", "naive": 3_000.0, "forecast": 4_000.0}, better[0]]
    assert told(backtest=FINE["backtest"] | {"better_without_a_model": both}) == [
        "In the test, the plain guess of nobody buying again missed the total value by 3,000 USD and purchases by 120, "
        "this forecast by 4,000 USD and 1,229."
    ]


def test_an_untested_forecast_says_so_in_money():
    assert said(cover.read_first(untested()[0])) == (
        "> **Read this first.** Nobody knows how wrong this forecast is: 69,000 USD have never been tested against "
        "what came. State a calibration_end."
    )


def test_no_warning_is_longer_than_forty_words():
    quarter = FINE["next_quarter"] | {"revenue": 20_000.0}
    checks = [WARNED, WARNED | {"name": "one-time buyers"}, WARNED | {"name": "prior sensitivity"}]
    rule = {
        "rule": "everybody going on as before",
        "outcome": "purchases",
        "measure": "total",
        "naive": 1.0,
        "forecast": 9.0,
    }
    narrow = FINE["backtest"]["value"] | {"with_misfit": None}
    test = FINE["backtest"] | {"value": narrow, "better_without_a_model": [rule]}
    found = told(latest_windows=[LATELY], next_quarter=quarter, gate={"checks": checks}, backtest=test)
    assert len(found) == 7
    assert max(len(re.findall(r"\S+", sentence)) for sentence in found) <= 40
