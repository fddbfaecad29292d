"""Tables of value: groups, tiers, moves, best customers, whom to watch, what was paid to win them, since last time."""

from typing import Any

import pandas as pd
from IPython.display import Markdown

from clv.backtest.misfit import FEWEST_CUSTOMERS
from clv.decisions.tables import CONFIDENCE
from clv.forecast.tiers import LIKELY_LEFT, of_grouping, tier_certainty
from clv.report.key_figures import Figures
from clv.report.labels import currency_of, interval_of
from clv.report.markup import Words, ranges, worded
from clv.report.text.trust import GROUPINGS
from clv.rfm.segments import typical
from clv.words import NBSP, amount, count, day, money, more_or_less, percent, probability, weeks

_MUCH, _LITTLE = 0.1, 0.01  # of all value


def groups_table(groups: pd.DataFrame) -> Words:
    """Return groups as people read them: formatted text, one row per group."""
    currency, interval = currency_of(groups), interval_of(groups)
    shown = {
        "Group": groups["group"],
        "Customers": groups["customers"].map(count),
        f"Expected value ({currency})": groups["clv_mean"].map(amount),
        f"{percent(interval)} range": _ranges(groups),
        "Share of value": groups["share_of_value"].map(percent),
        f"Per customer ({currency})": groups["clv_per_customer"].map(amount),
        "Will buy": groups["mean_p_purchase"].map(percent),
    }
    return worded(shown, "Segments: what each will bring", by=1)


def _ranges(groups: pd.DataFrame, lower: str = "clv_lower", upper: str = "clv_upper") -> list[str]:
    """Return the range of each group; of so few customers as no test speaks of, none is better than `0 to 0`."""
    told = zip(groups["customers"], ranges(groups[lower], groups[upper]), strict=True)
    return ["too few to tell" if customers < FEWEST_CUSTOMERS else limits for customers, limits in told]


def segments_table(groups: pd.DataFrame, customers: pd.DataFrame, figures: Figures) -> Words:
    """Return the segments of table SEGMENTS in words: who they are (table CUSTOMERS), what comes and what follows."""
    table = groups_table(groups).drop(columns=[f"Per customer ({currency_of(groups)})", "Will buy"])
    table = table.captioned("Segments: who they are, what they will bring")
    behaviour, campaign = typical(customers), figures["campaign"]
    table.insert(0, "Bought", [_behaviour(behaviour.loc[name]) for name in groups["group"]])
    back = groups["mean_p_alive_repeat"].where(groups["repeat_customers"] > 0)  # of the others one purchase says little
    table["Still customers"] = ["" if pd.isna(p) else percent(p) for p in back]
    table.insert(1, "What follows", [_follows(row, campaign, figures["currency"]) for _, row in groups.iterrows()])
    if figures["truth"]:
        table = table.drop(columns="Share of value")  # as many columns as a page is wide
        table["In truth"] = [amount(figures["truth"]["segments"].get(name, 0.0)) for name in groups["group"]]
    return table


def _behaviour(row: pd.Series) -> str:
    silent = f"{weeks(round(row['weeks_silent']))} ago".replace(" ", NBSP)
    return f"{'once' if row['purchases'] == 1 else f'{row["purchases"]:.0f} times'}, {silent}"


def _follows(row: pd.Series, campaign: Figures | None, currency: str) -> str:
    """Return what the campaign plans for a segment or, without one, what its figures, never its name, say, if anything.

    Of a few customers they say nothing.
    """
    if campaign:
        planned = next((one for one in campaign["segments"] if one["segment"] == row["group"]), None)
        gain = planned and money(planned["expected_net_gain"], currency)
        return f"contact {count(planned['contacts'])}: {gain} after the cost" if planned else "contact nobody"
    if row["customers"] < FEWEST_CUSTOMERS:
        return ""
    if row["share_of_value"] >= _MUCH:
        return f"look after them: {percent(row['share_of_value'])} of the value"
    if row["repeat_customers"] and row["mean_p_alive_repeat"] < LIKELY_LEFT:
        return f"most have left; {amount(row['clv_mean'])} may still come"
    return "next to nothing will come" if row["share_of_value"] < _LITTLE else ""


def tiers_table(groups: pd.DataFrame, customers: pd.DataFrame) -> Words:
    """Return the tiers of table SEGMENTS as people read them, with how surely customers (CUSTOMERS) belong to them."""
    table = groups_table(of_grouping(groups, "value_tier")).drop(columns="Will buy")
    table["Belong there"] = tier_certainty(customers).map(percent)
    return table.captioned("Value tiers: customers by rank of expected value")


def ranks_table(ranked: pd.DataFrame, grouping: str) -> Words:
    """Return groups of one kind of table RANKS for readers, the best first; of asked ones with what they may cost."""
    rows, currency = ranked[ranked["grouping"] == grouping], currency_of(ranked)
    name = GROUPINGS.get(grouping, f"{grouping.removeprefix('by ')}s")[:-1].capitalize()
    shown = {
        name: rows["group"],
        "Customers": rows["customers"].map(count),
        f"Will bring, each ({currency})": rows["clv_per_customer"].map(amount),
        f"{percent(interval_of(ranked))} range": _ranges(rows, "lower", "upper"),
        "Better than the next": ["" if pd.isna(p) else probability(p) for p in rows["p_above_next"]],
    }
    if grouping not in GROUPINGS:
        shown[f"Brought so far, each ({currency})"] = rows["margin_to_date"].map(amount)
        shown[f"Highest cost at {percent(CONFIDENCE)} ({currency})"] = rows["highest_cost"].map(amount)
    return worded(shown, f"{name}: what a customer will bring", by=1)


def asked_tables(ranked: pd.DataFrame) -> list[Words]:
    """Return a table of each grouping that the params file asked for."""
    asked = [grouping for grouping in ranked["grouping"].unique() if grouping.startswith("by ")]
    return [ranks_table(ranked, grouping) for grouping in asked]


def migration_table(migration: pd.DataFrame) -> Words:
    """Return table MIGRATION as people read it: how many customers went where, the largest moves first."""
    moved = migration[migration["segment_before"] != migration["segment_now"]]
    largest = moved.sort_values("customers", ascending=False)
    shown = {
        "Before": largest["segment_before"],
        "Now": largest["segment_now"],
        "Customers": largest["customers"].map(count),
        "Share of those before": largest["share"].map(percent),
    }
    caption = "Moves between segments" if len(migration) else "No earlier day to compare segments with"
    return worded(shown, caption, by=2)


def best_customers_table(customers: pd.DataFrame, *, show_customer_ids: bool, at_most: int = 10) -> Words:
    """Return the customers of table CUSTOMERS who are expected to bring most, by rank or by id."""
    currency, interval = currency_of(customers), interval_of(customers)
    best = customers.sort_values(["clv_mean", "customer_id"], ascending=[False, True]).head(at_most)
    names = best["customer_id"] if show_customer_ids else [f"No.{NBSP}{place}" for place in range(1, len(best) + 1)]
    shown = {
        "Customer": names,
        "Repeat purchases": best["frequency"].map(count),
        "Weeks since the last": (best["T"] - best["recency"]).map(count),
        "Still a customer": best["p_alive"].map(percent),
        f"Expected value ({currency})": best["clv_mean"].map(amount),
        f"Realised value: {percent(interval)} interval": ranges(best["clv_lower"], best["clv_upper"]),
        "Among the best tenth": best["p_top_decile"].map(percent),
    }
    return worded(shown, "The customers expected to bring most")


def watch_table(watch_list: pd.DataFrame, *, show_customer_ids: bool, at_most: int = 10) -> Words:
    """Return the first customers of table WATCH_LIST, by rank of their value or by id."""
    first = watch_list.head(at_most)
    ranks = [f"No.{NBSP}{rank:,}" for rank in first["value_rank"]]
    shown = {
        "Customer": first["customer_id"] if show_customer_ids else ranks,
        "Repeat purchases": first["frequency"].map(count),
        "Weeks silent": first["weeks_silent"].map(count),
        "Still a customer": first["p_alive"].map(percent),
        f"Expected value ({currency_of(watch_list)})": first["clv_mean"].map(amount),
        "Silence is a sign from": first["silence_is_a_sign_from"].dt.strftime("%Y-%m-%d"),
    }
    return worded(shown)


def acquisition_table(acquisition: pd.DataFrame) -> Words:
    """Return table ACQUISITION as people read it."""
    currency, interval = currency_of(acquisition), interval_of(acquisition)
    limits = ranges(acquisition["lifetime_lower"], acquisition["lifetime_upper"])
    shown = {
        "Cohort": acquisition["cohort"],
        "Customers": acquisition["customers"].map(count),
        f"Brought so far, each ({currency})": acquisition["margin_to_date"].map(amount),
        f"With what is to come ({currency})": acquisition["lifetime_mean"].map(amount),
        f"{percent(interval)} interval": limits,
        "Earns its cost": acquisition["p_above_cost"].map(probability),
        f"Highest cost at {percent(CONFIDENCE)} ({currency})": acquisition["highest_cost"].map(amount),
        "Months to pay back": ["" if pd.isna(months) else count(months) for months in acquisition["payback_months"]],
    }
    return worded(shown, "Acquisition cohorts", by=1)


def since_last_time(figures: Figures, forecasts: pd.DataFrame) -> list[Any]:
    """Return what the report shows of earlier forecasts, table FORECASTS; nothing where there were none."""
    scored = forecasts[forecasts["actual_value"].notna()]
    shown = [bridge_table(figures)] if figures["since_last"] else []
    shown += [scored_table(scored)] if len(scored) else []
    return [Markdown("## Since last time"), *shown] if shown else []


def bridge_table(figures: Figures) -> Words:
    """Return what led from the value of the last forecast to today's."""
    found, currency = figures["since_last"], figures["currency"]
    sign = "+" if found["others"] >= 0 else ""
    steps = {
        f"Forecast of {day(found['as_of'])}": money(found["then"], currency),
        "what these customers brought since": f"-{amount(found['came'])}",
        f"{count(found['n_new'])} new customers, still to bring": f"+{amount(found['new'])}",
        "the others, seen anew and to a later end": f"{sign}{amount(found['others'])}",
        f"Forecast of {day(figures['as_of'])}": money(found["now"], currency),
    }
    return worded({"": list(steps), "Value": list(steps.values())}, "What changed in value")


def scored_table(scored: pd.DataFrame) -> Words:
    """Return the forecasts whose time is over, the newest first."""
    rows = scored.sort_values(["ends", "as_of"], ascending=False)
    inside = rows["actual_value"].between(rows["value_lower"], rows["value_upper"])
    shown = {
        "Period": rows["starts"].dt.strftime("%Y-%m-%d") + " to " + rows["ends"].dt.strftime("%Y-%m-%d"),
        "Made on": rows["as_of"].dt.strftime("%Y-%m-%d"),
        "Forecast": rows["value"].map(amount),
        "Range": ranges(rows["value_lower"], rows["value_upper"]),
        "Came": rows["actual_value"].map(amount),
        "Off": [more_or_less(row.actual_value, row.value) if row.value else "" for row in rows.itertuples()],
        "Inside": inside.map({True: "yes", False: "no"}),
    }
    return worded(shown, "Earlier forecasts, and what came of the same customers")
