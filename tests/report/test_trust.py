"""What trust says of tests: each verdict to the letter, and no rate where there is only one window."""

import copy
from math import comb

import pytest
from forecasts import MISFIT, TESTED

from clv.report.text import notebooks, trust


def said(text: str) -> str:
    return text.replace("\u00a0", " ")


def length(weeks: int, windows: int, inside: int, *, own=0, off=(-0.2, 0.15), coverage=(0.91, 0.95), same=False):
    """Return what `backtest.by_horizon` says of one length, of value: `inside` the interval that is shown."""
    limits = {"off": off, "coverage": coverage}
    value = {name: {"lowest": low, "highest": high} for name, (low, high) in limits.items()}
    value |= {"inside": own, "inside_with_misfit": inside}
    return {"horizon_weeks": weeks, "n_windows": windows, "same_customers": same, "value": value}


# What typed figures of CDNOW lack.
VALUE_NAIVE = TESTED["naive"] | {"nobody_value_mae": 0.79}
GONE = {"customers": 430, "forecast": 2_140.0, "actual": 3_310.0}
FIGURES = {
    "horizon_weeks": 52,
    "currency": "USD",
    "interval": 0.9,
    "latest_windows": [],
    "total_clv": {
        "lower": 52_310.0,
        "upper": 91_480.0,
        "if_model_right": {"lower": 63_129.8, "upper": 74_750.3},
    },
    "backtest": TESTED
    | {
        "horizons": [length(26, 2, 1)],
        "groupings": {"purchases": {}, "value": {}},
        "windows_left_out": 0,
        "sample_of": None,
        "naive": VALUE_NAIVE,
        "slipping": GONE,
    },
    "misfit": MISFIT | {"tau_range": {"purchases": [0.04, 0.25], "value": [0.051, 0.304]}},
}


def changed(**backtest):
    figures = copy.deepcopy(FIGURES)
    figures["backtest"].update(backtest)
    return figures


# --- past windows


def test_every_length_has_its_own_line_with_what_so_few_windows_can_say():
    rows = [length(13, 5, 2), length(52, 1, 1, off=(0.05, 0.05))]
    assert said(trust.windows_in_words(rows, "value", interval=0.9)).splitlines() == [
        "- 13 weeks ahead: the 90 % range, by what was known before, contained 2 of 5; what came was 80 % "
        "to 115 % of the forecast: missed.",
        "- 52 weeks ahead: the 90 % range, by what was known before, contained 1 of 1; what came was 105 % "
        "of the forecast: too few tests to tell.",
    ]


@pytest.mark.parametrize(("number", "inside"), [(2, 0), (3, 1), (5, 3), (5, 2), (8, 6), (8, 5), (2, 1), (3, 2)])
def test_so_many_misses_are_a_verdict_only_if_luck_would_seldom_give_them(number, inside):
    by_luck = sum(comb(number, k) * 0.9**k * 0.1 ** (number - k) for k in range(inside + 1))
    assert (trust.of_few(inside, number, 0.9) == "missed") == (by_luck < 0.05)


def test_no_window_is_said_to_be_none():
    assert trust.windows_in_words([], "value", interval=0.9) == (
        "No past window has enough history and repeat customers before it to be tested on."
    )


def test_origins_that_the_gate_refused_are_named_with_its_sentence():
    assert notebooks.fits_in_words(5, {}) == "5 origins were fitted, and 5 passed."
    assert said(notebooks.fits_in_words(5, {"1997-07-01": "R-hat is 1.2."})) == (
        "5 origins were fitted, and 4 passed. The windows from 1 July 1997 are left out. R-hat is 1.2."
    )


# --- what the intervals allow for


def test_what_the_ranges_allow_for_is_said_with_its_size():
    assert said(trust.trust_in_words(FIGURES | {"horizon_weeks": 26})) == (
        "**What the ranges allow for.** Ranges of totals allow for a model as wrong as it was in the 2 tests of 26 "
        "weeks: typically by 15 % in value (so few tests leave anything from 5.1 % to 30 % possible) and 12 % in "
        "purchases, either way; the expected total is not moved. A group that was off the same way again and again is "
        "moved and widened by that. Ranges of single customers are left as they are."
    )
    assert trust.misfit_in_words(None, horizon_weeks=52).startswith("Without a backtest nobody knows how wrong")


def test_the_range_of_what_is_allowed_for_is_that_of_value():
    ranges = {"tau_range": {"purchases": [0.02, 0.97], "value": [0.11, 0.44]}}
    text = said(trust.misfit_in_words(FIGURES["misfit"] | ranges, horizon_weeks=26))
    assert "anything from 11 % to 44 % possible" in text
    assert "97 %" not in text


def test_a_horizon_beyond_every_test_is_a_caution():
    text = said(trust.misfit_in_words(FIGURES["misfit"] | {"growth": 2**0.5}, horizon_weeks=52))
    assert text.endswith(
        " This report looks 52 weeks ahead, further than those tests: that is allowed for by 1.4 times as much."
    )
    assert "further than" not in trust.misfit_in_words(FIGURES["misfit"], horizon_weeks=26)


def test_one_test_is_not_called_windows():
    text = said(
        trust.misfit_in_words(
            FIGURES["misfit"] | {"n_windows": 1, "shortest_weeks": 39.0, "horizon_weeks": 39.0}, horizon_weeks=39
        )
    )
    assert "as it was in the one test of 39 weeks: typically by" in text


def test_tests_of_several_lengths_are_told_with_how_they_count():
    several = FIGURES["misfit"] | {"n_windows": 7, "shortest_weeks": 13.0, "horizon_weeks": 39.0}
    assert "as it was in the 7 tests of 13 to 39 weeks, the nearer the more: typically" in said(
        trust.misfit_in_words(several, horizon_weeks=39)
    )


# --- the test at the calibration end


@pytest.mark.parametrize(("lower", "held"), [(45_300.0, "held"), (71_001.0, "missed")])
def test_the_shown_range_is_judged_by_what_was_known_then(lower, held):
    wider = {"value": TESTED["value"] | {"with_misfit": {"lower": lower, "upper": 79_800.0}}}
    assert answered(changed(**wider))["Was the total right?"][1] == held


def test_groups_are_told_by_how_often_what_they_were_shown_held():
    found = {
        "rfm_segment": {"groups": 50, "inside": 42, "inside_if_right": 28},
        "cohort": {"groups": 200, "inside": 150, "inside_if_right": 120},
        "history": {"groups": 10, "inside": 9, "inside_if_right": 5},
    }
    figures = changed(groupings={"purchases": {}, "value": found})
    told = answered(figures)
    assert told["Did intervals of segments hold before?"][1] == "held"
    assert told["Did intervals of cohorts hold before?"][1] == "missed"
    assert not any(question.startswith("Did intervals of") for question in answered())


def test_a_rule_without_a_model_that_did_better_is_named():
    rules = [
        {"outcome": "purchases", "rule": "nobody buying again", "measure": "customer", "naive": 0.79, "forecast": 0.8},
        {"outcome": "value", "rule": "past spend", "measure": "ranking", "naive": 0.32, "forecast": 0.36},
        {"outcome": "purchases", "rule": "going on", "measure": "total", "naive": 120.0, "forecast": 1229.0},
    ]
    named = (
        "Better than the forecast: nobody buying again in purchases (mean error of a customer 0.79 against 0.80); past "
        "spend in value (ranking, as a distance from perfect, 0.32 against 0.36); going on in purchases (error of the "
        "total 120 against 1,229)"
    )
    figures = changed(better_without_a_model=rules)
    assert answered(figures)["Did a rule without a model do better?"] == (named, "yes")
    assert answered()["Did a rule without a model do better?"] == ("none that was tried", "no")


# --- in one table


def answered(figures=FIGURES) -> dict[str, tuple[str, str]]:
    return {said(question): (said(found), verdict) for question, found, verdict in trust.answers(figures)}


def test_every_question_has_what_was_found_and_a_verdict():
    found = answered()
    assert found["Was the total right?"] == ("60,100 USD forecast, 71,000 USD came", "missed")
    assert found["Were totals 26 weeks ahead right before?"] == (
        "the 90 % range, by what was known before, contained 1 of 2; what came was 80 % to 115 % of the "
        "forecast", "too few tests to tell",
    )  # fmt: skip
    assert found["Do intervals hold of customers who bought once?"] == (
        "90 % intervals contained what came for 99 % of 1,411", "held",
    )  # fmt: skip
    assert found["Do intervals hold of customers who came back?"][1] == "missed"  # 87 %, three standard errors below
    assert found["Would the interval of a customer's mean do?"] == (
        "that interval, which other tools print, contained what came for 1.6 % of 2,357, the one of what may happen "
        "for 93 %", "no",
    )  # fmt: skip
    assert found["Does it rank better than past spend?"] == (
        "the best tenth by forecast brought 41 % of the value, by past spend 38 %; over all ranks (Gini) 0.56 against "
        "0.51", "better",
    )  # fmt: skip
    assert found["Does it beat having no model?"] == (
        "purchases per customer were forecast with a score (CRPS) of 0.51; going on as before scores 1.02, nobody "
        "buying 0.80; lower is better", "better",
    )  # fmt: skip


def test_the_latest_window_is_held_against_what_was_shown_and_the_other_range_is_told_here():
    lately = {"horizon_weeks": 13, "origin": "1998-03-31", "forecast": 22_600.0, "actual": 17_800.0, "inside": False}
    found = answered(FIGURES | {"latest_windows": [lately]})
    assert found["Were the last 13 weeks as forecast?"] == ("22,600 USD forecast, 17,800 USD came", "missed")
    assert found["How sure were it if the model were right?"] == (
        "the total would be 63,100 to 74,800 instead of 52,300 to 91,500, as wide as past errors make it", "too sure",
    )  # fmt: skip


def test_what_past_windows_leave_open_is_told_where_there_is_something():
    found = answered(changed(windows_left_out=3, sample_of=120_000))
    assert found["What was not tested?"] == (
        "3 past windows could not be fitted; past windows hold a sample of 120,000 customers, whose totals vary more",
        "unknown",
    )
    assert "What was not tested?" not in answered()


def test_scores_that_hardly_differ_are_called_alike():
    ranking = TESTED["ranking"] | {"gini": {"forecast": 0.66, "past_spend": 0.68}}
    assert answered(changed(ranking=ranking))["Does it rank better than past spend?"][1] == "about the same"


def test_windows_that_all_fell_on_one_side_are_no_accident():
    question, fewer = "Do past forecasts err on one side?", TESTED["value"] | {"actual": 50_000.0}
    below = [length(13, 4, 3, off=(-0.14, -0.017)), length(26, 1, 1, off=(-0.19, -0.19))]
    assert answered(changed(horizons=below, value=fewer))[question] == (
        "every window brought less, by 1.7 % to 19 %; they share weeks and customers", "yes",
    )  # fmt: skip
    high = answered(changed(horizons=[length(13, 5, 3, off=(0.01, 0.2))]))
    assert high[question][0].startswith("every window brought more, by 1.0 % to 20 %")
    # The main test came in above its forecast: windows below theirs are no common direction.
    assert question not in answered(changed(horizons=below))


@pytest.mark.parametrize("off", [(-0.1, 0.01), (-0.1, -0.02)])
def test_windows_on_both_sides_or_too_few_of_them_have_no_direction(off):
    fewer = TESTED["value"] | {"actual": 50_000.0}
    few = changed(horizons=[length(13, 9 if off[1] > 0 else 4, 3, off=off)], value=fewer)
    assert "Do past forecasts err on one side?" not in answered(few)


def test_too_many_misses_are_called_so():
    assert answered(changed(horizons=[length(13, 5, 2)]))["Were totals 13 weeks ahead right before?"][1] == "missed"


@pytest.mark.parametrize(
    ("share", "customers", "verdict"),
    [(0.95, 50, "held"), (0.86, 50, "held"), (0.885, 1_000, "held"), (0.885, 100_000, "missed"), (0.7, 50, "missed")],
)
def test_intervals_of_single_customers_hold_as_far_as_luck_goes(share, customers, verdict):
    history = {"came back": {"coverage_of_interval": share, "n_customers": customers}}
    figures = changed(value=TESTED["value"] | {"by_history": history})
    assert answered(figures)["Do intervals hold of customers who came back?"][1] == verdict


@pytest.mark.parametrize(("rival", "verdict"), [(0.4, "worse"), (0.5, "about the same"), (50.0, "better")])
def test_no_model_wins_if_its_error_is_smaller(rival, verdict):
    naive = VALUE_NAIVE | {"nobody_mae": rival, "past_rate_mae": 60.0}
    assert answered(changed(naive=naive))["Does it beat having no model?"][1] == verdict


def test_without_a_backtest_the_answer_is_that_nobody_knows():
    assert answered(FIGURES | {"backtest": None}) == {
        "Was it tested?": ("no: the run has no calibration end", "unknown")
    }
