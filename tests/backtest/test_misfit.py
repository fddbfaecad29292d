"""What misfit promises: totals widen as past errors ask for, never narrow, and mean the same to every group."""

from types import SimpleNamespace

import misfit as simulation
import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad

from clv import tables
from clv.backtest import misfit
from clv.backtest.misfit import TILES
from clv.backtest.tables import WINDOWS
from clv.forecast.tables import TOTAL_DRAWS

FOREVER = 200_000
DATA_SETS = 12  # of each world; `make misfit` takes 200


def past(*errors: float, log_sd: float = 0.05, weeks: int = 26, outcome: str = "purchases") -> pd.DataFrame:
    """Return one window per log(actual / forecast), as `misfit.evidence` returns them."""
    return pd.DataFrame(
        {
            "horizon_weeks": weeks,
            "origin": pd.date_range("2024-01-01", periods=len(errors), freq="26W"),
            "outcome": outcome,
            "actual": 1000 * np.exp(errors),
            "forecast": 1000.0,
            "log_sd": log_sd,
        }
    )


# --- tau


def density(tau: float, errors: tuple[float, ...], log_sd: float) -> float:
    """Return tau's posterior density but for a factor, written from the text alone."""
    spread = np.sqrt(log_sd**2 + tau**2)
    chance = [np.exp(-0.5 * (error / spread) ** 2) / spread for error in errors]
    return float(np.exp(-0.5 * (tau / 0.2) ** 2) * np.prod(chance))


@pytest.mark.parametrize("log_sd", [0.01, 0.05, 0.3])
@pytest.mark.parametrize("errors", [(0.14, 0.07, -0.23), (0.0, 0.01), (0.5,), (-0.9, 0.8, 0.7)])
def test_tau_is_the_posterior_worked_out_by_quadrature(errors, log_sd):
    found = misfit.tau(past(*errors, log_sd=log_sd), draws=FOREVER, seed=1)
    pieces = [(low, low + 0.02) for low in np.arange(0, 2, 0.02)]
    mass = [quad(density, *piece, args=(errors, log_sd))[0] for piece in pieces]
    mean = [quad(lambda tau: tau * density(tau, errors, log_sd), *piece)[0] for piece in pieces]
    assert found.mean() == pytest.approx(sum(mean) / sum(mass), abs=1e-3)  # two steps of its grid
    for limit in (0.02, 0.1, 0.2, 0.4):
        below = sum(part for part, (_, high) in zip(mass, pieces, strict=True) if high < limit + 0.01) / sum(mass)
        assert (found <= limit).mean() == pytest.approx(below, abs=0.012)


def test_without_a_past_the_prior_stands():
    found = misfit.tau(past(), draws=FOREVER, seed=1)
    assert found.mean() == pytest.approx(0.2 * np.sqrt(2 / np.pi), rel=0.01)  # HalfNormal(0.2)
    assert (found < 0.2).mean() == pytest.approx(0.6827, abs=0.005)


def test_larger_past_errors_say_a_larger_misfit():
    means = [misfit.tau(past(size, -size), draws=FOREVER, seed=1).mean() for size in (0, 0.05, 0.1, 0.2, 0.4, 0.8)]
    assert (np.diff(means) > 0).all()
    assert means[0] < 0.06
    assert means[-1] > 0.35  # the prior holds half an error of .8 for the model's, not more


def test_errors_that_the_model_announced_leave_little_misfit_and_many_such_less():
    announced = misfit.tau(past(0.05, -0.05, 0.04, log_sd=0.05), draws=FOREVER, seed=1).mean()
    surprising = misfit.tau(past(0.05, -0.05, 0.04, log_sd=0.001), draws=FOREVER, seed=1).mean()
    many = misfit.tau(past(*[0.05, -0.05, 0.04] * 3, log_sd=0.05), draws=FOREVER, seed=1).mean()
    assert many < announced < surprising
    assert many < 0.04


def test_an_error_is_as_bad_upwards_as_downwards():
    above, below = (misfit.tau(past(error, error), draws=1000, seed=1) for error in (0.3, -0.3))
    np.testing.assert_allclose(above, below)


def test_a_window_in_which_nothing_came_is_a_hundredth_of_the_forecast():
    rows = past(0.1, 0.1).assign(actual=[1100.0, 0.0])
    assert misfit.log_errors(rows).tolist() == pytest.approx([np.log(1.1), np.log(0.01)])
    assert np.isfinite(misfit.tau(rows, draws=1000, seed=1)).all()


def test_a_forecast_of_nothing_leaves_a_finite_error_and_those_beside_it_alone():
    rows = past(0.1, 0.1, 6.0).assign(forecast=[1000.0, 0.0, 1000.0])
    errors = misfit.log_errors(rows)
    assert np.isfinite(errors).all()
    assert errors[0] == pytest.approx(0.1)
    assert errors[2] == pytest.approx(np.log(100))  # no more upwards than downwards
    assert np.isfinite(misfit.tau(rows, draws=1000, seed=1)).all()


# --- evidence

TESTED = {
    "origin": "2024-12-30",
    "horizon_weeks": 39.0,
    "purchases": {"actual": 1882, "forecast": {"mean": 1653.0}, "log_sd": 0.05},
    "value": {"actual": 70_976.0, "forecast": {"mean": 60_116.0}, "log_sd": 0.08},
}


def both(*errors: float, weeks: int) -> pd.DataFrame:
    return pd.concat([past(*errors, weeks=weeks, outcome=outcome) for outcome in ("purchases", "value")])


def test_the_longest_horizon_with_two_windows_is_asked():
    windows = pd.concat([both(0.1, 0.2, 0.3, weeks=13), both(0.1, 0.2, weeks=26), both(0.4, weeks=52)])
    found = misfit.evidence(windows, TESTED)
    assert found["horizon_weeks"].unique().tolist() == [26]
    assert len(found) == 4  # two windows, purchases and value
    assert misfit.misfit_figures(found, seed=1)["n_windows"] == 2


def test_one_window_of_each_length_leaves_the_backtest_alone():
    found = misfit.evidence(pd.concat([both(0.1, weeks=13), both(0.1, weeks=26)]), TESTED)
    assert found["horizon_weeks"].tolist() == [39, 39]
    assert found["origin"].unique().tolist() == [pd.Timestamp("2024-12-30")]
    by_outcome = found.set_index("outcome")
    assert by_outcome.loc["value", ["actual", "forecast", "log_sd"]].tolist() == [70_976, 60_116, 0.08]
    assert by_outcome.loc["purchases", ["actual", "forecast", "log_sd"]].tolist() == [1882, 1653, 0.05]
    assert misfit.misfit_figures(found, seed=1)["n_windows"] == 1


def test_the_same_without_any_window():
    assert len(misfit.evidence(tables.empty(WINDOWS), TESTED)) == 2


def test_without_a_backtest_nothing_is_known():
    found = misfit.evidence(both(0.1, 0.2, weeks=26), None)
    assert found.empty
    assert misfit.factors(found, draws=10, seed=1) == {}
    assert misfit.misfit_figures(found, seed=1) is None


def test_the_report_is_told_the_mean_of_tau():
    found = both(0.3, -0.2, weeks=26)
    figures = misfit.misfit_figures(found, seed=1)
    expected = misfit.tau(past(0.3, -0.2), draws=FOREVER, seed=2).mean()
    assert figures["horizon_weeks"] == 26
    assert figures["tau"] == pytest.approx({"purchases": expected, "value": expected}, rel=0.03)


def test_the_report_is_told_between_what_limits_tau_lies():
    wide, narrow = (
        misfit.misfit_figures(both(*errors, weeks=26), seed=1) for errors in ((0.3, -0.2), (0.3, -0.2) * 20)
    )
    expected = np.quantile(misfit.tau(past(0.3, -0.2), draws=FOREVER, seed=2), [0.05, 0.95])
    for outcome in ("purchases", "value"):
        low, high = wide["tau_range"][outcome]
        assert [low, high] == pytest.approx(expected, rel=0.05)
        assert low < wide["tau"][outcome] < high
        known_low, known_high = narrow["tau_range"][outcome]
        assert known_high - known_low < 0.4 * (high - low)  # forty windows say more than two


# --- wider totals


def factors(rows: pd.DataFrame, *, draws: int, seed: int = 1) -> dict[str, np.ndarray]:
    """Return `draws` factors in all."""
    return misfit.factors(rows, draws=draws // TILES, seed=seed)


def test_there_are_so_many_factors_for_every_draw():
    assert TILES == 50
    assert misfit.factors(past(0.3), draws=7, seed=1)["purchases"].shape == (350,)


def test_a_factor_corrects_nothing_and_is_shared_by_purchases_and_value():
    past_errors = pd.concat([past(0.3, 0.3), past(0.6, 0.6, outcome="value")])
    found = {name: np.log(factor) for name, factor in factors(past_errors, draws=FOREVER).items()}
    for log_factor in found.values():
        assert np.median(log_factor) == pytest.approx(0, abs=0.005)  # though all errors were upwards
    assert (np.sign(found["purchases"]) == np.sign(found["value"])).all()
    assert np.corrcoef(found["purchases"], found["value"])[0, 1] > 0.95
    assert found["value"].std() > 1.2 * found["purchases"].std()


def test_a_factor_is_tau_times_luck_that_does_not_depend_on_it():
    tau = misfit.tau(past(0.3, -0.1), draws=FOREVER, seed=1)
    z = np.log(factors(past(0.3, -0.1), draws=FOREVER)["purchases"]) / tau
    assert z.mean() == pytest.approx(0, abs=0.01)
    assert z.std() == pytest.approx(1, abs=0.01)
    assert abs(np.corrcoef(np.abs(z), tau)[0, 1]) < 0.01


def totals(draws: int = 4000) -> SimpleNamespace:
    """Return joint draws of everybody and of two groups that make them up."""
    rng = np.random.default_rng(3)
    groups = rng.normal([300.0, 700.0], [15.0, 25.0], (draws, 2))
    value = np.column_stack([groups.sum(axis=1), groups])
    return SimpleNamespace(value=value, purchases=value / 10)


GROUPS = pd.DataFrame({"group": ["all customers", "few", "many"]})


def widened(*errors: float, **options) -> pd.DataFrame:
    found = misfit.factors(
        pd.concat([past(*errors, **options), past(*errors, outcome="value", **options)]), draws=4000, seed=1
    )
    return misfit.widened(GROUPS, totals(), found, interval=0.9)


def half_width(table: pd.DataFrame) -> np.ndarray:
    return np.log(table["clv_upper_with_misfit"] / table["clv_lower_with_misfit"]).to_numpy() / 2


def test_an_interval_widens_with_past_errors_and_never_narrows():
    own = np.quantile(totals().value, [0.05, 0.95], axis=0)
    none, small, large = (half_width(widened(error, -error)) for error in (0.0, 0.15, 0.5))
    assert (np.log(own[1] / own[0]) / 2 < none).all()
    assert (none < small).all()
    assert (small < large).all()
    # By hand: tau of about .27 and luck of .03 give 1.645 x .27 if tau were known; its own doubt adds a little.
    tau = misfit.tau(past(0.5, -0.5), draws=FOREVER, seed=1).mean()
    assert large[0] == pytest.approx(1.645 * tau, rel=0.15)


def test_ever_more_past_forecasts_without_an_error_leave_the_models_own_interval():
    own = np.quantile(totals().value, [0.05, 0.95], axis=0)
    found = half_width(widened(*[0.0] * 200, log_sd=0.001))
    np.testing.assert_allclose(found, np.log(own[1] / own[0]) / 2, rtol=0.02)


def test_what_misleads_the_model_misleads_it_for_every_group():
    rows = pd.concat([past(0.4, -0.4), past(0.4, -0.4, outcome="value")])
    found = misfit.factors(rows, draws=4000, seed=1)
    table = misfit.widened(GROUPS, totals(), found, interval=0.9)
    wider = np.tile(totals().value, (TILES, 1)) * found["value"][:, None]
    np.testing.assert_allclose(wider[:, 1:].sum(axis=1), wider[:, 0])
    np.testing.assert_allclose(table["clv_lower_with_misfit"], np.quantile(wider, 0.05, axis=0))
    # So the limits of groups add up nearly to those of the whole, as errors that cancel would not.
    assert table["clv_upper_with_misfit"][1:].sum() == pytest.approx(table["clv_upper_with_misfit"][0], rel=0.01)
    np.testing.assert_allclose(table["purchases_upper_with_misfit"], table["clv_upper_with_misfit"] / 10)


def test_limits_are_quantiles_of_every_draw_times_each_of_its_factors():
    draws = totals(40).value
    factor = np.random.default_rng(4).lognormal(0, 0.3, 3 * 40)
    every = [[draws[i % 40, group] * factor[i] for i in range(120)] for group in range(3)]
    found = misfit.limits_with(draws, factor, interval=0.8)
    assert found.shape == (2, 3)
    np.testing.assert_allclose(found, np.quantile(every, [0.1, 0.9], axis=1))
    # Not those of one factor per draw, nor of factors that stay with one draw.
    assert not np.allclose(found, np.quantile(draws * factor[:40, None], [0.1, 0.9], axis=0), rtol=1e-3)
    assert not np.allclose(found, np.quantile(np.repeat(draws, 3, axis=0) * factor[:, None], [0.1, 0.9], axis=0), 1e-6)


def test_factors_of_one_leave_the_models_own_limits():
    draws = totals(400).value
    np.testing.assert_allclose(
        misfit.limits_with(draws, np.ones(20 * 400), interval=0.9), np.quantile(draws, [0.05, 0.95], axis=0), rtol=1e-3
    )


def test_many_factors_per_draw_make_limits_depend_far_less_on_the_seed():
    rows, draws = past(0.3, -0.2), totals(1000).value[:, :1]

    def spread(tiles: int) -> np.ndarray:
        found = [misfit.factors(rows, draws=1000, seed=seed)["purchases"][: tiles * 1000] for seed in range(24)]
        return np.std([np.log(misfit.limits_with(draws, each, interval=0.9)) for each in found], axis=0).ravel()

    one, fifty = spread(1), spread(TILES)
    assert (fifty < one / 3).all()  # a seventh, were it luck alone
    assert (fifty < 0.01).all()
    assert (one > 0.01).all()


def test_the_backtest_is_told_the_limits_that_allow_for_misfit():
    found = misfit.factors(both(0.3, -0.2, weeks=26), draws=4000, seed=1)
    told = misfit.tested_with(TESTED, totals(), found, interval=0.9)
    for outcome, factor in found.items():
        everybody = getattr(totals(), outcome)[:, 0]
        limits = np.quantile(np.tile(everybody, TILES) * factor, [0.05, 0.95])
        wider = told[outcome]["with_misfit"]
        assert list(wider) == ["lower", "upper"]
        assert list(wider.values()) == pytest.approx(list(limits))
        own = np.quantile(everybody, [0.05, 0.95])
        assert wider["lower"] < own[0] < own[1] < wider["upper"]
        assert {name: said for name, said in told[outcome].items() if name != "with_misfit"} == TESTED[outcome]
    assert told["origin"] == TESTED["origin"]
    assert "with_misfit" not in TESTED["value"]  # what was given is left as it was


def test_a_backtest_without_factors_is_told_nothing_and_none_stays_none():
    assert misfit.tested_with(TESTED, totals(), {}, interval=0.9) == TESTED
    assert misfit.tested_with(None, totals(), {"value": np.ones(4000)}, interval=0.9) is None


def test_every_draw_of_the_total_carries_the_factor_of_its_outcome():
    draws = pd.DataFrame({"draw": [0, 1], "value": [100.0, 200.0], "purchases": [10.0, 20.0]})
    # Of the factors in turn a draw carries its first.
    found = {"value": np.array([2.0, 0.5, 9.0, 9.0]), "purchases": np.array([1.5, 1.0, 9.0, 9.0])}
    table = misfit.with_misfit(draws, misfit.one_per_draw(found, len(draws)))
    assert table["value_with_misfit"].tolist() == [200, 100]
    assert table["purchases_with_misfit"].tolist() == [15, 20]
    assert table["value"].tolist() == [100, 200]
    tables.check(TOTAL_DRAWS, table)


def test_without_a_backtest_what_allows_for_misfit_is_missing():
    table = misfit.widened(GROUPS, totals(), {}, interval=0.9)
    wider = [name for name in table if name.endswith("_with_misfit")]
    assert len(wider) == 4
    assert table[wider].isna().all(axis=None)
    assert set(table[wider].dtypes.astype(str)) == {"float64"}
    draws = pd.DataFrame({"draw": [0, 1], "value": [100.0, 200.0], "purchases": [10.0, 20.0]})
    assert misfit.with_misfit(draws, {}).filter(like="_with_misfit").isna().all(axis=None)


# --- worlds that are not the model's


def world(**changed: float) -> dict[str, float]:
    return {"data_sets": 200, "coverage": 0.6, "coverage_with_misfit": 0.92} | changed


GOOD = {"own": world(coverage=0.91), "pareto": world(coverage=0.8), "seasonal": world(), "drifting": world()}


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("seasonal", {"coverage_with_misfit": 0.84}),  # the wider interval fails
        ("own", {"coverage_with_misfit": 0.84}),
        ("drifting", {"coverage": 0.90}),  # a world that does not mislead the model proves nothing
        ("own", {"coverage": 0.70}),  # the model is wrong where it is right
        ("own", {"coverage": 1.0}),
    ],
)
def test_a_table_in_which_an_interval_does_not_hold_is_refused(name, wrong):
    assert simulation.passed(GOOD)
    assert not simulation.passed(GOOD | {name: GOOD[name] | wrong})


def test_worlds_are_judged_by_what_lay_inside():
    found = pd.DataFrame({"actual": [100.0, 130.0], "forecast": 100.0, "windows": 3.0})
    found = found.assign(lower=90.0, upper=110.0, lower_with_misfit=70.0, upper_with_misfit=140.0)
    table = simulation.judged(found)
    assert (table["coverage"], table["coverage_with_misfit"]) == (0.5, 1.0)
    assert table["error_sd"] == pytest.approx(np.log(1.3) / np.sqrt(2))
    assert table["half_width_with_misfit"] == pytest.approx(np.log(2) / 2)


@pytest.fixture(scope="module")
def worlds() -> dict[str, dict[str, float]]:
    """Return what a few data sets of the model's own world, and as many of one that drifts, come to."""
    return {
        name: simulation.judged(pd.DataFrame([simulation.forecast(n, world=name, seed=7) for n in range(DATA_SETS)]))
        for name in ("own", "drifting")
    }


@pytest.mark.slow
def test_the_wider_interval_holds_where_the_models_own_fails(worlds):
    for found in worlds.values():
        assert found["windows"] == 3
        assert found["coverage_with_misfit"] >= 0.8
    assert worlds["own"]["coverage"] >= 0.9 - 4 * np.sqrt(0.9 * 0.1 / DATA_SETS)
    assert worlds["drifting"]["coverage"] < 0.7  # without misfit the promise is broken


@pytest.mark.slow
def test_the_wider_interval_is_wider_where_the_model_is_wrong(worlds):
    for found in worlds.values():
        assert found["half_width_with_misfit"] > found["half_width"]
    assert worlds["drifting"]["half_width_with_misfit"] > 1.15 * worlds["own"]["half_width_with_misfit"]
