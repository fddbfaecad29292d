"""The segments' cards: who, what they did, what they bring, what to do; the right interval by its right name."""

import pandas as pd
from test_report import FIGURES, GROUPS, said, untested

from clv.report import cards
from clv.report.labels import label

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


def card(name: str, groups: pd.DataFrame = SEGMENTS, campaign=CAMPAIGN) -> dict[str, str]:
    """Return the facts on the card of a segment."""
    label(groups, currency="USD", interval=0.9)
    page = said(cards.segment_cards(groups, CUSTOMERS, campaign).data)
    one = next(part for part in page.split('<div class="card">') if f"<h3>{name}</h3>" in part)
    lines = [line.split("</dt><dd>") for line in one.replace("</dd>", "").split("<dt>")[1:]]
    return {term: fact.partition("<")[0] for term, fact in lines}


def test_a_card_says_who_they_are_what_they_did_and_what_comes():
    assert card("Champions") == {
        "Customers": "521 (86 %)",
        "Typically": "bought 8 times, last 2 weeks ago",
        "Expected value": "53,100 USD (77 % of all)",
        "Total, 90 %": "40,200 to 70,300 USD",
        "Per customer": "102 USD",
        "Still customers": "90 %",
        "Will buy": "63 %",
        "Usually done": "keep them: early access, service, no discounts",
        "In the campaign": "contact 400: 2,340 USD after the cost",
    }


def test_who_bought_once_and_is_not_contacted_is_told_so():
    facts = card("At risk")
    assert facts["Typically"] == "bought once, 60 weeks ago"
    assert facts["In the campaign"] == "contact nobody"


def test_of_who_bought_once_nobody_can_tell_whether_they_left():
    facts = card("At risk", SEGMENTS.assign(repeat_customers=[0, 521], mean_p_alive_repeat=[float("nan"), 0.9]))
    assert facts["Still customers"] == "cannot be told after one purchase"
    facts = card("At risk", SEGMENTS.assign(repeat_customers=[21, 521], mean_p_alive_repeat=[0.5, 0.9]))
    assert facts["Still customers"] == "50 % of the 21 who came back"


def test_without_a_campaign_or_a_backtest_the_card_claims_neither():
    limits = [name for name in SEGMENTS if name.endswith("_with_misfit")]
    facts = card("Champions", SEGMENTS.assign(**dict.fromkeys(limits, float("nan"))), campaign=None)
    assert "In the campaign" not in facts
    assert facts["Total, 90 %"] == "47,500 to 58,900 USD if the model is right"


def test_what_a_card_says_is_escaped():
    strange = SEGMENTS.assign(group=["At risk", "Champions"])
    label(strange, currency="<b>", interval=0.9)
    page = cards.segment_cards(strange, CUSTOMERS, None).data
    assert "<b>" not in page and "&lt;b&gt;" in page


def headline(figures) -> dict[str, str]:
    """Return what stands in large letters, by the words below it."""
    parts = said(cards.headline(figures).data).replace("</dd></div>", "").split("<dt>")[1:]
    return dict(part.removesuffix("<div>").removesuffix("</dl>").split("</dt><dd>") for part in parts)


def test_the_headline_has_value_certainty_test_and_checks():
    test = FIGURES["backtest"]["value"]
    off = test["actual"] / test["forecast"]["mean"] - 1
    assert headline(FIGURES) == {
        "expected over 52 weeks": "69,000 USD",
        "with 90 % probability, allowing for past errors": "52,300 to 91,500",
        "value came than was forecast for the 39 weeks after 30 September 1997": f"{off:.0%} more".replace("%", " %"),
        "in 1 checks of data, model and test": "0 warnings",
    }


def test_without_a_backtest_the_headline_says_so():
    figures, _ = untested()
    found = headline(figures | {"gate": {"checks": [{"verdict": "WARN"}, {"verdict": "PASS"}]}})
    assert found["with 90 % probability, if the model is right"] == "63,100 to 74,800"
    assert found["against what came"] == "not tested"
    assert found["in 2 checks of data, model and test"] == "1 warning"


def test_less_than_was_forecast_is_called_less():
    fewer = FIGURES["backtest"]["value"] | {"actual": 0.9 * FIGURES["backtest"]["value"]["forecast"]["mean"]}
    found = headline(FIGURES | {"backtest": FIGURES["backtest"] | {"value": fewer}})
    assert found["value came than was forecast for the 39 weeks after 30 September 1997"] == "10 % less"
