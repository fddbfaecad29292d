"""The segments' table and the first screen's four figures: who, what comes, what follows; nothing the figures deny."""

import pandas as pd
import pytest
from test_report import FIGURES, GROUPS, said, untested

from clv.report import display
from clv.report.labels import label
from clv.report.tables.value import segments_table

SEGMENTS = GROUPS[GROUPS["grouping"] == "rfm_segment"]
CUSTOMERS = pd.DataFrame(
    {
        "rfm_segment": ["Champions", "Champions", "Champions", "At risk"],
        "frequency": [5, 7, 9, 0],
        "T": [60.0, 60.0, 60.0, 60.0],
        "recency": [58.0, 57.0, 59.0, 0.0],
    }
)
CAMPAIGN = {"segments": [{"segment": "Champions", "contacts": 400, "expected_net_gain": 2_345.0}]}


def row(name: str, campaign=None, **changed: float) -> dict[str, str]:
    """Return the cells of a segment, some of its figures changed."""
    groups = SEGMENTS.assign(**{key: SEGMENTS[key].where(SEGMENTS["group"] != name, to) for key, to in changed.items()})
    label(groups, currency="USD", interval=0.9)
    table = segments_table(groups, CUSTOMERS, FIGURES | {"campaign": campaign})
    return {said(column): said(cell) for column, cell in table.loc[name].items()}


def test_a_segment_says_what_they_did_what_comes_and_what_follows():
    assert row("Champions", CAMPAIGN) == {
        "Bought": "8 times, 2 weeks ago",
        "Customers": "521",
        "Expected value (USD)": "53,100",
        "90 % range": "40,200 to 70,300",
        "Share of value": "77 %",
        "Still customers": "90 %",
        "What follows": "contact 400: 2,340 USD after the cost",
    }
    assert row("At risk", CAMPAIGN)["What follows"] == "contact nobody"
    assert row("At risk")["Bought"] == "once, 60 weeks ago"


def test_generated_segments_stand_beside_what_they_will_really_bring():
    truth = {"truth": {"value": 71_234.0, "segments": {"Champions": 50_321.0}}}
    table = segments_table(SEGMENTS, CUSTOMERS, FIGURES | truth)
    assert table["In truth"].to_dict() == {"Champions": "50,300", "At risk": "0"}
    assert table.attrs["caption"].startswith("Segments")


def test_of_who_bought_once_nobody_can_tell_whether_they_left():
    assert row("At risk", repeat_customers=0)["Still customers"] == ""


def test_of_three_customers_no_range_is_told():
    assert row("At risk", customers=3)["90 % range"] == "too few to tell"
    assert row("At risk", customers=20)["90 % range"] == "80.0 to 760"


@pytest.mark.parametrize(
    ("changed", "follows"),
    [
        ({"share_of_value": 0.4, "mean_p_alive_repeat": 0.95}, "look after them: 40 % of the value"),  # a loyal base
        ({"share_of_value": 0.05, "mean_p_alive_repeat": 0.95}, ""),  # most are still customers
        ({"share_of_value": 0.05, "mean_p_alive_repeat": 0.2}, "most have left; 352 may still come"),
        ({"share_of_value": 0.001, "mean_p_alive_repeat": 0.95}, "next to nothing will come"),
        ({"customers": 3, "mean_p_alive_repeat": 0.001}, ""),  # of three nothing follows
    ],
)
def test_what_follows_comes_from_figures_and_never_from_a_name(changed, follows):
    assert row("At risk", **changed)["What follows"] == follows


def headline(figures) -> dict[str, tuple[str, str]]:
    """Return the first screen's figures and what stands below each, by label."""
    parts = said(display.headline(figures).data).replace("\u2060", "").split("<dt>")[1:]
    told = [part.replace('<dd class="words">', "<dd>").split("<dd>") for part in parts]
    return {term.split("<")[0]: (figure.split("<")[0], words.split("<")[0]) for term, figure, words in told}


def test_the_first_screen_has_value_next_quarter_place_and_trust():
    lately = {"horizon_weeks": 13, "origin": "1998-03-31", "forecast": 22_600.0, "actual": 17_800.0, "inside": True}
    assert headline(FIGURES | {"latest_windows": [lately]}) == {
        "Next 12 months": ("69,000 USD", "likely 52,300 to 91,500 USD with 90 % probability"),
        "Revenue, Jul\u2013Sep 1998": ("17,900 USD", "18,000 USD came in the last quarter"),
        "The best tenth": ("63 %", "their share of the value; 34 valuable ones may be slipping (3,100 USD)"),
        "Trust": ("Use with care", "the last 13 weeks brought 21 % less than forecast"),
    }  # fmt: skip


def test_a_generated_run_shows_its_truth_beside_the_forecast():
    assert headline(FIGURES | {"truth": {"value": 71_234.0}})["Next 12 months"][1].endswith(
        "with 90 % probability; in truth 71,200 USD: they are generated"
    )


def test_new_customers_of_the_last_quarter_are_told_apart_from_a_base_that_gets_none():
    quarter = FIGURES["next_quarter"] | {"last_revenue_of_new": 4_500.0}
    assert headline(FIGURES | {"next_quarter": quarter})["Revenue, Jul\u2013Sep 1998"][1] == (
        "18,000 USD came in the last quarter, 25 % of it from new customers"
    )


def test_a_quarter_stands_beside_that_of_a_year_before_where_the_log_knows_it():
    quarter = FIGURES["next_quarter"] | {"year_before": 21_300.0}
    assert headline(FIGURES | {"next_quarter": quarter})["Revenue, Jul\u2013Sep 1998"][1] == (
        "18,000 USD came in the last quarter, 21,300 USD a year before"
    )


def test_without_a_backtest_or_a_quarter_ahead_the_first_screen_claims_neither():
    found = headline(untested()[0] | {"next_quarter": None})
    assert found["Next 12 months"][1] == "likely 63,100 to 74,800 USD if the model is right"
    assert found["Trust"][0] == "Not tested"
    assert found["Purchases"] == ("1,971", "likely 1,822 to 2,118")


def test_a_best_tenth_that_holds_hardly_more_than_a_tenth_is_explained():
    found = headline(FIGURES | {"share_of_value_top_decile": 0.093})["The best tenth"]
    assert found[0] == "9.3 %"
    assert found[1].startswith("their share of the value: hardly anybody stands out; 34 valuable")
