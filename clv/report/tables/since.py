"""Since last time: what changed in value, and what came of earlier forecasts."""

from typing import Any

import pandas as pd
from IPython.display import Markdown

from clv.report.key_figures import Figures
from clv.report.markup import Words, ranges, worded
from clv.words import amount, count, day, money, more_or_less


def since_last_time(figures: Figures, forecasts: pd.DataFrame) -> list[Any]:
    """Return what the report shows of earlier forecasts, table FORECASTS; nothing where there were none."""
    scored = forecasts[forecasts["actual_value"].notna()]
    found = figures["since_last"]
    heading = [Markdown("## Since last time")] if found or len(scored) else []
    return [*heading, *([bridge_table(figures)] if found else []), *([scored_table(scored)] if len(scored) else [])]


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
