"""Charts of a campaign: what it earns by the number of contacts, and by how strongly a contact works."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from clv.report.charts.canvas import add_band, mark_at, new_chart
from clv.report.figures.style import MODEL, REFERENCE
from clv.report.key_figures import Figures
from clv.words import amount, count, futures, if_right, money, percent, possible


def title_campaign(figures: Figures) -> str:
    found = figures["campaign"]
    if not found["contacts"]:
        return "No number of contacts is expected to earn its cost"
    profit = money(found["profit"]["mean"], figures["currency"])
    if found["contacts"] < found["worthwhile"]:
        return f"The budget pays for {count(found['contacts'])} contacts: {profit} expected"
    return f"{count(found['contacts'])} contacts earn most: {profit} expected"


def title_effects(figures: Figures) -> str:
    found = figures["campaign"]
    least = found["break_even_effect"]
    if least is None:
        return "What the campaign earns hangs on its effect"
    return f"The plan pays if the effect is above {percent(least)}; {percent(found['effect_mean'])} is assumed"


def of_campaign(curve: pd.DataFrame, campaign: Mapping[str, Any], *, currency: str, interval: float) -> str:
    """Return what the chosen number of contacts earns, and half of it; table DECISIONS and the campaign's figures."""
    profits = curve.set_index("contacts")["expected_profit"]
    half = campaign["contacts"] // 2
    alone = f" The best {count(half)} of them alone would earn {money(float(profits[half]), currency)}." if half else ""
    profit = campaign["profit"]
    wider = profit["with_misfit"]
    limits, held = (wider, possible(interval)) if wider else (profit, if_right(interval))
    return (
        f"{count(campaign['contacts'])} contacts are expected to earn {money(profit['mean'], currency)}; what comes "
        f"will be {amount(limits['lower'])} to {money(limits['upper'], currency)} ({held}).{alone}"
    )


def of_effects(effects: pd.DataFrame, campaign: Mapping[str, Any], *, currency: str, interval: float) -> str:
    """Return what the plan earns at either end of what is believed of the effect; `effects` is table EFFECTS."""
    low, high = (
        money(float(np.interp(campaign[f"effect_{end}"], effects["effect"], effects["profit"])), currency)
        for end in ("lower", "upper")
    )
    return (
        f"The plan is expected to earn {low} at an effect of {percent(campaign['effect_lower'])} and {high} at one of "
        f"{percent(campaign['effect_upper'])}: between them lie {percent(interval)} of what is believed of it."
    )


def chart_campaign(
    curve: pd.DataFrame, campaign: dict[str, Any], *, title: str, currency: str, interval: float
) -> go.Figure:
    """Show what contacting more and more customers earns.

    Parameters
    ----------
    curve
        Table DECISIONS. Where its limits allow for misfit, so does the band.
    campaign
        The key figures of the campaign.
    """
    tested = bool(curve["profit_lower_with_misfit"].notna().any())
    suffix, held = ("_with_misfit", possible(interval)) if tested else ("", futures(interval))
    lower, upper = curve[f"profit_lower{suffix}"], curve[f"profit_upper{suffix}"]
    figure = new_chart(
        title,
        x="Customers contacted, the largest expected gain first",
        y=f"Profit of the campaign ({currency})",
        alt=of_campaign(curve, campaign, currency=currency, interval=interval),
    )
    add_band(figure, curve["contacts"], lower, upper, f"{held}: profit that comes")
    figure.add_scatter(
        x=curve["contacts"],
        y=curve["expected_profit"],
        mode="lines",
        line={"color": MODEL, "width": 3},
        name="expected profit",
        customdata=np.column_stack([lower, upper, 100 * curve[f"loss_probability{suffix}"]]),
        hovertemplate=f"%{{x:,}} contacts: %{{y:,.0f}} {currency} expected,<br>%{{customdata[0]:,.0f}} to "
        f"%{{customdata[1]:,.0f}} in {held}<br>a loss in %{{customdata[2]:.0f}} %<extra></extra>",
    )
    mark_at(figure, campaign["contacts"], f"the plan: {campaign['contacts']:,}")
    return figure


def chart_effects(
    effects: pd.DataFrame, campaign: dict[str, Any], *, title: str, currency: str, interval: float
) -> go.Figure:
    """Show what the campaign earns if its effect is another one than assumed; `effects` is table EFFECTS."""
    figure = new_chart(
        title,
        x="Effect of a contact on who responds (%)",
        y=f"Expected profit ({currency})",
        alt=of_effects(effects, campaign, currency=currency, interval=interval),
    )
    believed = [100 * campaign["effect_lower"], 100 * campaign["effect_upper"]]
    ends = [effects["profit"].min(), effects["best_profit"].max()]
    add_band(
        figure, pd.Series(believed), pd.Series([ends[0]] * 2), pd.Series([ends[1]] * 2),
        f"{100 * interval:.3g} % of what is believed of the effect",
    )  # fmt: skip
    lines = (
        ("best_profit", REFERENCE, "dash", "the best plan, were that known"),
        ("profit", MODEL, "solid", "the plan"),
    )
    for column, colour, dash, name in lines:
        figure.add_scatter(
            x=100 * effects["effect"],
            y=effects[column],
            mode="lines",
            line={"color": colour, "dash": dash, "width": 2.5},
            name=name,
            hovertemplate=f"Effect %{{x:.1f}} %: %{{y:,.0f}} {currency}<br>{name}<extra></extra>",
        )
    mark_at(figure, 100 * campaign["effect_mean"], "assumed")
    return figure
