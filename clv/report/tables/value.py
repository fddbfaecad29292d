"""Tables of value: groups, tiers, moves, the best customers, whom to watch, what was paid to win them."""

import pandas as pd

from clv.decisions.acquisition import CONFIDENCE
from clv.forecast.tiers import of_grouping, tier_certainty
from clv.report.labels import currency_of, interval_of
from clv.report.markup import Words, ranges
from clv.words import NBSP, amount, count, percent, probability


def groups_table(groups: pd.DataFrame) -> Words:
    """Return groups as people read them: formatted text, one row per group."""
    currency, interval = currency_of(groups), interval_of(groups)
    own = ranges(groups["clv_lower"], groups["clv_upper"])
    wider = ranges(groups["clv_lower_with_misfit"], groups["clv_upper_with_misfit"])
    level, tested = percent(interval), bool(groups["clv_lower_with_misfit"].notna().any())
    return (
        Words(
            {
                "Customers": groups["customers"].map(count),
                f"Expected value ({currency})": groups["clv_mean"].map(amount),
                **({f"Total: {level}, allowing for past errors": wider} if tested else {}),
                f"Total: {level} if the model is right": own,
                "Share of value": groups["share_of_value"].map(percent),
                f"Per customer ({currency})": groups["clv_per_customer"].map(amount),
                "Will buy": groups["mean_p_purchase"].map(percent),
            }
        )
        .set_axis(groups["group"].rename("Group"), axis="index")
        .captioned("Segments: what each will bring")
    )


def tiers_table(groups: pd.DataFrame, customers: pd.DataFrame) -> Words:
    """Return the value tiers as people read them, with how surely their customers belong to them.

    Parameters
    ----------
    groups, customers
        Rows of table SEGMENTS, and table CUSTOMERS.
    """
    table = groups_table(of_grouping(groups, "value_tier")).drop(columns="Will buy")
    table["Belong there"] = tier_certainty(customers).map(percent)
    return table.captioned("Value tiers: customers by rank of expected value")


def migration_table(migration: pd.DataFrame) -> Words:
    """Return table MIGRATION as people read it: how many customers went where, the largest moves first."""
    moved = migration[migration["segment_before"] != migration["segment_now"]]
    largest = moved.sort_values("customers", ascending=False)
    return (
        Words(
            {
                "Now": largest["segment_now"],
                "Customers": largest["customers"].map(count),
                "Share of those before": largest["share"].map(percent),
            }
        )
        .set_axis(largest["segment_before"].rename("Before"), axis="index")
        .captioned("Moves between segments")
    )


def best_customers_table(customers: pd.DataFrame, *, show_customer_ids: bool, at_most: int = 10) -> Words:
    """Return the customers of table CUSTOMERS who are expected to bring most, by rank or by id."""
    currency, interval = currency_of(customers), interval_of(customers)
    best = customers.sort_values(["clv_mean", "customer_id"], ascending=[False, True]).head(at_most)
    names = best["customer_id"] if show_customer_ids else [f"No.{NBSP}{place}" for place in range(1, len(best) + 1)]
    return (
        Words(
            {
                "Repeat purchases": best["frequency"].map(count),
                "Weeks since the last": (best["T"] - best["recency"]).map(count),
                "Still a customer": best["p_alive"].map(percent),
                f"Expected value ({currency})": best["clv_mean"].map(amount),
                f"Realised value: {percent(interval)} interval": [
                    f"{amount(row.clv_lower)} to {amount(row.clv_upper)}".replace(" ", NBSP)
                    for row in best.itertuples()
                ],
                "Among the best tenth": best["p_top_decile"].map(percent),
            }
        )
        .set_axis(pd.Index(names).rename("Customer"), axis="index")
        .captioned("The customers expected to bring most")
    )


def watch_table(watch_list: pd.DataFrame, *, show_customer_ids: bool, at_most: int = 10) -> Words:
    """Return the first customers of table WATCH_LIST, by rank of their value or by id."""
    first = watch_list.head(at_most)
    ranks = [f"No.{NBSP}{rank:,}" for rank in first["value_rank"]]
    return Words(
        {
            "Repeat purchases": first["frequency"].map(count),
            "Weeks silent": first["weeks_silent"].map(count),
            "Still a customer": first["p_alive"].map(percent),
            f"Expected value ({currency_of(watch_list)})": first["clv_mean"].map(amount),
            "Silence is a sign from": first["silence_is_a_sign_from"].dt.strftime("%Y-%m-%d"),
        }
    ).set_axis(pd.Index(first["customer_id"] if show_customer_ids else ranks).rename("Customer"), axis="index")


def acquisition_table(acquisition: pd.DataFrame) -> Words:
    """Return table ACQUISITION as people read it."""
    currency, interval = currency_of(acquisition), interval_of(acquisition)
    limits = ranges(acquisition["lifetime_lower"], acquisition["lifetime_upper"])
    return (
        Words(
            {
                "Customers": acquisition["customers"].map(count),
                f"Brought so far, each ({currency})": acquisition["margin_to_date"].map(amount),
                f"With what is to come ({currency})": acquisition["lifetime_mean"].map(amount),
                f"{percent(interval)} interval": limits,
                "Earns its cost": acquisition["p_above_cost"].map(probability),
                f"Highest cost at {percent(CONFIDENCE)} ({currency})": acquisition["highest_cost"].map(amount),
                "Months to pay back": acquisition["payback_months"].map(
                    lambda months: "" if pd.isna(months) else count(months)
                ),
            }
        )
        .set_axis(acquisition["cohort"].rename("Cohort"), axis="index")
        .captioned("Acquisition cohorts")
    )
