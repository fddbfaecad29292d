"""The chart of effects: what a campaign earns if a contact works better or worse than assumed."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from clv.report.charts.canvas import add_band, mark_at, new_chart
from clv.report.figures.style import MODEL, REFERENCE
from clv.report.key_figures import Figures
from clv.words import money, percent


def chart_effects(effects: pd.DataFrame, figures: Figures) -> go.Figure:
    """Show what the campaign earns if its effect is another one than assumed; table EFFECTS."""
    campaign, currency, interval = figures["campaign"], figures["currency"], figures["interval"]
    figure = new_chart(
        title(figures),
        x="Effect of a contact on who responds (%)",
        y=f"Expected profit ({currency})",
        alt=sentence(effects, figures),
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


def title(figures: Figures) -> str:
    """Say from which effect on the plan pays."""
    found = figures["campaign"]
    least = found["break_even_effect"]
    if least is None:
        return "What the campaign earns hangs on its effect"
    return f"The plan pays if the effect is above {percent(least)}; {percent(found['effect_mean'])} is assumed"


def sentence(effects: pd.DataFrame, figures: Figures) -> str:
    """Return what the plan earns at either end of what is believed of the effect."""
    campaign, currency, interval = figures["campaign"], figures["currency"], figures["interval"]
    low, high = (
        money(float(np.interp(campaign[f"effect_{end}"], effects["effect"], effects["profit"])), currency)
        for end in ("lower", "upper")
    )
    return (
        f"The plan is expected to earn {low} at an effect of {percent(campaign['effect_lower'])} and {high} at one of "
        f"{percent(campaign['effect_upper'])}: between them lie {percent(interval)} of what is believed of it."
    )
