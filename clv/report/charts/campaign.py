"""The chart of a campaign: what contacting more and more customers earns."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from clv.report.charts.canvas import add_band, mark_at, new_chart
from clv.report.figures.style import MODEL
from clv.report.key_figures import Figures
from clv.words import amount, count, futures, if_right, money, possible


def chart_campaign(curve: pd.DataFrame, figures: Figures) -> go.Figure:
    """Show what contacting more and more customers earns.

    Parameters
    ----------
    curve
        Table DECISIONS. Where its limits allow for misfit, so does the band.
    figures
        The key figures, of a run with a campaign.
    """
    campaign, currency, interval = figures["campaign"], figures["currency"], figures["interval"]
    tested = bool(curve["profit_lower_with_misfit"].notna().any())
    suffix, held = ("_with_misfit", possible(interval)) if tested else ("", futures(interval))
    lower, upper = curve[f"profit_lower{suffix}"], curve[f"profit_upper{suffix}"]
    figure = new_chart(
        title(figures),
        x="Customers contacted, the largest expected gain first",
        y=f"Profit of the campaign ({currency})",
        alt=sentence(curve, figures),
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


def title(figures: Figures) -> str:
    """Say how many contacts earn most, or the budget pays for."""
    found = figures["campaign"]
    if not found["contacts"]:
        return "No number of contacts is expected to earn its cost"
    profit = money(found["profit"]["mean"], figures["currency"])
    if found["contacts"] < found["worthwhile"]:
        return f"The budget pays for {count(found['contacts'])} contacts: {profit} expected"
    return f"{count(found['contacts'])} contacts earn most: {profit} expected"


def sentence(curve: pd.DataFrame, figures: Figures) -> str:
    """Return what the chosen number of contacts earns, and half of it."""
    campaign, currency, interval = figures["campaign"], figures["currency"], figures["interval"]
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
