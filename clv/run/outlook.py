"""A forecast as somebody's own notebook shows it: one sentence, a table, and the frames behind both."""

from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from clv.forecast.tables import limits
from clv.words import count, money, percent, span

_SHOWN = ["customers", "expected_purchases", "clv_mean", "clv_lower", "clv_upper"]


@dataclass(frozen=True)
class Outlook:
    """What customers will bring within the horizon, in the log's currency, discounted and times margin.

    Attributes
    ----------
    weeks : int
        The horizon.
    figures : dict
        Key figures of the run, as in key_figures.json.
    customers : pandas.DataFrame
        Table CUSTOMERS: a row per customer; limits are of what that customer will really bring.
    groups : pandas.DataFrame
        Table SEGMENTS: a row for all customers, then per segment, tier and cohort. Limits allow for past errors, if a
        backtest tells of any; what the model alone says stands beside them, as `*_if_model_right`.
    draws : pandas.DataFrame
        Table TOTAL_DRAWS: joint draws of the totals, from which sums and differences of groups get their limits.
    """

    weeks: int
    figures: dict[str, Any]
    customers: pd.DataFrame
    groups: pd.DataFrame
    draws: pd.DataFrame

    def _repr_html_(self) -> str:
        segments = self.groups[self.groups["grouping"] == "rfm_segment"].set_index("group")[_SHOWN]
        table = segments.to_html(index_names=False, float_format=lambda number: f"{number:,.2f}")
        return f"<p>{escape(str(self))}</p>{table}"

    def __repr__(self) -> str:
        total = self.groups.iloc[0]
        kind = "if the model is right" if pd.isna(total["clv_lower_with_misfit"]) else "past errors allowed for"
        return (
            f"{count(len(self.customers))} customers are expected to bring "
            f"{money(total['clv_mean'], self.figures['currency'])} in {self.weeks} weeks; "
            f"{percent(self.figures['interval'])} interval, {kind}: {span(limits(total, 'clv'))}."
        )
