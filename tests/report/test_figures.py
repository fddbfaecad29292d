"""The analysts' figures: what they are given is what they draw, and everything drawn has a name and a unit."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from forecasts import posterior
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from clv import words as words_module
from clv.models.operational_time import Clock
from clv.report.figures import canvas, log, purchases, spend, story
from clv.report.figures.canvas import DescribedFigure
from clv.report.figures.style import MODEL, OBSERVED, QUIET, REFERENCE

CUSTOMERS = pd.DataFrame(
    {
        "customer_id": pd.Series(["ID-ada", "ID-bob", "ID-cyd", "ID-dan", "ID-eve"], dtype="str"),
        "frequency": [0, 1, 2, 2, 12],
        "recency": [0.0, 10.0, 20.0, 5.0, 38.0],
        "T": [30.0, 30.0, 35.0, 39.0, 39.0],
        "monetary_value": [0.0, 10.0, 20.0, 40.0, 35.0],
    }
)
CHECK = pd.DataFrame(
    {
        "frequency": ["0", "1", "2+"],
        "observed": [0.5, 0.3, 0.2],
        "lower": [0.4, 0.25, 0.1],
        "median": [0.5, 0.28, 0.18],
        "upper": [0.6, 0.35, 0.3],
    }
)
DRAWS = pd.DataFrame(
    {
        "parameter": ["r", "alpha"] * 200,
        "unit": ["no unit", "weeks"] * 200,
        "source": ["prior"] * 200 + ["posterior"] * 200,
        "value": np.concatenate([np.linspace(0.1, 50, 200), np.linspace(1, 2, 200)]),
    }
)
NO_REFERENCE = pd.DataFrame({"parameter": pd.Series(dtype="str"), "value": pd.Series(dtype=float), "name": []})
TRUTH = pd.DataFrame({"parameter": ["r"], "value": [3.0], "name": ["truth"]})
PLANE = pd.DataFrame(
    {"recency_weeks": [10.0, 20.0, 10.0, 20.0], "frequency": [1, 1, 2, 2], "value": [0.2, 0.4, 0.6, 0.8]}
)
WEEKLY = pd.DataFrame(
    {"date": pd.date_range("2024-01-01", periods=4, freq="7D"), "purchases": [1, 4, 2, 3], "revenue": [9.0, 40, 20, 30]}
)
SPEND = pd.DataFrame(
    {
        "amount": [10.0, 20.0],
        "width": [10.0, 20.0],
        "observed": [0.4, 0.6],
        "lower": [0.3, 0.5],
        "median": [0.4, 0.55],
        "upper": [0.5, 0.7],
    }
)
WEIGHTS = np.random.default_rng(1).lognormal(0, 0.3, 400)
WEIGHED = xr.DataTree.from_dict({"sample_stats": xr.Dataset({"weight": ("proposal", WEIGHTS)})})
SHRINKAGE = pd.DataFrame({"monetary_value": [10.0, 50], "expected_spend": [20.0, 45], "frequency": [1, 8]})
DECEMBER = Clock((*[11 / 12] * 11, 23 / 12), (), 0.1, date(2025, 6, 30), (("2020-01", 1, 1.0),))

FIGURES = {
    "weekly_activity": lambda: log.plot_weekly_activity(WEEKLY, currency="EUR"),
    "order_amounts": lambda: log.plot_order_amounts(pd.Series([5.0, 20.0, 300.0]), currency="EUR"),
    "recency_frequency": lambda: log.plot_recency_frequency(CUSTOMERS),
    "frequency_distribution": lambda: log.plot_frequency_distribution(CUSTOMERS),
    "prior_predictive": lambda: purchases.plot_predictive(CHECK, fitted=False, interval=0.9),
    "posterior_predictive": lambda: purchases.plot_predictive(CHECK, fitted=True, interval=0.9),
    "story": lambda: story.plot_story(leaves_at_once=False),
    "prior_posterior": lambda: purchases.plot_prior_posterior(DRAWS, TRUTH),
    "draws": lambda: purchases.plot_draws(WEIGHED),
    "alive_plane": lambda: purchases.plot_plane(PLANE),
    "expected_plane": lambda: purchases.plot_plane(PLANE, horizon_weeks=52),
    "pit": lambda: purchases.plot_pit(np.linspace(0.005, 0.995, 100)),
    "spend_and_frequency": lambda: spend.plot_spend_and_frequency(CUSTOMERS, currency="EUR"),
    "spend_check": lambda: spend.plot_spend_check(SPEND, fitted=True, currency="EUR", interval=0.9),
    "spend_prior": lambda: spend.plot_spend_check(SPEND, fitted=False, currency="EUR", interval=0.9),
    "year": lambda: story.plot_year(DECEMBER, interval=0.9),
    "shrinkage": lambda: spend.plot_shrinkage(SHRINKAGE, population_mean=35.0, currency="EUR"),
}


def words(figure: Figure) -> str:
    figure.draw_without_rendering()
    return " | ".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_names_its_axes_and_describes_itself_and_no_customer(name):
    figure = FIGURES[name]()
    for axes in figure.axes:
        if axes.get_label() != "<colorbar>":
            assert axes.get_xlabel() or not axes.xaxis.get_tick_params()["labelbottom"]
        assert axes.get_ylabel()
    assert figure.get_suptitle()
    assert figure.get_label().startswith(figure.get_suptitle())
    assert "ID-" not in words(figure) + figure.get_label()


def test_every_public_function_is_tried():
    everywhere = [name for module in (log, purchases, spend, story) for name in vars(module)]
    public = {name.removeprefix("plot_") for name in everywhere if name.startswith("plot_")}
    drawn_twice = {"alive_plane": "plane", "expected_plane": "plane", "spend_prior": "spend_check"} | dict.fromkeys(
        ("prior_predictive", "posterior_predictive"), "predictive"
    )
    assert public == {drawn_twice.get(name, name) for name in FIGURES}


@pytest.mark.slow  # ArviZ's plots alone take three seconds to import
def test_chains_are_shown_by_parameter_and_described():
    chains = {name: np.random.default_rng(1).normal(size=(4, 100)) for name in ("r", "alpha")}
    figure = purchases.plot_draws(posterior(**chains))
    assert isinstance(figure, DescribedFigure)
    assert len(figure.axes) == 4
    assert figure.get_label() == "4 chains, a row per parameter: densities, and ranks."


@pytest.mark.parametrize(
    "name", ["weekly_activity", "order_amounts", "spend_and_frequency", "spend_check", "shrinkage"]
)
def test_money_carries_its_currency(name):
    assert "EUR" in words(FIGURES[name]())


def test_a_notebook_gets_the_alternative_text_with_the_picture():
    figure = FIGURES["pit"]()
    data, metadata = figure._repr_mimebundle_()
    assert data["image/png"].startswith("iVBOR")
    assert metadata == {"image/png": {"alt": figure.get_label(), "caption": figure.caption}}
    assert figure.get_label().endswith(figure.caption)
    assert figure.get_label() == (
        "Where outcomes fall in their forecasts. Bars of 5.0 to 5.0 % of the customers; all would be 5 % in a "
        "calibrated forecast."
    )


def test_figures_are_unknown_to_pyplot_so_no_notebook_shows_them_twice():
    from matplotlib import pyplot

    FIGURES["pit"]()
    assert pyplot.get_fignums() == []


def test_the_intervals_are_named_by_kind():
    assert "90 % of what the priors allow, and median" in words(FIGURES["prior_predictive"]())
    assert "90 % of what the model would produce, and median" in words(FIGURES["posterior_predictive"]())


def test_frequency_bars_are_shares_of_all_customers():
    bars = FIGURES["frequency_distribution"]().axes[0].patches
    assert [bar.get_height() for bar in bars] == [20, 20, 40, 0, 0, 0, 0, 0, 0, 0, 20]  # five customers, the last 10+


def test_the_posterior_decides_the_view_and_a_reference_stays_in_it():
    panels = purchases.plot_prior_posterior(DRAWS, TRUTH).axes
    low, high = panels[0].get_xlim()
    assert low < 1.0 and 3.0 < high < 4.0  # posterior of r from 1 to 2, truth 3, prior up to 50
    assert panels[1].get_xlim()[1] < 2.5
    assert "alpha (weeks)" in words(panels[1].figure)


def test_without_references_no_reference_is_named():
    assert "truth" not in words(purchases.plot_prior_posterior(DRAWS, NO_REFERENCE))


def test_a_base_without_repeat_customers_still_has_its_pictures():
    once = CUSTOMERS.assign(frequency=0, recency=0.0)
    assert "Not shown: 5 one-time buyers" in words(log.plot_recency_frequency(once))
    assert log.plot_frequency_distribution(once).axes[0].patches[0].get_height() == 100


def test_text_and_roles_can_be_read_on_white_and_on_near_black():
    def luminance(colour):
        parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    def contrast(one, other):
        high, low = sorted([luminance(one), luminance(other)], reverse=True)
        return (high + 0.05) / (low + 0.05)

    for ground in ("#ffffff", "#121212"):
        assert contrast(QUIET, ground) > 3.9
        assert min(contrast(role, ground) for role in (OBSERVED, MODEL, REFERENCE)) > 3


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.25, "0.25"), (999, "999"), (999.9, "1k"), (1_250_000, "1.25M"), (-4_000, "-4k"), (2.5e9, "2.5B")],
)
def test_numbers_on_axes_are_short(value, text):
    assert words_module.short_number(value) == text


def test_intervals_are_written_in_percent():
    assert words_module.futures(0.9) == "90 % of the model's futures"
    assert words_module.level(0.945) == "94.5 %"


SPANS = (1, 2, 26, 195, 238, 2000)


def test_dates_can_be_ticked_over_any_span_of_one_to_two_thousand_weeks():
    axes = DescribedFigure().subplots()
    canvas.date_ticks(axes)
    start = pd.Timestamp("2001-01-01")
    for weeks in (*range(1, 400), *range(400, 2001, 8)):
        axes.set_xlim(start, start + pd.Timedelta(weeks=weeks))
        assert 3 <= len(axes.get_xticks()) <= 10, f"{weeks} weeks"


@pytest.mark.parametrize("weeks", SPANS)
def test_figures_along_time_are_drawn_for_any_span(weeks):
    dates = pd.date_range("2001-01-01", periods=weeks, freq="7D")
    weekly = pd.DataFrame({"date": dates, "purchases": np.arange(weeks) % 7 + 1, "revenue": 10.0})
    figure = log.plot_weekly_activity(weekly, currency="EUR")
    figure.draw_without_rendering()
    assert len(figure.axes[-1].get_xticks()) >= 2


def test_a_year_stands_at_its_months_and_whiskers_hold_what_a_month_to_come_may_be():
    figure = story.plot_year(DECEMBER, interval=0.9)
    heights = [bar.get_height() for bar in figure.axes[0].patches]
    np.testing.assert_allclose(heights, DECEMBER.months)
    drawn = 23 / 12 * np.exp(np.random.default_rng(1).normal(-(0.1**2) / 2, 0.1, 200_000))
    (whiskers,) = figure.axes[0].collections
    low, high = whiskers.get_segments()[11][:, 1]
    assert np.mean((low < drawn) & (drawn < high)) == pytest.approx(0.9, abs=0.003)
    assert "December brings most, 192\u00a0%" in figure.get_label()
    assert "shows no year" in story.plot_year(None, interval=0.9).get_label()
