"""Charts for readers: one plotly function per chart, finished table in, chart out, titled by its finding.

A chart neither shows nor saves itself; `layout.meta["alt"]` is its sentence from `clv.captions`. It is as wide as its
page, on a light or a dark ground, and a finger that scrolls the page does not drag it. Colours are the roles of
`clv.style`.
"""

from collections.abc import Sequence
from itertools import pairwise
from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from clv.report.charts import captions
from clv.report.figures.style import (
    BAND,
    MODEL,
    MODEL_RAMP,
    OBSERVED,
    OBSERVED_RAMP,
    QUIET,
    REFERENCE,
    WITHOUT_BACKTEST,
    fade,
    futures,
    if_right,
    possible,
    short_number,
)
from clv.rfm import segments

MOST_CELLS = 1_500  # of a heat map; charts stay below 2,000 marks
MOST_LINES = 4
MOST_POINTS = 300  # of one line
MOST_SPREAD = 10_000  # largest over smallest value on a logarithmic axis
BARS_IN_INTERVAL = 24
AXIS_CHARACTERS = 44  # what fits into a line on a phone
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif'


def chart_total(draws: pd.DataFrame, base: pd.Series, *, title: str, currency: str, interval: float) -> go.Figure:
    """Show which totals the customers may bring.

    Parameters
    ----------
    draws
        Table TOTAL_DRAWS.
    base
        The row of table SEGMENTS that is about everybody. Where its limits allow for misfit, so do the bars.
    """
    tested = bool(pd.notna(base["clv_lower_with_misfit"]))
    suffix, held = ("_with_misfit", possible(interval)) if tested else ("", futures(interval))
    mean, lower, upper = (float(base[name]) for name in ("clv_mean", f"clv_lower{suffix}", f"clv_upper{suffix}"))
    edges, shares = _histogram(draws[f"value{suffix}"].to_numpy(), lower, upper)
    figure = new_chart(
        title,
        x=f"Value of all customers together ({currency})",
        y="Share of possible futures (%)",
        alt=captions.of_total(base, currency=currency, interval=interval),
    )
    middle = (edges[:-1] + edges[1:]) / 2
    inside = (middle > lower) & (middle < upper)
    words = [f"{short_number(low)} to {short_number(high)}" for low, high in pairwise(edges)]
    for chosen, colour, name in ((inside, BAND, held), (~inside, fade(QUIET, 0.4), "the other futures")):
        figure.add_bar(
            x=middle[chosen],
            y=shares[chosen],
            width=np.diff(edges)[chosen],
            marker={"color": colour},
            name=name,
            customdata=np.array(words)[chosen],
            hovertemplate=f"%{{customdata}} {currency}<br>in %{{y:.1f}} % of the futures<extra></extra>",
        )
    if tested:
        figure.add_scatter(
            x=[base["clv_lower"], base["clv_upper"]],
            y=[-0.02 * shares.max()] * 2,
            mode="lines",
            line={"color": MODEL, "width": 5},
            name=if_right(interval),
            hovertemplate=f"{if_right(interval)}: {short_number(base['clv_lower'])} to "
            f"{short_number(base['clv_upper'])} {currency}<extra></extra>",
        )
    mark_at(figure, mean, f"expected: {short_number(mean)} {currency}")
    figure.update_layout(bargap=0.04)
    return figure


def chart_concentration(concentration: pd.DataFrame, *, title: str, interval: float) -> go.Figure:
    """Show how much of the value the best customers hold; `concentration` is table CONCENTRATION."""
    table = 100 * thinned(concentration)
    figure = new_chart(
        title,
        x="Customers, best expected value first (%)",
        y="Share of the value (%)",
        alt=captions.of_concentration(concentration, interval=interval),
    )
    add_band(figure, table["customer_share"], table["lower"], table["upper"], f"{futures(interval)}: realised value")
    figure.add_scatter(
        x=table["customer_share"],
        y=table["value_share"],
        mode="lines",
        line={"color": MODEL, "width": 3},
        name="expected value",
        customdata=table[["lower", "upper"]],
        hovertemplate="The best %{x:.0f} % of the customers hold<br>%{y:.0f} % of the expected value, and "
        f"%{{customdata[0]:.0f}} to %{{customdata[1]:.0f}} %<br>of the realised value in {futures(interval)}"
        "<extra></extra>",
    )
    add_reference(figure, [0, 100], [0, 100], "if all customers were equal")
    figure.update_xaxes(range=[0, 100])
    figure.update_yaxes(range=[0, 102])
    return figure


def chart_groups(groups: pd.DataFrame, *, title: str, currency: str, interval: float) -> go.Figure:
    """Show what each group will bring; `groups` are the rows of one grouping of table SEGMENTS, first on top."""
    figure = new_chart(
        title,
        x=f"Value of the group ({currency})",
        y="",
        alt=captions.of_groups(groups, currency=currency, interval=interval),
        height=150 + 34 * len(groups),
    )
    tested = bool(groups["clv_lower_with_misfit"].notna().any())
    limits = groups[["clv_lower_with_misfit", "clv_upper_with_misfit"] if tested else ["clv_lower", "clv_upper"]]
    details = np.column_stack([groups["customers"], limits, groups["clv_per_customer"]])
    held = possible(interval) if tested else futures(interval)
    figure.add_bar(
        y=groups["group"],
        x=groups["clv_mean"],
        orientation="h",
        marker={"color": fade(BAND, 0.6)},
        name="expected value",
        customdata=details,
        hovertemplate=f"%{{y}}: %{{customdata[0]:,.0f}} customers<br>expected %{{x:,.0f}} {currency}, "
        f"%{{customdata[3]:,.2f}} per customer<br>{held}: "
        "%{customdata[1]:,.0f} to %{customdata[2]:,.0f}<extra></extra>",
    )
    # Lines, not error bars: the mean of a skewed total may lie outside its limits.
    figure.add_scatter(
        y=np.repeat(groups["group"], 3),
        x=np.column_stack([limits, np.full(len(groups), np.nan)]).ravel(),
        mode="lines+markers",
        line={"color": MODEL, "width": 2.5},
        marker={"symbol": "line-ns", "size": 10, "line": {"color": MODEL, "width": 2.5}},
        name=f"total: {held}",
        hoverinfo="skip",
    )
    ends = limits.iloc[:, 1]
    if tested:
        figure.add_scatter(
            y=np.repeat(groups["group"], 3),
            x=np.column_stack([groups[["clv_lower", "clv_upper"]], np.full(len(groups), np.nan)]).ravel(),
            mode="lines",
            line={"color": MODEL, "width": 7},
            name=if_right(interval),
            hoverinfo="skip",
        )
    label_ends(figure, ends, groups["group"], groups["clv_mean"].map(short_number))
    figure.update_xaxes(range=[0, 1.02 * max(ends.max(), groups["clv_mean"].max(), 1e-9)])
    figure.update_layout(margin_r=52)
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False)
    return figure


def chart_segment_grid(grid: pd.DataFrame, *, title: str, currency: str) -> go.Figure:
    """Show where the value sits among recency and frequency scores.

    Parameters
    ----------
    grid
        r_score, f_score (1 to 5), segment, customers, clv, clv_per_customer (missing where nobody is).
    """
    figure = new_chart(
        title,
        x="Frequency score (5 = buys most often)",
        y="Recency score (5 = bought last)",
        alt=captions.of_segment_grid(grid, currency=currency),
        height=520,
    )
    cells = grid.sort_values(["r_score", "f_score"])
    value = cells["clv_per_customer"].where(cells["customers"] > 0)
    figure.add_heatmap(
        x=np.arange(1, 6),
        y=np.arange(1, 6),
        z=value.to_numpy().reshape(5, 5),
        zmin=0,
        customdata=cells[["segment", "customers", "clv"]].to_numpy().reshape(5, 5, 3),
        hovertemplate="%{customdata[0]}: %{customdata[1]:,} customers<br>expected %{z:,.2f} "
        f"{currency} per customer,<br>%{{customdata[2]:,.0f}} {currency} together<extra></extra>",
        hoverongaps=False,
        colorscale=colour_scale(MODEL_RAMP),
        colorbar=colour_bar(f"Expected value per customer ({currency})"),
        xgap=3,
        ygap=3,
    )
    figure.add_scatter(
        x=cells["f_score"],
        y=cells["r_score"],
        mode="text",
        text=[_cell_words(name, n) for name, n in zip(cells["segment"], cells["customers"], strict=True)],
        textfont={"size": 10.5, "color": _ink(value)},
        hoverinfo="skip",
        showlegend=False,
    )
    figure.update_xaxes(range=[0.5, 5.5], dtick=1, showgrid=False, zeroline=False)
    figure.update_yaxes(range=[0.5, 5.5], dtick=1, showgrid=False, zeroline=False)
    return figure


def chart_migration(migration: pd.DataFrame, *, title: str) -> go.Figure:
    """Show which segment the customers of each earlier segment are in now; `migration` is table MIGRATION."""
    if migration.empty:
        return blank_chart(title)
    shares = 100 * migration.pivot(index="segment_before", columns="segment_now", values="share")
    customers = migration.pivot(index="segment_before", columns="segment_now", values="customers")
    rows = [name for name in (*segments.ACTIONS, segments.NEWCOMERS) if name in shares.index]
    columns = [name for name in segments.ACTIONS if name in shares.columns]
    shares, customers = (part.reindex(index=rows, columns=columns) for part in (shares, customers))
    figure = new_chart(
        title,
        x="Segment now",
        y="Segment on the earlier day",
        alt=captions.of_migration(migration),
        height=300 + 30 * len(rows),  # the slanted names and the scale below them need most of it
    )
    figure.add_heatmap(
        x=columns,
        y=rows,
        z=shares,
        zmin=0,
        zmax=100,
        colorscale=colour_scale(OBSERVED_RAMP),
        colorbar=colour_bar("Share of the row (%)"),
        customdata=customers,
        hovertemplate="%{customdata:,} customers were %{y}<br>and are %{x}: %{z:.1f} % of the row<extra></extra>",
        hoverongaps=False,
        xgap=2,
        ygap=2,
    )
    cells = shares.stack().dropna()
    figure.add_scatter(
        x=cells.index.get_level_values(1),
        y=cells.index.get_level_values(0),
        mode="text",
        text=[f"{share:.0f}" if share >= 0.5 else "<1" for share in cells],
        textfont={"size": 11, "color": ["#ffffff" if share > 75 else "#10202c" for share in cells]},
        hoverinfo="skip",
        showlegend=False,
    )
    figure.update_xaxes(type="category", showgrid=False, side="bottom", tickangle=-50)
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False)
    return figure


def chart_retention(cohorts: pd.DataFrame, *, title: str) -> go.Figure:
    """Show which share of each cohort buys month by month; `cohorts` is table COHORTS.

    Month 0 is left out: everybody bought then; so is a month that the horizon cuts.
    What was seen and what is forecast differ in hue, not in scale.
    """
    whole = cohorts[(cohorts["months_since"] > 0) & (cohorts["status"] != "cut")]
    rows, left_out = _newest(whole if len(whole) else cohorts)
    figure = new_chart(
        title,
        x="Months since the first purchase",
        y="Month of the first purchase" + (f" ({left_out} older ones left out)" if left_out else ""),
        alt=captions.of_retention(rows),
        height=230 + 17 * max(rows["cohort"].nunique(), 9),
    )
    highest = max(100 * rows["active"].max(), 1e-9)
    # Whole matrices with gaps: plotly cannot draw a triangle given as a list of cells.
    active, seen = _matrix(rows, "active"), _matrix(rows, "status") == "observed"
    told = rows.assign(status=rows["status"].map(_STATUS_WORDS))
    words = np.dstack([_matrix(told, "month"), _matrix(told, "status")])
    parts = ((seen, OBSERVED_RAMP, "observed", 0.0), (~seen, MODEL_RAMP, "forecast", 0.53))
    for chosen, ramp, name, place in parts:
        figure.add_heatmap(
            x=active.columns,
            y=active.index,
            z=100 * active.where(chosen),
            zmin=0,
            zmax=highest,
            colorscale=colour_scale(ramp),
            colorbar=colour_bar(f"Buying, {name} (%)", x=place, length=0.47),
            customdata=words,
            hovertemplate="Cohort %{y}, month %{x} (%{customdata[0]}):<br>%{z:.1f} % of the cohort buy<br>"
            "%{customdata[1]}<extra></extra>",
            hoverongaps=False,
            xgap=1,
            ygap=1,
            name=name,
        )
    begun = rows[rows["status"] == "split"]
    if len(begun):
        figure.add_scatter(
            x=begun["months_since"],
            y=begun["cohort"],
            mode="markers",
            marker={"symbol": "diamond", "size": 6, "color": OBSERVED, "line": {"color": "#ffffff", "width": 1}},
            name=_STATUS_WORDS["split"],
            hoverinfo="skip",
            showlegend=False,
        )
        # The scales stand where a legend would.
        figure.add_annotation(
            text=f"◆ {_STATUS_WORDS['split']}",
            showarrow=False,
            font={"color": OBSERVED, "size": 13},
            **{"x": 1, "xref": "paper", "xanchor": "right", "y": 1, "yref": "paper", "yanchor": "bottom"},
        )
    figure.update_xaxes(showgrid=False, zeroline=False, range=[active.columns.min() - 0.5, active.columns.max() + 0.5])
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False)
    return figure


def chart_cumulative(cohorts: pd.DataFrame, *, title: str, currency: str, interval: float) -> go.Figure:
    """Show what a customer of each cohort has brought and will bring; `cohorts` is table COHORTS.

    Of many cohorts the oldest, the newest and evenly spaced ones between are drawn.
    """
    figure = new_chart(
        title,
        x="Months since the first purchase",
        y=f"Revenue per customer so far ({currency})",
        alt=captions.of_cumulative(cohorts, currency=currency, interval=interval),
        height=460,
    )
    names = sorted(cohorts["cohort"].unique())
    chosen = [names[at] for at in np.unique(np.linspace(0, len(names) - 1, MOST_LINES).round().astype(int))]
    drawn = [cohorts[cohorts["cohort"] == name].sort_values("months_since") for name in chosen]
    for first, line in zip([True] + [False] * len(drawn), drawn, strict=False):
        _add_cohort(figure, line, currency, interval, in_legend=first)
    ends = pd.concat([line.tail(1) for line in drawn])
    # Cohorts of neighbouring months end side by side, and so would their names: those stand at the edge, pushed apart.
    close = np.ptp(ends["months_since"]) < 0.4 * ends["months_since"].max()
    places = ends["months_since"].clip(lower=ends["months_since"].max() if close else 0)
    label_ends(figure, places, ends["cumulative"], ends["cohort"], apart=0.055 if close else 0.0)
    figure.update_xaxes(range=[0, max(cohorts["months_since"].max(), 1)])
    figure.update_layout(margin_r=64)
    figure.update_yaxes(rangemode="tozero")
    return figure


def chart_customer_map(bins: pd.DataFrame, *, title: str, currency: str) -> go.Figure:
    """Show repeat customers by how surely they are still there and what they are worth.

    Parameters
    ----------
    bins
        customers, p_alive and clv_mean of every bin (p_alive_bin, value_bin) that somebody is in.
    """
    figure = new_chart(
        title,
        x="Probability of still being a customer (%)",
        y=f"Expected value each ({currency}, log scale)",
        alt=captions.of_customer_map(bins, currency=currency),
        height=460,
    )
    most = max(int(bins["customers"].max()), 1)
    # Customers who are all but lost would stretch the scale without end: they stand at its foot.
    place = bins["clv_mean"].clip(lower=max(bins["clv_mean"].max(), 1e-9) / MOST_SPREAD)
    diameter = 46 * np.sqrt(bins["customers"] / most)
    figure.add_scatter(
        x=100 * bins["p_alive"],
        y=place,
        mode="markers+text",
        marker={
            "size": bins["customers"],
            "sizemode": "area",
            "sizeref": 2 * most / 46**2,
            "sizemin": 3,
            "color": fade(BAND, 0.55),
            "line": {"color": MODEL, "width": 1.2},
        },
        text=[f"{n:,}" if size > 24 else "" for n, size in zip(bins["customers"], diameter, strict=True)],
        textfont={"size": 10},
        customdata=bins[["customers", "clv_mean"]],
        hovertemplate="%{customdata[0]:,} repeat customers<br>%{x:.0f} % sure to be still there<br>expected value "
        f"%{{customdata[1]:,.2f}} {currency} each<extra></extra>",
        name="repeat customers; area: how many",
        showlegend=True,
    )
    figure.update_xaxes(range=[-6, 106])
    ticks = _log_ticks(place.min(), place.max())
    figure.update_yaxes(type="log", tickvals=ticks, ticktext=[short_number(tick) for tick in ticks])
    return figure


def chart_will_buy(bins: pd.DataFrame, *, title: str, currency: str) -> go.Figure:
    """Show all customers by how probable it is that they buy at all; `bins` is from `segments.purchase_bins`."""
    figure = new_chart(
        title,
        x="Probability of buying within the horizon (%)",
        y="Customers",
        alt=captions.of_will_buy(bins, currency=currency),
    )
    middle, width = 50 * (bins["low"] + bins["high"]), 100 * (bins["high"] - bins["low"])
    parts = (("repeat", MODEL, "bought more than once"), ("one_time", BAND, "bought once so far"))
    for column, colour, name in parts:
        figure.add_bar(
            x=middle,
            y=bins[column],
            width=width,
            marker={"color": fade(colour, 0.75), "line": {"color": MODEL, "width": 1}}
            | ({"pattern": {"shape": "/", "size": 6}} if column == "one_time" else {}),
            name=name,
            customdata=np.column_stack([100 * bins["low"], 100 * bins["high"], bins["clv_mean"]]),
            hovertemplate="%{customdata[0]:.0f} to %{customdata[1]:.0f} %: %{y:,} customers who "
            f"{name};<br>%{{customdata[2]:,.0f}} {currency} expected from all in this bar<extra></extra>",
        )
    figure.update_layout(barmode="stack", bargap=0)
    figure.update_xaxes(range=[0, 100], dtick=10, showgrid=False)
    return figure


def chart_tracking(tracking: pd.DataFrame, *, title: str, interval: float) -> go.Figure:
    """Show whether repeat purchases came as forecast; `tracking` is table TRACKING."""
    if tracking.empty:
        return blank_chart(title)
    figure = new_chart(
        title,
        x="Weeks since the first purchase of all",
        y="Repeat purchases so far",
        alt=captions.of_tracking(tracking, interval=interval),
    )
    tracking = thinned(tracking)
    known = tracking[tracking["lower"].notna()]
    add_band(figure, known["week"], known["lower"], known["upper"], futures(interval))
    for column, colour, name in (("expected", MODEL, "expected by the model"), ("actual", OBSERVED, "what happened")):
        figure.add_scatter(
            x=tracking["week"],
            y=tracking[column],
            mode="lines",
            line={"color": colour, "width": 2.5},
            name=name,
            hovertemplate=f"Week %{{x}}: %{{y:,.0f}} repeat purchases<br>{name}<extra></extra>",
        )
    mark_at(figure, tracking.loc[tracking["period"] == "calibration", "week"].max(), "forecast begins")
    figure.update_yaxes(rangemode="tozero")
    return figure


def chart_backtest(table: pd.DataFrame, *, title: str, currency: str) -> go.Figure:
    """Show whether the customers forecast to be valuable were so.

    Parameters
    ----------
    table
        decile (1 = lowest forecast), customers, actual and predicted (value per customer), actual_error (two
        standard errors).
    """
    if table.empty:
        return blank_chart(title)
    figure = new_chart(
        title,
        x="Tenth of customers, lowest forecast first",
        y=f"Value per customer ({currency})",
        alt=captions.of_backtest(table, currency=currency),
    )
    figure.add_bar(
        x=table["decile"],
        y=table["predicted"],
        marker={"color": fade(BAND, 0.6), "line": {"color": MODEL, "width": 1}},
        name="expected by the model",
        customdata=table["customers"],
        hovertemplate=f"Tenth %{{x}}, %{{customdata:,}} customers:<br>forecast %{{y:,.2f}} {currency} each"
        "<extra></extra>",
    )
    figure.add_scatter(
        x=table["decile"],
        y=table["actual"],
        mode="markers",
        marker={"color": OBSERVED, "size": 9},
        error_y={"type": "data", "array": table["actual_error"], "color": OBSERVED, "thickness": 2, "width": 5},
        name="what happened, ± 2 standard errors",
        customdata=table["actual_error"],
        hovertemplate=f"Tenth %{{x}}:<br>%{{y:,.2f}} ± %{{customdata:,.2f}} {currency} each happened<extra></extra>",
    )
    figure.update_xaxes(dtick=1, showgrid=False)
    figure.update_yaxes(rangemode="tozero")
    return figure


def chart_windows(windows: pd.DataFrame, *, title: str, interval: float) -> go.Figure:
    """Show how far past totals of value fell from their forecasts; `windows` is table WINDOWS."""
    rows = windows[windows["outcome"] == "value"].sort_values(["horizon_weeks", "origin"])
    if rows.empty:
        return blank_chart(title, "No past window has enough history before it to be tested on.")
    figure = new_chart(
        title,
        x="% of the forecast",
        y="",
        alt=captions.of_windows(rows),
        height=170 + 30 * len(rows),
    )
    names = [
        f"{row.horizon_weeks} weeks to {row.origin + pd.Timedelta(weeks=row.horizon_weeks):%d %b %Y}"
        for row in rows.itertuples()
    ]
    share = 100 * rows[["lower", "upper", "actual"]].div(rows["forecast"], axis="index")
    figure.add_scatter(
        y=np.repeat(names, 3),
        x=np.column_stack([share[["lower", "upper"]], np.full(len(rows), np.nan)]).ravel(),
        mode="lines",
        line={"color": MODEL, "width": 5},
        name=if_right(interval),
        hoverinfo="skip",
    )
    figure.add_scatter(
        y=names,
        x=share["actual"],
        mode="markers",
        marker={"color": OBSERVED, "size": 11, "symbol": "diamond"},
        name="what came",
        customdata=rows[["actual", "forecast"]],
        hovertemplate="%{y}<br>forecast %{customdata[1]:,.0f}, came %{customdata[0]:,.0f} (%{x:.0f} %)<extra></extra>",
    )
    mark_at(figure, 100, "as forecast")
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False)
    return figure


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
        alt=captions.of_campaign(curve, campaign, currency=currency, interval=interval),
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
        alt=captions.of_effects(effects, campaign, currency=currency, interval=interval),
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


_STATUS_WORDS = {
    "observed": "observed",
    "split": "month begun: observed so far, rest forecast",
    "forecast": "forecast, customers won so far",
}


def _add_cohort(figure: go.Figure, line: pd.DataFrame, currency: str, interval: float, *, in_legend: bool) -> None:
    seen = line[line["status"] == "observed"]
    # The forecast starts where the observation stops, so that the line is one.
    ahead = pd.concat([seen.tail(1), line[line["status"] != "observed"]])
    limits = (ahead["cumulative_lower"], ahead["cumulative_upper"])
    add_band(figure, ahead["months_since"], *limits, futures(interval), in_legend=in_legend)
    cohort = line["cohort"].iloc[0]
    parts = ((seen, OBSERVED, "solid", "observed"), (ahead, MODEL, "dash", "expected by the model"))
    for part, colour, dash, name in parts:
        figure.add_scatter(
            x=part["months_since"],
            y=part["cumulative"],
            mode="lines",
            line={"color": colour, "dash": dash, "width": 2},
            name=name,
            legendgroup=name,
            showlegend=in_legend,
            customdata=part["month"],
            hovertemplate=f"Cohort {cohort}, month %{{x}} (%{{customdata}}):<br>%{{y:,.2f}} {currency} per customer"
            f"<br>{name}<extra></extra>",
        )


def new_chart(title: str, *, x: str, y: str, alt: str, height: int = 420) -> go.Figure:
    axis: dict[str, Any] = {
        "automargin": True,
        "fixedrange": True,
        "gridcolor": fade(QUIET, 0.22),
        "zerolinecolor": fade(QUIET, 0.45),
        "linecolor": fade(QUIET, 0.45),
        "exponentformat": "B",
    }
    figure = go.Figure()
    figure.update_layout(
        template="none",
        autosize=True,
        height=height,
        # A page writes the title above the chart, where it can break; in a notebook it makes its own room.
        title={"text": title, "font": {"size": 15, "weight": 600}, "x": 0, "xanchor": "left", "automargin": True}
        | {"yref": "container", "pad": {"b": 26, "l": 4, "t": 8}},
        font={"family": FONT, "size": 13, "color": QUIET},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 8, "r": 12, "t": 28, "b": 8},
        legend={"orientation": "h", "x": 0, "xref": "container", "y": 0, "yref": "container", "yanchor": "bottom"}
        | {"traceorder": "normal"},
        hoverlabel={"font": {"family": FONT, "size": 13}, "align": "left"},
        dragmode=False,
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": fade(QUIET, 0.6), "remove": _BUTTONS_REMOVED},
        meta={"alt": alt.replace(" %", "\N{NO-BREAK SPACE}%")},
        xaxis=axis | {"title": {"text": "<br>".join(wrap(x, AXIS_CHARACTERS)), "standoff": 8, "font": {"size": 13}}},
        yaxis=axis | {"title": {"text": "<br>".join(wrap(y, AXIS_CHARACTERS)), "standoff": 8, "font": {"size": 13}}},
    )
    return figure


def blank_chart(title: str, why: str = WITHOUT_BACKTEST) -> go.Figure:
    """Say that there is nothing to draw."""
    figure = new_chart(title, x="", y="", alt=why, height=80)
    figure.update_layout(annotations=[{"text": "nothing to draw", "showarrow": False}])
    return figure.update_xaxes(visible=False).update_yaxes(visible=False)


# Nothing to drag, and nothing that offers to send the data away: what is left saves a picture.
_BUTTONS_REMOVED = [
    "zoom",
    "pan",
    "select",
    "lasso",
    "zoomIn",
    "zoomOut",
    "autoScale",
    "resetScale",
    "sendChartToCloud",
]


def _histogram(values: NDArray[np.float64], lower: float, upper: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return bin edges that meet both limits, and the share of values in every bin (%)."""
    width = (upper - lower) / BARS_IN_INTERVAL or 1.0
    # Beyond one interval's width on either side the outermost bars collect the rest.
    before = min(int(np.ceil(max(lower - values.min(), 0) / width)), BARS_IN_INTERVAL)
    after = min(int(np.ceil(max(values.max() - upper, 0) / width)) + 1, BARS_IN_INTERVAL)
    edges = lower + width * np.arange(-before, BARS_IN_INTERVAL + after + 1)
    counts = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]
    return edges, 100 * counts / values.size


def _log_ticks(low: float, high: float) -> list[float]:
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    steps = (1, 2, 5) if len(decades) <= 4 else (1,)
    return [step * 10.0**decade for decade in decades for step in steps]


def thinned(table: pd.DataFrame) -> pd.DataFrame:
    kept = np.unique(np.linspace(0, len(table) - 1, MOST_POINTS).round().astype(int))
    return table.iloc[kept] if len(table) > MOST_POINTS else table


def _matrix(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    return rows.pivot(index="cohort", columns="months_since", values=column).sort_index()


def _newest(rows: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Return the newest cohorts that fit into one heat map, and how many older ones do not."""
    cells = rows.groupby("cohort").size().sort_index(ascending=False).cumsum()
    kept = cells.index[cells <= MOST_CELLS]
    return rows[rows["cohort"].isin(kept)], len(cells) - len(kept)


def add_band(
    figure: go.Figure, x: pd.Series, lower: pd.Series, upper: pd.Series, name: str, *, in_legend: bool = True
) -> None:
    figure.add_scatter(
        x=np.concatenate([x, x[::-1]]),
        y=np.concatenate([upper, lower[::-1]]),
        mode="lines",
        line={"width": 0},
        fill="toself",
        fillcolor=fade(BAND, 0.28),
        hoverinfo="skip",
        name=name,
        legendgroup=name,
        showlegend=in_legend,
    )


def add_reference(figure: go.Figure, x: Sequence[float], y: Sequence[float], name: str) -> None:
    figure.add_scatter(
        x=x, y=y, mode="lines", line={"color": REFERENCE, "dash": "dot", "width": 1.5}, name=name, hoverinfo="skip"
    )


def mark_at(figure: go.Figure, x: float, words: str) -> None:
    """Draw a labelled vertical line, its words above the panel."""
    line = {"color": REFERENCE, "width": 2, "dash": "dash"}
    figure.add_shape(type="line", x0=x, x1=x, y0=0, y1=1, yref="paper", line=line)
    figure.add_annotation(
        x=x, y=1, yref="paper", yanchor="bottom", text=words, showarrow=False, font={"color": REFERENCE, "size": 13}
    )


def label_ends(figure: go.Figure, x: pd.Series, y: pd.Series, words: pd.Series, *, apart: float = 0.0) -> None:
    """Write words to the right of points, number positions pushed apart by a share of the largest."""
    places = _pushed_apart(y.to_numpy(), apart) if apart else y.to_numpy()
    for at, place, text in zip(x, places, words, strict=True):
        figure.add_annotation(
            x=at, y=place, text=text, showarrow=False, xanchor="left", xshift=6, font={"color": QUIET, "size": 12}
        )


def _pushed_apart(places: NDArray[Any], apart: float) -> NDArray[np.float64]:
    order = np.argsort(places)
    steps = apart * max(float(np.max(places)), 1e-9) * np.arange(len(places))
    moved = np.empty(len(places))
    moved[order] = np.maximum.accumulate(places[order] - steps) + steps
    return moved


def _cell_words(segment: str, customers: int) -> str:
    return "<br>".join([*wrap(segment, 10, break_long_words=False), f"<b>{customers:,}</b>" if customers else "nobody"])


def _ink(value: pd.Series) -> list[str]:
    """Return a colour legible on each cell of a heat map that runs from 0 to the largest value."""
    strong = np.where(value > 0.55 * value.max(), "#ffffff", "#10202c")
    return list(np.where(value.isna(), QUIET, strong))


def colour_scale(colours: Sequence[str]) -> list[list[Any]]:
    return [[at / (len(colours) - 1), colour] for at, colour in enumerate(colours)]


def colour_bar(title: str, *, x: float = 0.0, length: float = 1.0) -> dict[str, Any]:
    return {
        "orientation": "h",
        "title": {"text": title, "side": "bottom", "font": {"size": 12}},
        "thickness": 10,
        "ypad": 4,
        "outlinewidth": 0,
        "x": x,
        "xanchor": "left",
        "len": length,
        "y": 0,
        "yref": "container",
        "yanchor": "bottom",
        "exponentformat": "B",
        "nticks": 4,
    }
