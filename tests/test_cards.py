"""The segments' cards: who, what they did, what they bring, what to do; the right interval by its right name."""

import pandas as pd
from test_report import GROUPS, said

from clv import cards

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
    page = said(cards.segment_cards(groups, CUSTOMERS, campaign, currency="USD", interval=0.9).data)
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


def test_without_a_campaign_or_a_backtest_the_card_claims_neither():
    limits = [name for name in SEGMENTS if name.endswith("_with_misfit")]
    facts = card("Champions", SEGMENTS.assign(**dict.fromkeys(limits, float("nan"))), campaign=None)
    assert "In the campaign" not in facts
    assert facts["Total, 90 %"] == "47,500 to 58,900 USD if the model is right"


def test_what_a_card_says_is_escaped():
    strange = SEGMENTS.assign(group=["At risk", "Champions"])
    page = cards.segment_cards(strange, CUSTOMERS, None, currency="<b>", interval=0.9).data
    assert "<b>" not in page and "&lt;b&gt;" in page
