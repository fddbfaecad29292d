"""What misfit promises: totals widen as past errors ask for, never narrow, and groups learn what they were off by."""

from types import SimpleNamespace

import misfit as simulation
import numpy as np
import pandas as pd
import pytest
from scipy.integrate import dblquad, quad
from scipy.stats import t as student

from clv import tables
from clv.backtest import misfit
from clv.backtest.misfit import TILES
from clv.forecast.tables import SEGMENTS, TOTAL_DRAWS, as_shown

FOREVER = 200_000
DATA_SETS = 4  # of each world; `make misfit` takes 40


def past(*errors: float, log_sd: float = 0.05, weeks: int = 26, outcome: str = "purchases", **more) -> pd.DataFrame:
    """Return one window per log error, everybody's unless told otherwise, in columns of table WINDOW_GROUPS."""
    window = {
        "horizon_weeks": weeks,
        "origin": pd.date_range("2024-01-01", periods=len(errors), freq="26W"),
        "outcome": outcome,
        "grouping": "base",
        "group": "all customers",
        "customers": 1000,
        "log_error": np.array(errors, float),
        "log_sd": log_sd,
    }
    return pd.DataFrame(window | more)


def tau(*errors: float, ahead: float = 26.0, draws: int = FOREVER, **more) -> np.ndarray:
    return misfit.tau(past(*errors, **more), weeks=ahead, draws=draws, seed=1)


# --- tau


def density(tau: float, errors: tuple[float, ...], log_sd: float, weight: float) -> float:
    """Return tau's posterior density but for a factor, written from the text alone."""
    spread = np.sqrt(log_sd**2 + tau**2)
    chance = [(np.exp(-0.5 * (error / spread) ** 2) / spread) ** weight for error in errors]
    return float(np.exp(-0.5 * (tau / 0.25) ** 2) * np.prod(chance))


@pytest.mark.parametrize(("ahead", "weight"), [(26.0, 1.0), (13.0, 0.5), (52.0, 1.0)])
@pytest.mark.parametrize("log_sd", [0.01, 0.3])
@pytest.mark.parametrize("errors", [(0.14, 0.07, -0.23), (0.0, 0.01), (0.5,), (-0.9, 0.8, 0.7)])
def test_tau_is_the_posterior_worked_out_by_quadrature(errors, log_sd, ahead, weight):
    """Windows half or twice as long say half as much; beyond the longest there is none to be far from."""
    found = tau(*errors, log_sd=log_sd, ahead=ahead)
    pieces = [(low, low + 0.02) for low in np.arange(0, 2, 0.02)]
    given = (errors, log_sd, weight)
    mass = [quad(density, *piece, args=given)[0] for piece in pieces]
    mean = [quad(lambda tau: tau * density(tau, *given), *piece)[0] for piece in pieces]
    assert found.mean() == pytest.approx(sum(mean) / sum(mass), abs=1.5e-3)  # three steps of its grid
    for limit in (0.02, 0.1, 0.2, 0.4):
        below = sum(part for part, (_, high) in zip(mass, pieces, strict=True) if high < limit + 0.01) / sum(mass)
        assert (found <= limit).mean() == pytest.approx(below, abs=0.012)


def test_without_a_past_the_prior_stands():
    found = tau()
    assert found.mean() == pytest.approx(0.25 * np.sqrt(2 / np.pi), rel=0.01)  # HalfNormal(0.25)
    assert (found < 0.25).mean() == pytest.approx(0.6827, abs=0.005)


@pytest.mark.slow
@pytest.mark.parametrize("size", [0.05, 0.3, 0.6])
def test_after_very_many_windows_tau_is_the_spread_of_their_errors(size):
    errors = np.random.default_rng(2).normal(0, size, 4000)
    found = tau(*errors, log_sd=1e-3)
    assert found.mean() == pytest.approx(errors.std(), rel=0.02)
    assert found.std() < 0.03 * size


def test_larger_past_errors_say_a_larger_misfit():
    means = [tau(size, -size).mean() for size in (0, 0.05, 0.1, 0.2, 0.4, 0.8)]
    assert (np.diff(means) > 0).all()
    assert means[0] < 0.07
    assert means[-1] > 0.35  # the prior holds half an error of .8 for the model's, not more


def test_errors_that_the_model_announced_leave_little_misfit_and_many_such_less():
    announced = tau(0.05, -0.05, 0.04, log_sd=0.05).mean()
    surprising = tau(0.05, -0.05, 0.04, log_sd=0.001).mean()
    many = tau(*[0.05, -0.05, 0.04] * 3, log_sd=0.05).mean()
    assert many < announced < surprising
    assert many < 0.04


def test_an_error_is_as_bad_upwards_as_downwards():
    np.testing.assert_allclose(tau(0.3, 0.3, draws=1000), tau(-0.3, -0.3, draws=1000))


@pytest.mark.parametrize(
    ("ahead", "said"),
    [(26.0, [0.5, 1.0, 0.5]), (52.0, [0.25, 0.5, 1.0]), (104.0, [0.25, 0.5, 1.0]), (13, [1, 0.5, 0.25])],
)
def test_a_window_says_the_more_the_nearer_its_length_is_to_the_horizon(ahead, said):
    rows = pd.concat([past(0.1, weeks=weeks) for weeks in (13, 26, 52)])
    assert misfit.weights(rows, ahead).tolist() == said


def test_errors_grow_only_beyond_the_longest_length_tested():
    rows = pd.concat([past(0.1, weeks=13), past(0.1, weeks=26)])
    assert [misfit.growth(rows, weeks) for weeks in (4.0, 13.0, 26.0)] == [1.0, 1.0, 1.0]
    assert misfit.growth(rows, 52.0) == pytest.approx(np.sqrt(2))
    assert misfit.growth(past(), 52.0) == misfit.growth(past(), 0.0) == 1.0  # a forecast of no weeks is no test
    near, far = (np.log(misfit.factors(rows, weeks=weeks, draws=5000, seed=1)["purchases"]) for weeks in (26.0, 104.0))
    np.testing.assert_allclose(far, 2 * near)


# --- factors of everybody


def factors(rows: pd.DataFrame, *, draws: int) -> dict[str, np.ndarray]:
    """Return `draws` factors in all."""
    return misfit.factors(rows, weeks=26.0, draws=draws // TILES, seed=1)


def test_there_are_so_many_factors_for_every_draw():
    assert misfit.factors(past(0.3), weeks=26.0, draws=7, seed=1)["purchases"].shape == (7 * TILES,)


def test_without_a_backtest_nothing_is_known():
    assert misfit.factors(None, weeks=26.0, draws=10, seed=1) == {}
    assert misfit.misfit_figures(None, weeks=26.0, seed=1) is None


def test_a_factor_corrects_nothing_and_is_shared_by_purchases_and_value():
    past_errors = pd.concat([past(0.3, 0.3), past(0.6, 0.6, outcome="value")])
    found = {name: np.log(factor) for name, factor in factors(past_errors, draws=FOREVER).items()}
    for log_factor in found.values():
        assert np.median(log_factor) == pytest.approx(0, abs=0.005)  # though all errors were upwards
    assert (np.sign(found["purchases"]) == np.sign(found["value"])).all()
    assert np.corrcoef(found["purchases"], found["value"])[0, 1] > 0.95
    assert found["value"].std() > 1.2 * found["purchases"].std()


def test_a_factor_is_tau_times_luck_that_does_not_depend_on_it():
    z = np.log(factors(past(0.3, -0.1), draws=FOREVER)["purchases"]) / tau(0.3, -0.1)
    assert z.mean() == pytest.approx(0, abs=0.01)
    assert z.std() == pytest.approx(1, abs=0.01)
    assert np.quantile(z, 0.95) == pytest.approx(1.645, abs=0.02)


@pytest.mark.parametrize("errors", [(), (0.3,)])
def test_where_fewer_than_two_windows_speak_luck_has_heavy_tails(errors):
    z = np.log(factors(past(*errors), draws=FOREVER)["purchases"]) / tau(*errors)
    assert np.quantile(z, [0.05, 0.95, 0.99]) == pytest.approx(student.ppf([0.05, 0.95, 0.99], 4), rel=0.03)


def test_the_only_test_there_is_lies_inside_what_it_taught():
    """A shop that brought a third of its forecast in its only test."""
    found = np.quantile(np.log(factors(past(-1.1), draws=FOREVER)["purchases"]), [0.05, 0.95])
    assert found[0] < -1.1 < 1.1 < found[1]


# --- groups beside everybody


def residuals(errors: dict[str, tuple[float, ...]], log_sd: float = 0.1, weeks: int = 26) -> pd.DataFrame:
    """Return windows in which everybody came as forecast and groups did not."""
    base = past(*[0.0] * max(map(len, errors.values())), weeks=weeks)
    parts = [
        past(*found, log_sd=log_sd, weeks=weeks, grouping="rfm_segment", group=name, customers=100)
        for name, found in errors.items()
    ]
    return pd.concat([base, *parts], ignore_index=True)


def of_groups(errors: dict[str, tuple[float, ...]], asked: list[str], ahead: float = 26.0, **more) -> misfit.Residual:
    found = misfit._residuals(residuals(errors, **more), "purchases", "rfm_segment")
    return misfit.residual(found, asked, weeks=ahead)


def predicted(found: misfit.Residual, place: int) -> tuple[float, float]:
    """Return mean and standard deviation of a group's next log factor."""
    mean = found.shift[place]
    spread = (found.variance[place] + (found.mean[place] - mean) ** 2) @ found.probability
    return float(mean), float(np.sqrt(spread))


@pytest.mark.slow
def test_shift_and_spread_are_the_posterior_worked_out_by_quadrature():
    """Two groups of two windows: omega and tau_r integrated, the shifts in closed form by hand."""
    errors, log_sd = {"a": (0.5, 0.3), "b": (-0.2, 0.1)}, 0.1

    def joint(tau_r: float, omega: float) -> float:
        chance = np.exp(-0.5 * (omega**2 + tau_r**2) / 0.3**2)
        for pair in errors.values():
            covariance = omega**2 + (log_sd**2 + tau_r**2) * np.eye(2)
            chance *= np.exp(-0.5 * np.array(pair) @ np.linalg.solve(covariance, pair))
            chance /= np.sqrt(np.linalg.det(covariance))
        return float(chance)

    def shift(tau_r: float, omega: float) -> float:
        return float(omega**2 * sum(errors["a"]) / (log_sd**2 + tau_r**2 + 2 * omega**2) * joint(tau_r, omega))

    mass = dblquad(joint, 0, 1.5, 0, 1.5, epsabs=1e-6)[0]
    found = of_groups(errors, ["a", "b"], log_sd=log_sd)
    assert found.shift[0] == pytest.approx(dblquad(shift, 0, 1.5, 0, 1.5, epsabs=1e-6)[0] / mass, rel=0.02)
    assert found.probability.sum() == pytest.approx(1.0)


def test_a_group_that_is_off_by_the_same_again_and_again_is_moved_by_it_and_no_wider():
    found = of_groups({"a": (0.4,) * 200, "b": (-0.4,) * 200}, ["a", "b"], log_sd=0.01)
    assert found.shift == pytest.approx([0.4, -0.4], abs=0.01)
    assert predicted(found, 0)[1] < 0.02


def test_a_group_that_is_off_by_luck_each_time_is_widened_and_not_moved():
    errors = np.random.default_rng(3).normal(0, 0.4, (2, 300))
    found = of_groups({"a": tuple(errors[0]), "b": tuple(errors[1])}, ["a", "b"], log_sd=0.01)
    assert found.shift == pytest.approx([0, 0], abs=0.05)
    assert predicted(found, 0)[1] == pytest.approx(0.4, rel=0.05)


def test_one_window_moves_a_group_part_of_the_way_and_a_group_never_seen_not_at_all():
    found = of_groups({"a": (0.5,), "b": (-0.4,), "c": (-0.1,)}, ["a", "new"])
    assert 0.15 < found.shift[0] < 0.45
    assert found.shift[1] == 0
    assert predicted(found, 1)[1] > predicted(found, 0)[1]


def test_groups_that_always_went_with_everybody_need_next_to_nothing():
    found = of_groups({name: (0.0,) * 40 for name in "abc"}, ["a", "new"], log_sd=0.01)
    assert predicted(found, 0)[1] < 0.02
    assert predicted(found, 1)[1] < 0.05


def test_without_a_past_groups_have_the_prior():
    found = misfit.residual(misfit._residuals(past(), "purchases", "rfm_segment"), ["a"], weeks=26.0)
    mean, spread = predicted(found, 0)
    assert mean == 0
    assert spread == pytest.approx(0.3 * np.sqrt(2), rel=0.02)  # two HalfNormal(0.3): each has the square .3^2


def test_what_everybody_was_off_by_is_no_residual_of_a_group():
    rows = residuals({"a": (0.4, 0.4), "b": (-0.4, -0.4)})
    moved = rows.assign(log_error=rows["log_error"] + 0.7)
    np.testing.assert_allclose(
        misfit._residuals(moved, "purchases", "rfm_segment")["residual"], [0.4, 0.4, -0.4, -0.4], atol=1e-12
    )


def test_small_groups_teach_nothing():
    rows = residuals({"a": (0.4, 0.4), "b": (-0.4, -0.4)})
    rows.loc[rows["group"] == "b", "customers"] = 19
    assert misfit._residuals(rows, "purchases", "rfm_segment")["group"].unique().tolist() == ["a"]


def test_groups_are_drawn_as_their_grid_says():
    found = of_groups({"a": (0.5, 0.3), "b": (-0.2, 0.1)}, ["a", "b"])
    for place, drawn in enumerate(found.draws(FOREVER, np.random.default_rng(1))):
        assert (drawn.mean(), drawn.std()) == pytest.approx(predicted(found, place), abs=0.005)


# --- wider totals


def totals(draws: int = 4000) -> SimpleNamespace:
    """Return joint draws of everybody and of two groups that make them up."""
    rng = np.random.default_rng(3)
    groups = rng.normal([300.0, 700.0], [15.0, 25.0], (draws, 2))
    value = np.column_stack([groups.sum(axis=1), groups])
    return SimpleNamespace(value=value, purchases=value / 10)


GROUPS = pd.DataFrame(
    {
        "grouping": ["base", "rfm_segment", "rfm_segment"],
        "group": ["all customers", "few", "many"],
        "expected_purchases": [100.0, 30.0, 70.0],
        "clv_mean": [1000.0, 300.0, 700.0],
    }
)


def both(rows: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([rows, rows.assign(outcome="value")])


def widened(rows: pd.DataFrame | None, ahead: float = 26.0) -> pd.DataFrame:
    return misfit.widened(GROUPS, totals(), rows, weeks=ahead, interval=0.9, seed=1)


def half_width(table: pd.DataFrame) -> np.ndarray:
    return np.log(table["clv_upper_with_misfit"] / table["clv_lower_with_misfit"]).to_numpy() / 2


def test_an_interval_widens_with_past_errors_and_never_narrows():
    own = np.quantile(totals().value, [0.05, 0.95], axis=0)
    none, small, large = (half_width(widened(both(past(error, -error)))) for error in (0.0, 0.15, 0.5))
    assert (np.log(own[1] / own[0]) / 2 < none).all()
    assert none[0] < small[0] < large[0]
    # By hand: tau and luck of .03 give 1.645 x tau if tau were known; its own doubt adds a little.
    assert large[0] == pytest.approx(1.645 * tau(0.5, -0.5).mean(), rel=0.15)


def test_ever_more_past_forecasts_without_an_error_leave_the_models_own_interval():
    rows = residuals({"few": (0.0,) * 200, "many": (0.0,) * 200}, log_sd=0.001)
    own = np.quantile(totals().value, [0.05, 0.95], axis=0)
    found = half_width(widened(both(rows.assign(log_sd=0.001))))
    np.testing.assert_allclose(found, np.log(own[1] / own[0]) / 2, rtol=0.03)


OWN = dict.fromkeys(("clv_lower", "clv_upper", "purchases_lower", "purchases_upper"), 1.0)


def test_groups_are_moved_and_still_add_up_to_everybody_who_is_not():
    rows = both(residuals({"few": (0.6,) * 20, "many": (-0.3,) * 20}, log_sd=0.02))
    table = widened(rows)
    for mean in ("clv_mean", "expected_purchases"):
        everybody, few, many = table[f"{mean}_with_misfit"]
        assert everybody == GROUPS[mean][0]
        assert few + many == pytest.approx(everybody)
        assert few / many == pytest.approx(3 / 7 * np.exp(0.9), rel=0.05)
    assert (table["clv_mean"] == GROUPS["clv_mean"]).all()  # the model's own stays beside it
    inside = table["clv_mean_with_misfit"].between(table["clv_lower_with_misfit"], table["clv_upper_with_misfit"])
    assert inside.all()
    # Readers are shown the moved means, and shares that belong to them.
    given = table.assign(clv_per_customer=table["clv_mean"] / 10, share_of_value=table["clv_mean"] / 1000, **OWN)
    shown = as_shown(given)
    assert (shown["clv_lower"] == table["clv_lower_with_misfit"]).all()
    assert (shown["clv_lower_if_model_right"] == 1).all()
    assert (shown["clv_mean_if_model_right"] == table["clv_mean"]).all()
    np.testing.assert_allclose(shown["clv_mean"], table["clv_mean_with_misfit"])
    np.testing.assert_allclose(shown["share_of_value"][1:].sum(), 1)
    np.testing.assert_allclose(shown["clv_per_customer"], shown["clv_mean"] / 10)


def test_everybody_by_another_name_is_treated_as_everybody():
    """A grouping with one group: a base of one cohort."""
    one = GROUPS.assign(grouping=["base", "cohort", "rfm_segment"])
    table = misfit.widened(one, totals(), both(past(0.3, -0.2)), weeks=26.0, interval=0.9, seed=1)
    assert half_width(table)[1] < 1.2 * half_width(table)[0]
    assert table["clv_mean_with_misfit"].tolist() == pytest.approx([1000, 300, 700])


def test_a_group_has_its_own_luck_beside_that_of_everybody():
    rows = both(residuals({"few": (0.3, -0.3) * 20, "many": (-0.3, 0.3) * 20}))
    everybody, few, many = half_width(widened(rows))
    assert everybody < 0.1  # who always came as forecast
    assert few == pytest.approx(1.645 * 0.3, rel=0.15)
    assert many == pytest.approx(few, rel=0.1)


def test_a_table_of_groups_may_stand_in_any_order_and_lack_some():
    """The index says where a group stands in the totals."""
    rows = both(residuals({"few": (0.2, 0.3), "many": (-0.2, 0.1)}))
    turned = misfit.widened(GROUPS.iloc[[2, 1]], totals(), rows, weeks=26.0, interval=0.9, seed=1)
    assert turned.index.tolist() == [2, 1]
    np.testing.assert_allclose(
        turned.loc[2, "clv_upper_with_misfit"], widened(rows).loc[2, "clv_upper_with_misfit"], rtol=0.05
    )


def test_limits_are_quantiles_of_every_draw_times_each_of_its_factors():
    draws = totals(40).value[:, 0]
    factor = np.random.default_rng(4).lognormal(0, 0.3, 3 * 40)
    every = [draws[i % 40] * factor[i] for i in range(120)]
    found = misfit.limits_with(draws, factor, interval=0.8)
    np.testing.assert_allclose(found, np.quantile(every, [0.1, 0.9]))
    # Not those of one factor per draw, nor of factors that stay with one draw.
    assert not np.allclose(found, np.quantile(draws * factor[:40], [0.1, 0.9]), rtol=1e-3)
    assert not np.allclose(found, np.quantile(np.repeat(draws, 3) * factor, [0.1, 0.9]), 1e-6)


def test_many_factors_per_draw_make_limits_depend_far_less_on_the_seed():
    rows, draws = past(0.3, -0.2), totals(1000).value[:, 0]

    def spread(tiles: int) -> np.ndarray:
        found = [
            misfit.factors(rows, weeks=26.0, draws=1000, seed=seed)["purchases"][: tiles * 1000] for seed in range(24)
        ]
        return np.std([np.log(misfit.limits_with(draws, each, interval=0.9)) for each in found], axis=0)

    one, all_of_them = spread(1), spread(TILES)
    assert (all_of_them < one / 2.5).all()  # less than a quarter, were it luck alone
    assert (all_of_them < 0.012).all()
    assert (one > 0.015).all()


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
    table = widened(None)
    wider = [name for name in table if name.endswith("_with_misfit")]
    assert wider == [name for name in SEGMENTS.columns if name.endswith("_with_misfit")]
    assert table[wider].isna().all(axis=None)
    assert set(table[wider].dtypes.astype(str)) == {"float64"}
    draws = pd.DataFrame({"draw": [0, 1], "value": [100.0, 200.0], "purchases": [10.0, 20.0]})
    assert misfit.with_misfit(draws, {}).filter(like="_with_misfit").isna().all(axis=None)
    untested = table.assign(clv_per_customer=1.0, share_of_value=0.5, **OWN)
    pd.testing.assert_frame_equal(
        as_shown(untested)[list(untested)], untested
    )  # then the model's own figures are shown


# --- what the report is told


def test_the_report_is_told_tau_and_from_which_tests():
    rows = both(pd.concat([past(0.3, -0.2), past(0.1, weeks=13)]))
    figures = misfit.misfit_figures(rows, weeks=52.0, seed=1)
    assert (figures["horizon_weeks"], figures["shortest_weeks"], figures["n_windows"]) == (26, 13, 3)
    assert figures["growth"] == pytest.approx(np.sqrt(2))
    expected = misfit.tau(rows[rows["outcome"] == "value"], weeks=52.0, draws=FOREVER, seed=2)
    assert figures["tau"] == pytest.approx(dict.fromkeys(("purchases", "value"), expected.mean()), rel=0.03)
    assert figures["tau_range"]["value"] == pytest.approx(np.quantile(expected, [0.05, 0.95]), rel=0.06)


# --- worlds that are not the model's


def world(**changed: float) -> dict[str, float]:
    held = {"coverage": 0.6, "coverage_with_misfit": 0.92, "segment_coverage_with_misfit": 0.9}
    return {"data_sets": 200} | held | changed


GOOD = {"own": world(coverage=0.91), "pareto": world(coverage=0.8), "seasonal": world(), "drifting": world()}


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("seasonal", {"coverage_with_misfit": 0.84}),  # the wider interval fails
        ("own", {"coverage_with_misfit": 0.84}),
        ("pareto", {"segment_coverage_with_misfit": 0.8}),
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
    found = found.assign(segments=[4, 6], segments_inside=[1, 3], segments_inside_with_misfit=[4, 5])
    table = simulation.judged(found)
    assert (table["coverage"], table["coverage_with_misfit"]) == (0.5, 1.0)
    assert (table["segment_coverage"], table["segment_coverage_with_misfit"]) == (0.4, 0.9)
    assert (table["missed_below"], table["missed_above"]) == (0.0, 0.5)
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
