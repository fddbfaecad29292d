"""Tables as people read them: formatted text, words to the left, numbers to the right, nothing cut short."""

from typing import Any

import pandas as pd

from clv.decisions.acquisition import CONFIDENCE
from clv.forecast.tiers import of_grouping, tier_certainty
from clv.report.key_figures import share_of_best
from clv.transactions.rules import LEAVE_OUT, QUARANTINE, WARN
from clv.words import NBSP, amount, count, percent, probability


def groups_table(groups: pd.DataFrame, *, currency: str, interval: float) -> pd.DataFrame:
    """Return groups as people read them: formatted text, one row per group."""
    own = _ranges(groups["clv_lower"], groups["clv_upper"])
    wider = _ranges(groups["clv_lower_with_misfit"], groups["clv_upper_with_misfit"])
    level, tested = percent(interval), bool(groups["clv_lower_with_misfit"].notna().any())
    return pd.DataFrame(
        {
            "Customers": groups["customers"].map(count),
            f"Expected value ({currency})": groups["clv_mean"].map(amount),
            **({f"Total: {level}, allowing for past errors": wider} if tested else {}),
            f"Total: {level} if the model is right": own,
            "Share of value": groups["share_of_value"].map(percent),
            f"Per customer ({currency})": groups["clv_per_customer"].map(amount),
            "Will buy": groups["mean_p_purchase"].map(percent),
        }
    ).set_axis(groups["group"].rename("Group"), axis="index")


def tiers_table(groups: pd.DataFrame, customers: pd.DataFrame, *, currency: str, interval: float) -> pd.DataFrame:
    """Return the value tiers as people read them, with how surely their customers belong to them.

    Parameters
    ----------
    groups, customers
        Rows of table SEGMENTS, and table CUSTOMERS.
    """
    tiers = of_grouping(groups, "value_tier")
    table = groups_table(tiers, currency=currency, interval=interval)
    return table.drop(columns="Will buy").assign(**{"Belong there": tier_certainty(customers).map(percent)})


def migration_table(migration: pd.DataFrame) -> pd.DataFrame:
    """Return table MIGRATION as people read it: how many customers went where, the largest moves first."""
    moved = migration[migration["segment_before"] != migration["segment_now"]]
    largest = moved.sort_values("customers", ascending=False)
    return pd.DataFrame(
        {
            "Now": largest["segment_now"],
            "Customers": largest["customers"].map(count),
            "Share of those before": largest["share"].map(percent),
        }
    ).set_axis(largest["segment_before"].rename("Before"), axis="index")


def _ranges(lower: pd.Series, upper: pd.Series) -> list[str]:
    return [f"{amount(low)} to {amount(high)}".replace(" ", NBSP) for low, high in zip(lower, upper, strict=True)]


def rolling_table(rolling: pd.DataFrame) -> pd.DataFrame:
    """Return the windows of table ROLLING as people read them."""
    windows = rolling.groupby(["horizon_weeks", "origin"], as_index=False).agg(
        customers=("customer_id", "size"),
        repeat=("frequency", lambda frequency: (frequency > 0).sum()),
        came=("actual_purchases", "sum"),
    )
    return pd.DataFrame(
        {
            "Forecast from": windows["origin"].dt.strftime("%Y-%m-%d"),
            "Customers known": windows["customers"].map(count),
            "With repeat purchases": windows["repeat"].map(count),
            "Purchases in the window": windows["came"].map(count),
        }
    ).set_axis(pd.Index([f"{weeks}{NBSP}weeks" for weeks in windows["horizon_weeks"]], name="Ahead"), axis="index")


def windows_table(windows: pd.DataFrame, outcome: str, *, interval: float, currency: str = "") -> pd.DataFrame:
    """Return the past windows of table WINDOWS as people read them: purchases or value forecast and what came."""
    rows = windows[windows["outcome"] == outcome]
    unit = "Purchases" if outcome == "purchases" else f"Value ({currency})"
    written = count if outcome == "purchases" else amount
    names = [f"from {row.origin:%d %b %Y}, {row.horizon_weeks} weeks".replace(" ", NBSP) for row in rows.itertuples()]
    return pd.DataFrame(
        {
            "Customers": rows["customers"].map(count),
            f"{unit} forecast": rows["forecast"].map(written),
            f"Total: {percent(interval)} if the model is right": [
                f"{written(row.lower)} to {written(row.upper)}".replace(" ", NBSP) for row in rows.itertuples()
            ],
            "Came": rows["actual"].map(written),
            "Off": (rows["actual"] / rows["forecast"] - 1).map(_signed),
            "Single customers inside": rows["coverage"].map(percent),
        }
    ).set_axis(pd.Index(names, dtype="str", name="Window"), axis="index")


def tested_segments_table(groups: pd.DataFrame, *, currency: str, interval: float) -> pd.DataFrame:
    """Return what segments were forecast to bring and brought; `groups` is table BACKTEST_GROUPS."""
    rows = of_grouping(groups, "rfm_segment")
    inside = rows["value_actual"].between(rows["value_lower"], rows["value_upper"])
    return pd.DataFrame(
        {
            "Customers": rows["customers"].map(count),
            f"Value forecast ({currency})": rows["value_forecast"].map(amount),
            f"Total: {percent(interval)} if the model is right": _ranges(rows["value_lower"], rows["value_upper"]),
            "Came": rows["value_actual"].map(amount),
            "Inside": inside.map({True: "yes", False: "no"}),
        }
    ).set_axis(rows["group"].rename("Segment"), axis="index")


def history_table(outcome: dict[str, Any] | None) -> pd.DataFrame:
    """Return the scores of single customers by what was known of them; `outcome` as in `backtest.figures`."""
    if outcome is None:
        return pd.DataFrame()
    rows = {"all": outcome, **outcome["by_history"]}
    return pd.DataFrame(
        {
            history: {
                "Customers": count(row["n_customers"]),
                **{f"{percent(float(level))} held": percent(share) for level, share in row["coverage"].items()},
                "PIT distance": f"{row['pit_distance']:.3f}",
                "CRPS": f"{row['crps']:.3f}",
                "Mean absolute error": f"{row['mae']:.3f}",
                "Root mean square error": f"{row['rmse']:.3f}",
            }
            for history, row in rows.items()
        }
    ).T.rename_axis("History")


def spend_table(spend: pd.DataFrame, currency: str) -> pd.DataFrame:
    """Return the backtest of the amounts as people read it; `spend` is from `backtest.spend_figures`."""
    levels = [name for name in spend.columns if name.startswith("0.")]
    return pd.DataFrame(
        {
            "Customers": spend["customers"].map(count),
            "Purchases": spend["purchases"].map(count),
            f"Expected per purchase ({currency})": spend["expected"].map("{:,.2f}".format),
            f"Came ({currency})": spend["actual"].map("{:,.2f}".format),
            **{f"{percent(float(level))} held": spend[level].map(percent) for level in levels},
            "PIT distance": spend["pit_distance"].map("{:.3f}".format),
        }
    )


def _signed(share: float) -> str:
    return f"{share * 100:+.0f}{NBSP}%"


def best_customers_table(
    customers: pd.DataFrame, *, currency: str, interval: float, show_customer_ids: bool, at_most: int = 10
) -> pd.DataFrame:
    """Return the customers of table CUSTOMERS who are expected to bring most, by rank or by id."""
    best = customers.sort_values(["clv_mean", "customer_id"], ascending=[False, True]).head(at_most)
    names = best["customer_id"] if show_customer_ids else [f"No.{NBSP}{place}" for place in range(1, len(best) + 1)]
    return pd.DataFrame(
        {
            "Repeat purchases": best["frequency"].map(count),
            "Weeks since the last": (best["T"] - best["recency"]).map(count),
            "Still a customer": best["p_alive"].map(percent),
            f"Expected value ({currency})": best["clv_mean"].map(amount),
            f"Realised value: {percent(interval)} interval": [
                f"{amount(row.clv_lower)} to {amount(row.clv_upper)}".replace(" ", NBSP) for row in best.itertuples()
            ],
            "Among the best tenth": best["p_top_decile"].map(percent),
        }
    ).set_axis(pd.Index(names).rename("Customer"), axis="index")


def watch_table(watch_list: pd.DataFrame, *, currency: str, show_customer_ids: bool, at_most: int = 10) -> pd.DataFrame:
    """Return the first customers of table WATCH_LIST, by rank of their value or by id."""
    first = watch_list.head(at_most)
    ranks = [f"No.{NBSP}{rank:,}" for rank in first["value_rank"]]
    return pd.DataFrame(
        {
            "Repeat purchases": first["frequency"].map(count),
            "Weeks silent": first["weeks_silent"].map(count),
            "Still a customer": first["p_alive"].map(percent),
            f"Expected value ({currency})": first["clv_mean"].map(amount),
            "Silence is a sign from": first["silence_is_a_sign_from"].dt.strftime("%Y-%m-%d"),
        }
    ).set_axis(pd.Index(first["customer_id"] if show_customer_ids else ranks).rename("Customer"), axis="index")


def acquisition_table(acquisition: pd.DataFrame, *, currency: str, interval: float) -> pd.DataFrame:
    """Return table ACQUISITION as people read it."""
    ranges = _ranges(acquisition["lifetime_lower"], acquisition["lifetime_upper"])
    return pd.DataFrame(
        {
            "Customers": acquisition["customers"].map(count),
            f"Brought so far, each ({currency})": acquisition["margin_to_date"].map(amount),
            f"With what is to come ({currency})": acquisition["lifetime_mean"].map(amount),
            f"{percent(interval)} interval": ranges,
            "Earns its cost": acquisition["p_above_cost"].map(probability),
            f"Highest cost at {percent(CONFIDENCE)} ({currency})": acquisition["highest_cost"].map(amount),
            "Months to pay back": acquisition["payback_months"].map(
                lambda months: "" if pd.isna(months) else count(months)
            ),
        }
    ).set_axis(acquisition["cohort"].rename("Cohort"), axis="index")


def ledger_table(ledger: pd.DataFrame, currency: str) -> pd.DataFrame:
    """Return the ledger as people read it."""
    return pd.DataFrame(
        {
            "Rows": ledger["rows"].map(count),
            f"Amount ({currency})": ledger["amount"].map("{:,.2f}".format),
            "Meaning": ledger["meaning"],
        }
    ).set_axis(ledger["line"].rename("Line"), axis="index")


def findings_table(quality: pd.DataFrame, currency: str) -> pd.DataFrame:
    """Return the rules of table QUALITY that found faults or warn, and what to do about them."""
    found = quality[(quality["rows"] > 0) & (quality["severity"] != LEAVE_OUT)]
    return pd.DataFrame(
        {
            "Done": found["severity"].map({QUARANTINE: "left out", WARN: "kept"}),
            "Column": found["column"],
            "Rows": found["rows"].map(count),
            "Share": found["share"].map(percent),
            f"Amount ({currency})": found["amount"].map("{:,.2f}".format),
            "First records": found["records"],
            "What to do": found["advice"],
        }
    ).set_axis(found["meaning"].rename("Found"), axis="index")


def rules_table(quality: pd.DataFrame) -> pd.DataFrame:
    """Return every rule of table QUALITY with its condition and what it found."""
    return pd.DataFrame(
        {
            "Does": quality["severity"],
            "Rows": quality["rows"].map(count),
            "First records": quality["records"],
            "When": quality["condition"],
        }
    ).set_axis(quality["rule"].rename("Rule"), axis="index")


def checks_table(checks: pd.DataFrame | list[dict[str, Any]]) -> pd.DataFrame:
    """Return the checks of the posteriors, one row each."""
    found = pd.DataFrame(checks)
    return pd.DataFrame(
        {
            "Check": found["name"],
            "Found": found["figure"].map("{:.4g}".format),
            "Limit": found["limit"],
            "Verdict": found["verdict"],
        }
    ).set_axis(found["part"].rename("Part"), axis="index")


def answers_table(answers: list[tuple[str, str, str]]) -> pd.DataFrame:
    """Return `trust.answers` as people read them, the verdict first: a phone shows no more."""
    table = pd.DataFrame(answers, columns=["Question", "What the tests say", "Verdict"])
    return table.set_index("Question")[["Verdict", "What the tests say"]]


def quality_table(customers: pd.DataFrame) -> pd.DataFrame:
    """Return what decides how much these data can say."""
    repeat = customers[customers["frequency"] > 0]
    revenue = customers["revenue"]
    rows = {
        "Customers": count(len(customers)),
        "With repeat purchases": f"{count(len(repeat))} ({percent(len(repeat) / len(customers))})",
        "Longest history": f"{customers['T'].max():.0f} weeks",
        "Median history": f"{customers['T'].median():.0f} weeks",
        "Repeat buyers whose repeat purchases were all free": count((repeat["monetary_value"] == 0).sum()),
        "Share of revenue from the best customer": percent(revenue.max() / revenue.sum()),
        "Share of revenue from the best 1 %": percent(share_of_best(revenue, 0.01)),
    }
    return pd.DataFrame({"": rows})
