"""What to do, in words: whom to contact and what that may bring, what a new customer may cost, whose silence to watch.

Every number comes from the key figures or a finished table; nothing here estimates anything.
"""

from typing import Any

import pandas as pd
from IPython.display import Markdown

from clv.decisions.tables import LOWEST_P_ALIVE, RANDOM, RATE, SURVIVAL, TOP_SPENDERS, WIN_BACK
from clv.forecast.tables import limits as limits_of
from clv.report import display
from clv.report.charts.campaign import chart_campaign
from clv.report.key_figures import Figures
from clv.report.tables.value import acquisition_table, watch_table
from clv.words import count, money, percent, probability, span, weeks

_RULES = {
    TOP_SPENDERS: "the top past spenders",
    LOWEST_P_ALIVE: "those least likely to be still customers",
    RANDOM: "customers chosen at random",
}


def to_decide(
    figures: Figures,
    curve: pd.DataFrame,
    acquisition: pd.DataFrame,
    watch_list: pd.DataFrame,
    *,
    show_customer_ids: bool,
) -> list[Any]:
    """Return what the report shows about decisions, in order: tables DECISIONS, ACQUISITION and WATCH_LIST."""
    drawn = [chart_campaign(curve, figures)] if figures["campaign"] else []
    earned = acquisition_table(acquisition)
    by_cohort = display.folded(earned, "What each acquisition cohort has brought and will bring")
    watched = [watch_table(watch_list, show_customer_ids=show_customer_ids)] if len(watch_list) else []
    campaign, acquired = Markdown(campaign_in_words(figures)), Markdown(acquisition_in_words(figures))
    slipping = Markdown(watch_list_in_words(watch_list, figures["currency"]))
    return [campaign, *drawn, acquired, by_cohort, slipping, *watched]


def where_to_begin(figures: Figures, groups: pd.DataFrame) -> str:
    """Return which segment to act on first and what it brings; `groups` are the segments' rows of table SEGMENTS."""
    currency, campaign = figures["currency"], figures["campaign"]
    if campaign and campaign["segments"]:
        first = campaign["segments"][0]
        return (
            f"Begin with **{first['segment']}**: {count(first['contacts'])} of the {count(campaign['contacts'])} "
            f"planned contacts are theirs, expected to bring {money(first['expected_gain'], currency)} more than "
            f"without, {money(first['expected_net_gain'], currency)} after the cost."
        )
    if campaign:
        return _nobody(figures, campaign)
    first = groups.loc[groups["clv_mean"].idxmax()]
    limits = span(limits_of(first, "clv"))
    return (
        f"Most is at stake with **{first['group']}**: {money(first['clv_mean'], currency)} ({limits}), "
        f"{percent(first['share_of_value'])} of all value. How much of it an action would change, no log of purchases "
        "can say: begin there, with a part of them chosen by chance."
    )


def campaign_in_words(figures: Figures) -> str:
    """Return the campaign in five sentences, as a Markdown list, or how to add one in two."""
    found = figures["campaign"]
    if found is None:
        return (
            "This run weighs no campaign. To see whom to contact and what that would bring, state in the params file "
            "what a contact costs, what an experiment said it changes, and how sure that is: the keys that begin with "
            "`campaign_`."
        )
    planned = (_whom, _profit, _other_rules, _assumption, _worth_of_knowing)
    parts = planned if found["contacts"] else (_nobody, _assumption)
    return "\n".join(f"- {part(figures, found)}" for part in parts)


def _nobody(figures: Figures, found: Figures) -> str:
    currency, cost = figures["currency"], money(found["cost_per_contact"], figures["currency"])
    if found["highest_gain"] > found["cost_per_contact"]:
        return f"**Contact nobody**: the budget of {money(found['budget'], currency)} does not pay for one contact."
    return (
        f"**Contact nobody**: even the customer who would gain most is expected to bring only "
        f"{money(found['highest_gain'], currency)} more, and a contact costs {cost}."
    )


def _whom(figures: Figures, found: Figures) -> str:
    currency, why = figures["currency"], "everybody else is expected to bring less than that"
    if found["contacts"] < found["worthwhile"]:
        why = f"{count(found['worthwhile'])} are each expected to bring more than that, but the budget ends there"
    return (
        f"**Contact {count(found['contacts'])} customers**, those in `exports/contacts.csv`, for "
        f"{money(found['cost'], currency)}: a contact costs {money(found['cost_per_contact'], currency)}, and {why}."
    )


def _profit(figures: Figures, found: Figures) -> str:
    currency, profit = figures["currency"], found["profit"]
    limits, chance, allowing = profit, found["loss_probability"], ""
    if profit["with_misfit"]:
        limits, chance = profit["with_misfit"], found["loss_probability_with_misfit"]
        allowing = ", allowing for a model as wrong as it was before"
    needed = ""
    if figures["value_is"] == "revenue":
        least = percent(found["cost"] / found["expected_gain"])
        needed = f" (revenue less cost, since no `gross_margin` is stated: at a margin below {least} the plan loses)"
    return (
        f"Over the next {weeks(figures['horizon_weeks'])} they are expected to bring "
        f"{money(found['expected_gain'], currency)} of {figures['value_is']} more than without the contact, which "
        f"leaves **{money(profit['mean'], currency)}**{needed}: with "
        f"{percent(figures['interval'])} probability between {money(limits['lower'], currency)} and "
        f"{money(limits['upper'], currency)}{allowing}, and with a probability of **{probability(chance)}** it loses "
        "money."
    )


def _other_rules(figures: Figures, found: Figures) -> str:
    currency, own = figures["currency"], found["profit"]["mean"]
    earned = [f"{words} {money(own - found['rules'][rule]['regret'], currency)}" for rule, words in _RULES.items()]
    return f"As many contacts chosen without a model are expected to earn no more: {', '.join(earned)}."


def _assumption(figures: Figures, found: Figures) -> str:
    mean = percent(found["effect_mean"])
    spread = f"{percent(found['effect_lower'])} to {percent(found['effect_upper'])}"
    known = f" (with {percent(figures['interval'])} probability {spread})" if found["effect_sd"] else ""
    who = f"the {percent(found['response_share'])} who respond" if found["response_share"] < 1 else "everybody"
    what = {
        RATE: f"a contact makes {who} buy {mean} more often{known}",
        SURVIVAL: f"of {who} a contact keeps or brings back {mean} of those who would leave or have left{known}, "
        "however long ago",
        WIN_BACK: f"of {who} a contact brings back {mean} of those who have left{known}, however long ago",
    }[found["effect"]]
    return (
        f"All of this rests on an assumption that no log of purchases can prove: {what}, over the whole "
        f"{weeks(figures['horizon_weeks'])}; it must come from an experiment in which chance decides who is contacted."
    )


def _worth_of_knowing(figures: Figures, found: Figures) -> str:
    currency, least = figures["currency"], found["break_even_effect"]
    return (
        f"The plan pays from an effect of {percent(least)} on; knowing the effect before deciding would add "
        f"{money(found['value_of_information'], currency)} on average, the most that a further experiment can be worth "
        "for this one campaign."
    )


def acquisition_in_words(figures: Figures) -> str:
    """Return what a new customer is worth and may cost; how to ask for it where the run does not."""
    found, currency = figures["acquisition"], figures["currency"]
    if found is None:
        return _may_cost(figures)
    week = found["payback_weeks"]
    back = "It is not earned back within the horizon"
    if week is not None:
        back = f"It is earned back {f'within {weeks(week)} on average' if week else 'with the first order'}"
    return (
        f"**A new customer** is worth {money(found['value']['mean'], currency)} over "
        f"{weeks(figures['horizon_weeks'])}, the first order of {money(found['first_order'], currency)} on average "
        f"included ({percent(figures['interval'])} interval of that mean {span(found['value'])}). Winning one costs "
        f"{money(found['cost'], currency)}: on average that is earned with a probability of "
        f"{probability(found['p_above_cost'])}, and {percent(found['single']['p_above_cost'])} of the single customers "
        f"earn it. {back}; with {percent(found['confidence'])} confidence a new customer may cost up to "
        f"**{money(found['highest_cost'], currency)}**{_of_what(figures)}.{_of_plan(figures, found)}"
    )


def _may_cost(figures: Figures) -> str:
    """Return what a new customer may cost, by how sure one wants to be that it earns that on average."""
    known, currency = figures["new_customer"], figures["currency"]
    told = [(money(cost, currency), percent(float(sure))) for sure, cost in known["may_cost"].items()]
    ceilings = ", ".join(f"{cost} with {sure} confidence" for cost, sure in told)
    return (
        f"**A new customer** is worth {money(known['mean'], currency)} on average over "
        f"{weeks(figures['horizon_weeks'])}, the first order included, and may cost up to {ceilings}"
        f"{_of_what(figures)}."
    )


def _of_plan(figures: Figures, found: Figures) -> str:
    plan, currency = found["plan"], figures["currency"]
    if plan is None:
        return ""
    together = plan["with_known_customers"]
    return (
        f" The {count(plan['customers'])} who are planned to come, month by month, bring "
        f"{money(plan['value']['mean'], currency)} by the end of the horizon ({span(plan['value'])}) and cost "
        f"{money(plan['cost'], currency)}, both discounted; together with the customers known today that makes "
        f"{money(together['mean'], currency)} ({span(together)}) before that cost."
    )


def _of_what(figures: Figures) -> str:
    return " if all revenue were margin" if figures["value_is"] == "revenue" else ""


def watch_list_in_words(watch_list: pd.DataFrame, currency: str) -> str:
    """Return how many valuable customers are slipping and where they are listed."""
    if watch_list.empty:
        return "**To watch**: no customer of high value will be silent for suspiciously long within four weeks."
    return (
        f"**To watch**: {count(len(watch_list))} customers of high value, expected to bring "
        f"{money(watch_list['clv_mean'].sum(), currency)} together, are probably still customers, and probably gone "
        "if they stay silent for four more weeks. `exports/watch_list.csv` names them all; these are worth most, with "
        "the day from which their silence is a sign:"
    )
