"""The chart of a campaign: what more and more contacts earn."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from clv.report.charts.canvas import add_band, add_line, mark_at, new_chart
from clv.report.key_figures import Figures
from clv.words import count, futures, money, possible, priced


def chart_campaign(curve: pd.DataFrame, figures: Figures) -> go.Figure:
    """Show what contacting more and more customers earns; table DECISIONS, and the figures of a run with a campaign."""
    campaign, currency, interval = figures["campaign"], figures["currency"], figures["interval"]
    tested = bool(curve["profit_lower_with_misfit"].notna().any())
    suffix, held = ("_with_misfit", possible(interval)) if tested else ("", futures(interval))
    lower, upper = curve[f"profit_lower{suffix}"], curve[f"profit_upper{suffix}"]
    x, y = "Customers contacted, the largest expected gain first", f"Profit of the campaign ({currency})"
    figure = new_chart(campaign_title(figures), x=x, y=y)
    add_band(figure, curve["contacts"], lower, upper, f"{held}: profit that comes")
    add_line(
        figure,
        curve["contacts"],
        curve["expected_profit"],
        "expected profit",
        customdata=np.column_stack([lower, upper, 100 * curve[f"loss_probability{suffix}"]]),
        hover=f"%{{x:,}} contacts: {priced('%{y:,.0f}', currency)} expected,<br>%{{customdata[0]:,.0f}} to "
        f"%{{customdata[1]:,.0f}} in {held}<br>a loss in %{{customdata[2]:.0f}} %",
    )
    mark_at(figure, campaign["contacts"], f"the plan: {campaign['contacts']:,}")
    return figure


def campaign_title(figures: Figures) -> str:
    """Say how many contacts earn most, or the budget pays for."""
    found = figures["campaign"]
    if not found["contacts"]:
        return "No number of contacts is expected to earn its cost"
    profit = money(found["profit"]["mean"], figures["currency"])
    if found["contacts"] < found["worthwhile"]:
        return f"The budget pays for {count(found['contacts'])} contacts: {profit} expected"
    return f"{count(found['contacts'])} contacts earn most: {profit} expected"
