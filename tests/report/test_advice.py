"""What a budget owner reads about decisions: whom, for how much, what it rests on, and how to ask."""

import numpy as np
import pandas as pd
import pytest

from clv import tables as tables_module
from clv.decisions import tables
from clv.decisions.tables import DECISIONS
from clv.report.charts import campaign as charts_campaign
from clv.report.labels import label
from clv.report.tables.value import watch_table
from clv.report.text import advice
from clv.report.text.advice import _RULES

RULES = {name: {"regret": 100.0 * place, "beaten": 0.9} for place, name in enumerate(_RULES, start=1)}
CAMPAIGN = {
    "effect": "rate",
    "effect_mean": 0.2,
    "effect_sd": 0.1,
    "effect_lower": 0.05,
    "effect_upper": 0.37,
    "response_share": 0.3,
    "cost_per_contact": 2.0,
    "budget": None,
    "contacts": 500,
    "worthwhile": 500,
    "highest_gain": 90.0,
    "cost": 1000.0,
    "expected_gain": 3000.0,
    "profit": {"mean": 2000.0, "lower": -100.0, "upper": 4000.0, "with_misfit": {"lower": -200.0, "upper": 4500.0}},
    "loss_probability": 0.05,
    "loss_probability_with_misfit": 0.07,
    "value_of_information": 60.0,
    "break_even_effect": 0.06,
    "rules": RULES,
}
FIGURES = {
    "currency": "USD",
    "interval": 0.9,
    "horizon_weeks": 52,
    "gross_margin": 0.4,
    "value_is": "margin",
    "campaign": CAMPAIGN,
    "acquisition": None,
    "new_customer": {"mean": 61.0, "may_cost": {"0.50": 60.0, "0.80": 52.0, "0.95": 45.0}},
}
CURVE = pd.DataFrame({name: [0.0, 1.0, 2.0, 3.0] for name in DECISIONS.columns})
CURVE = CURVE.assign(contacts=[0, 250, 500, 1000], expected_profit=[0.0, 1500.0, 2000.0, 900.0])
COHORTS = pd.DataFrame(
    {
        "cohort": pd.Series(["2025-01", "2025-02"], dtype="str"),
        "customers": [40, 60],
        "margin_to_date": [30.0, 20.0],
        "clv_mean": [15.0, 25.0],
        "lifetime_mean": [45.0, 45.0],
        "lifetime_lower": [40.0, 35.0],
        "lifetime_upper": [50.0, 55.0],
        "p_above_cost": [0.9, 0.0],
        "highest_cost": [42.0, 38.0],
        "payback_months": [7.0, np.nan],
    }
)
WATCH_LIST = pd.DataFrame(
    {
        "value_rank": [3, 8],
        "customer_id": pd.Series(["Ada", "Bob"], dtype="str"),
        "frequency": [4, 9],
        "weeks_silent": [6.0, 2.5],
        "p_alive": [0.6, 0.8],
        "clv_mean": [300.0, 200.0],
        "silence_is_a_sign_from": pd.to_datetime(["2026-01-05", "2026-01-20"]).astype("datetime64[us]"),
    }
)


def said(text: str) -> str:
    return text.replace("\u00a0", " ")


def figures(**campaign) -> dict:
    return FIGURES | {"campaign": CAMPAIGN | campaign}


label(COHORTS, WATCH_LIST, currency="USD", interval=0.9)


def shown(given: dict, watch_list: pd.DataFrame = WATCH_LIST, *, ids: bool = False) -> list:
    return advice.to_decide(given, CURVE, COHORTS, watch_list, show_customer_ids=ids)


def test_the_campaign_is_told_in_five_sentences():
    text = said(advice.campaign_in_words(FIGURES)).removeprefix("- ")
    assert text.replace("\n- ", " ") == (
        "**Contact 500 customers**, those in `exports/contacts.csv`, for 1,000 USD: a contact costs 2.00 USD, and "
        "everybody else is expected to bring less than that. Over the next 52 weeks they are expected to bring "
        "3,000 USD of margin more than without the contact, which leaves **2,000 USD**: with 90 % probability between "
        "-200 USD and 4,500 USD, allowing for a model as wrong as it was before, and with a probability "
        "of **7.0 %** it "
        "loses money. As many contacts chosen without a model are expected to earn no more: the top past "
        "spenders 1,900 USD, those least likely to be still customers 1,800 USD, customers chosen at random 1,700 USD. "
        "All of this rests on an "
        "assumption that no log of purchases can prove: a contact makes the 30 % who respond buy 20 % more often (with "
        "90 % probability 5.0 % to 37 %), over the whole 52 weeks; it must come from an experiment in which chance "
        "decides who is contacted. The plan pays from an effect of 6.0 % on; knowing the effect before deciding would "
        "add 60.0 USD on average, the most that a further experiment can be worth for this one campaign."
    )
    assert text.count("\n- ") == 4


def test_without_a_campaign_two_sentences_say_how_to_add_one():
    text = advice.campaign_in_words(FIGURES | {"campaign": None})
    assert text.count(". ") == 1
    assert "`campaign_`" in text
    assert not [part for part in shown(FIGURES | {"campaign": None}) if hasattr(part, "layout")]


def test_revenue_is_not_sold_as_profit():
    text = said(advice.campaign_in_words(FIGURES | {"gross_margin": 1.0, "value_is": "revenue"}))
    assert "no `gross_margin` is stated: at a margin below 33 % the plan loses)" in text  # 1,000 of 3,000
    assert "`gross_margin`" not in advice.campaign_in_words(FIGURES)


def test_a_budget_that_binds_is_named():
    assert "700 are each expected to bring more than that, but the budget ends there" in said(
        advice.campaign_in_words(figures(worthwhile=700))
    )


def test_a_campaign_that_earns_nothing_is_advised_against():
    text = said(advice.campaign_in_words(figures(contacts=0, worthwhile=0, highest_gain=1.5, break_even_effect=None)))
    assert text.startswith(
        "- **Contact nobody**: even the customer who would gain most is expected to bring only 1.50 USD more, and a "
        "contact costs 2.00 USD."
    )
    text = said(advice.campaign_in_words(figures(contacts=0, worthwhile=9, budget=1.0)))
    assert text.startswith("- **Contact nobody**: the budget of 1.00 USD does not pay for one contact.")


def test_a_budget_that_binds_does_not_earn_most():
    assert said(charts_campaign.campaign_title(FIGURES)) == "500 contacts earn most: 2,000 USD expected"
    assert said(charts_campaign.campaign_title(figures(worthwhile=700))) == (
        "The budget pays for 500 contacts: 2,000 USD expected"
    )


def test_an_effect_on_survival_is_told_as_one():
    text = said(advice.campaign_in_words(figures(effect="survival", effect_sd=0.0, response_share=1.0)))
    assert (
        "of everybody a contact keeps or brings back 20 % of those who would leave or have left, however long" in text
    )


@pytest.mark.parametrize(("chance", "words"), [(0.0, "less than 1.0 %"), (0.07, "7.0 %"), (1.0, "more than 99 %")])
def test_draws_never_make_a_chance_certain(chance, words):
    assert f"probability of **{words}** it" in said(
        advice.campaign_in_words(figures(loss_probability_with_misfit=chance))
    )


def test_a_chart_shows_what_more_contacts_earn():
    (curve,) = (part for part in shown(FIGURES) if hasattr(part, "layout"))
    assert list(next(line for line in curve.data if line.name == "expected profit").x) == [0, 250, 500, 1000]


def test_without_a_backtest_the_band_is_the_models_own():
    own = CURVE.assign(**{name: np.nan for name in CURVE.columns if name.endswith("_with_misfit")})
    figure = charts_campaign.chart_campaign(own, FIGURES)
    assert figure.data[0].name == "90 % of the model's futures: profit that comes"


def test_the_watch_list_names_customers_only_where_pages_may():
    ranks, names = (watch_table(WATCH_LIST, show_customer_ids=ids) for ids in (False, True))
    assert [said(name) for name in ranks.index] == ["No. 3", "No. 8"]
    assert names.index.tolist() == ["Ada", "Bob"]
    assert ranks["Silence is a sign from"].tolist() == ["2026-01-05", "2026-01-20"]


def test_an_empty_watch_list_is_said_and_not_shown():
    assert len(shown(FIGURES)) == len(shown(FIGURES, tables_module.empty(tables.WATCH_LIST))) + 1
    assert "no customer of high value" in advice.watch_list_in_words(tables_module.empty(tables.WATCH_LIST), "USD")


def test_a_new_customer_and_those_planned_to_come_are_told():
    found = {
        "cost": 60.0,
        "confidence": 0.8,
        "first_order": 40.0,
        "value": {"mean": 160.0, "lower": 140.0, "upper": 190.0},
        "single": {"lower": 20.0, "upper": 500.0, "p_above_cost": 0.7},
        "p_above_cost": 0.95,
        "highest_cost": 150.0,
        "payback_weeks": 6,
        "plan": {
            "customers": 1200,
            "cost": 70_000.0,
            "value": {"mean": 163_000.0, "lower": 140_000.0, "upper": 195_000.0},
            "with_known_customers": {"mean": 531_000.0, "lower": 440_000.0, "upper": 654_000.0},
        },
    }
    text = said(advice.acquisition_in_words(FIGURES | {"acquisition": found}))
    assert text == (
        "**A new customer** is worth 160 USD over 52 weeks, the first order of 40.0 USD on average included (90 % "
        "interval of that mean 140 to 190). Winning one costs 60.0 USD: on average that is earned with a probability "
        "of 95 %, and 70 % of the single customers earn it. It is earned back within 6 weeks on average; with 80 % "
        "confidence a new customer may cost up to **150 USD**. The 1,200 who are planned to come, month by month, "
        "bring "
        "163,000 USD by the end of the horizon (140,000 to 195,000) and cost 70,000 USD, both discounted; together "
        "with the customers known today that makes 531,000 USD (440,000 to 654,000) before that cost."
    )
    assert "**150 USD** if all revenue were margin." in said(
        advice.acquisition_in_words(FIGURES | {"acquisition": found, "gross_margin": 1.0, "value_is": "revenue"})
    )


def test_what_a_new_customer_may_cost_is_told_asked_for_or_not():
    assert said(advice.acquisition_in_words(FIGURES)) == (
        "**A new customer** is worth 61.0 USD on average over 52 weeks, the first order included, and may cost up to "
        "60.0 USD with 50 % confidence, 52.0 USD with 80 % confidence, 45.0 USD with 95 % confidence."
    )


def test_one_begins_where_the_campaign_gains_most():
    planned = [
        {"segment": "Loyal", "contacts": 300, "expected_gain": 2500.0, "expected_net_gain": 1900.0},
        {"segment": "Lost", "contacts": 200, "expected_gain": 500.0, "expected_net_gain": 100.0},
    ]
    assert said(advice.where_to_begin(FIGURES | {"campaign": CAMPAIGN | {"segments": planned}}, pd.DataFrame())) == (
        "Begin with **Loyal**: 300 of the 500 planned contacts are theirs, expected to bring 2,500 USD more than "
        "without, 1,900 USD after the cost."
    )


def test_a_plan_that_contacts_nobody_begins_nowhere():
    nobody = FIGURES | {"campaign": CAMPAIGN | {"contacts": 0, "segments": [], "highest_gain": 1.5}}
    assert advice.where_to_begin(nobody, pd.DataFrame()).startswith("**Contact nobody**: even the customer who")


def test_without_a_campaign_one_begins_where_most_is_at_stake():
    groups = pd.DataFrame(
        {
            "group": ["Lost", "Champions"],
            "clv_mean": [5.0, 100.0],
            "clv_lower": [1.0, 60.0],
            "clv_upper": [9.0, 150.0],
            "share_of_value": [0.05, 0.95],
        }
    )
    assert said(advice.where_to_begin(FIGURES | {"campaign": None}, groups)) == (
        "Most is at stake with **Champions**: 100 USD (60.0 to 150), 95 % of all value. How much of it an action would "
        "change, no log of purchases can say: begin there, with a part of them chosen by chance."
    )


def test_what_each_cohort_earns_is_folded_and_left_out_where_nothing_is_asked():
    (folded,) = [part for part in shown(FIGURES) if "Acquisition cohorts" in str(getattr(part, "data", ""))]
    assert said(folded.data).startswith(
        '<details class="more" open><summary>What each acquisition cohort has brought and will bring'
    )
    assert "2025-01" in folded.data and "35.0 to 55.0" in said(folded.data)
    none = advice.to_decide(FIGURES, CURVE, COHORTS[:0], WATCH_LIST, show_customer_ids=False)
    assert not any("Acquisition cohorts" in str(getattr(part, "data", "")) for part in none)
