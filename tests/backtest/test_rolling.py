"""What origins promise: a forecast sees nothing after its origin, and a posterior that fails loses its windows."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from forecasts import histories

from clv import tables
from clv.backtest import holdout, summary
from clv.backtest import rolling as backtest_rolling
from clv.backtest.holdout import Scored
from clv.backtest.rolling import Fits, Windows
from clv.backtest.tables import WINDOW_GROUPS, WINDOWS
from clv.forecast.horizon import yearly_horizon
from clv.models import draws as models_draws
from clv.models import sampling
from clv.models.sampling import AUTO, LAPLACE, NUTS, Compiled, Settings
from clv.rfm.tables import ROLLING
from clv.run.folder import Run
from clv.transactions.generate import Truth

pytestmark = pytest.mark.slow  # loads PyMC

TRUTH = Truth(r=0.8, alpha_weeks=8.0, a=0.8, b=4.0, p=5.0, q=4.0, v=24.0)
SETTINGS = Settings(chains=2, draws=600, tune=1, seed=1, workers=1, method=AUTO)
EARLY, LATE = pd.Timestamp("2024-07-01"), pd.Timestamp("2024-09-30")
OPTIONS = {"draws": 200, "interval": 0.9, "seed": 1, "workers": 1}
RATES = {"discount_rate_annual": 0.1, "gross_margin": 0.5}


def window(origin: pd.Timestamp, weeks: int, seed: int, customers: int) -> pd.DataFrame:
    """Return customers of the truth as they stand at an origin, and what they do in the weeks after it."""
    rng = np.random.default_rng(seed)
    discount = yearly_horizon(weeks, **RATES).discount_weekly
    known = histories(TRUTH, customers, rng.uniform(1, 60, customers), weeks, discount, rng)
    spent = (1 + known["frequency"]) * known["monetary_value"]
    came = {"future_purchases": "actual_purchases", "future_value": "actual_value"}
    known = known.rename(columns=came).assign(horizon_weeks=weeks, origin=origin, revenue=spent)
    return known.assign(actual_value=0.5 * known["actual_value"])[list(ROLLING.columns)]


@pytest.fixture(scope="module")
def rolling() -> pd.DataFrame:
    """Two quarters, and half a year from the first origin: its customers are those of the quarter."""
    early, late = window(EARLY, 13, 1, 500), window(LATE, 13, 2, 600)
    longer = early.assign(horizon_weeks=26, actual_purchases=2 * early["actual_purchases"])
    return tables.check(ROLLING, pd.concat([early, late, longer], ignore_index=True))


@pytest.fixture(scope="module")
def compiled(rolling) -> list[Compiled]:
    """Both models, compiled once for all tests."""
    from clv.models import bgnbd_pymc, gamma_gamma_pymc

    return [Compiled(module.model(rolling)) for module in (bgnbd_pymc, gamma_gamma_pymc)]


@pytest.fixture(scope="module")
def fits(compiled, rolling) -> list[Fits]:
    return [backtest_rolling.fit_windows(model, rolling, SETTINGS) for model in compiled]


@pytest.fixture(scope="module")
def scored(rolling, fits) -> Windows:
    return backtest_rolling.score_windows(rolling, *(found.draws for found in fits), **RATES, **OPTIONS)


@pytest.fixture(scope="module")
def windows(scored) -> pd.DataFrame:
    return scored.totals


def of(windows: pd.DataFrame, weeks: int, origin: pd.Timestamp, outcome: str = "purchases") -> pd.Series:
    rows = windows.set_index(["horizon_weeks", "origin", "outcome"])
    return rows.loc[(weeks, origin, outcome)]


def test_every_origin_is_fitted_once_whatever_the_number_of_its_windows(fits):
    for found, names in zip(fits, ({"r", "alpha", "a", "b"}, {"p", "q", "v", "p_first", "first_ratio"}), strict=True):
        posterior = found.draws["posterior"].to_dataset()
        assert dict(posterior.sizes) == {"origin": 2, "chain": 2, "draw": 600}
        assert set(posterior.data_vars) == names
        assert (
            posterior["origin"].to_numpy().tolist() == pd.DatetimeIndex([EARLY, LATE]).as_unit("ns").to_numpy().tolist()
        )
        assert (found.draws["sample_stats"]["k_hat"] < 0.7).all()  # left to the project it is importance sampling
        assert found.refused == {}


def test_an_origins_draws_are_those_of_its_customers_alone_each_counted_once(compiled, rolling, fits):
    settings = replace(SETTINGS, method=LAPLACE)
    drawn = fits[0].draws["posterior"]
    for origin, other in ((EARLY, LATE), (LATE, EARLY)):
        # The early origin has two windows of the same customers.
        customers = rolling[(rolling["origin"] == origin) & (rolling["horizon_weeks"] == 13)]
        alone = sampling.sample(compiled[0], customers, settings)["posterior"]
        for name in ("r", "alpha", "a", "b"):
            np.testing.assert_array_equal(drawn[name].sel(origin=origin), alone[name])
            assert not np.array_equal(drawn[name].sel(origin=other), alone[name])


def test_every_window_is_held_against_what_came(rolling, windows):
    assert windows[["horizon_weeks", "outcome"]].value_counts().to_dict() == {
        (13, "purchases"): 2, (13, "value"): 2, (26, "purchases"): 1, (26, "value"): 1
    }  # fmt: skip
    for (weeks, origin), rows in rolling.groupby(["horizon_weeks", "origin"]):
        for outcome in ("purchases", "value"):
            found = of(windows, weeks, origin, outcome)
            assert found["actual"] == pytest.approx(rows[f"actual_{outcome}"].sum())
            assert found["customers"] == len(rows)
            assert found["repeat_customers"] == (rows["frequency"] > 0).sum()
            assert found["lower"] < found["forecast"] < found["upper"]


def test_the_forecast_is_that_of_the_backtest_with_the_origins_own_draws(rolling, fits, windows):
    late = rolling[rolling["origin"] == LATE]
    own = [
        xr.DataTree.from_dict({"posterior": found.draws["posterior"].to_dataset().sel(origin=LATE)}) for found in fits
    ]
    horizon = yearly_horizon(13, **RATES)
    options = {"origin": date(2024, 9, 30), "interval": 0.9, "seed": 1, "workers": 1}
    scored = holdout.score(late, late, models_draws.pair(*own, 200), horizon, mean_draws=100, **options)
    assert scored.groups["value_lower_with_misfit"].isna().all()  # without a past no allowance
    for outcome in ("purchases", "value"):
        found, expected = of(windows, 13, LATE, outcome), scored.total
        for name in ("actual", "forecast", "lower", "upper", "log_sd"):
            assert found[name] == pytest.approx(expected[f"{outcome}_{name}"])
        every = holdout.score(late, late, models_draws.pair(*own, 200), horizon, **options).total
        assert found["forecast"] == pytest.approx(every[f"{outcome}_forecast"], rel=0.005)


def test_a_true_model_is_not_surprised_by_the_weeks_it_was_made_for(windows):
    quarters = windows[windows["horizon_weeks"] == 13]
    surprise = np.log(quarters["actual"] / quarters["forecast"]) / quarters["log_sd"]
    assert (surprise.abs() < 3).all()
    doubled = of(windows, 26, EARLY)  # the quarter's outcomes counted twice are no half year's
    assert np.log(doubled["actual"] / doubled["forecast"]) > 0


@pytest.mark.slow
def test_nothing_after_an_origin_changes_its_fit_or_its_forecast(compiled, rolling, fits, windows):
    later = rolling.assign(actual_purchases=3 * rolling["actual_purchases"] + 1, actual_value=7.0)
    again = [backtest_rolling.fit_windows(model, later, SETTINGS) for model in compiled]
    for before, after in zip(fits, again, strict=True):
        xr.testing.assert_identical(before.draws, after.draws)
    found = backtest_rolling.score_windows(later, *(part.draws for part in again), **RATES, **OPTIONS).totals
    blind = [
        "horizon_weeks",
        "origin",
        "outcome",
        "customers",
        "repeat_customers",
        "forecast",
        "lower",
        "upper",
        "log_sd",
    ]
    pd.testing.assert_frame_equal(found[blind], windows[blind])
    assert (found["actual"] != windows["actual"]).all()  # and what came did change


def test_what_was_known_does_change_the_fit(compiled, rolling, fits):
    """Negative control of the test above."""
    busier = rolling.assign(frequency=rolling["frequency"] + (rolling["recency"] > 0))
    before, after = (
        draws["posterior"]
        for draws in (fits[0].draws, backtest_rolling.fit_windows(compiled[0], busier, SETTINGS).draws)
    )
    rate = [(draws["r"] / draws["alpha"]).mean(("chain", "draw")) for draws in (before, after)]
    assert (rate[1] > 1.1 * rate[0]).all()


@pytest.mark.slow
def test_without_a_spend_model_only_purchases_are_tested(rolling, fits, windows):
    both = backtest_rolling.score_windows(rolling, fits[0].draws, None, **OPTIONS)
    found = both.totals
    assert set(found["outcome"]) == set(both.groups["outcome"]) == {"purchases"}
    counted = windows[windows["outcome"] == "purchases"].reset_index(drop=True)
    pd.testing.assert_series_equal(found["lower"], counted["lower"])


def test_the_method_of_a_run_is_kept_unless_it_is_left_to_the_project(compiled, rolling, monkeypatch):
    asked = []
    monkeypatch.setattr(sampling, "sample_parts", lambda _, parts, settings: asked.append(settings) or {})
    for method in (AUTO, LAPLACE, NUTS):
        backtest_rolling.fit_windows(compiled[0], rolling, replace(SETTINGS, method=method))
    assert [settings.method for settings in asked] == [LAPLACE, LAPLACE, NUTS]


# --- what a window's intervals are learnt from


def test_a_window_learns_from_those_that_were_over_when_it_began(scored, windows):
    """The late quarter begins on the day on which the early one ends; half a year from the early origin is not over."""
    earlier = windows.set_index(["horizon_weeks", "origin"])["earlier_windows"].groupby(level=[0, 1]).first()
    assert earlier.to_dict() == {(13, EARLY): 0, (13, LATE): 1, (26, EARLY): 0}
    over = backtest_rolling.ended_by(scored.groups, LATE)
    assert backtest_rolling.windows_of(over).to_numpy().tolist() == [[13, EARLY]]
    assert backtest_rolling.ended_by(scored.groups, LATE - pd.Timedelta(days=1)).empty


@pytest.mark.slow
def test_what_came_in_a_window_moves_later_intervals_and_never_its_own(rolling, fits, windows):
    early = rolling["origin"] == EARLY
    worse = rolling.assign(actual_purchases=rolling["actual_purchases"].where(~early, 0))
    found = backtest_rolling.score_windows(worse, *(part.draws for part in fits), **RATES, **OPTIONS).totals
    limits = ["lower_with_misfit", "upper_with_misfit"]
    own, before = of(found, 13, EARLY)[limits].tolist(), of(windows, 13, EARLY)[limits].tolist()
    assert own == before
    later, after = of(found, 13, LATE)[limits], of(windows, 13, LATE)[limits]
    assert later["upper_with_misfit"] > 1.5 * after["upper_with_misfit"]


def test_windows_by_group_add_up_to_everybody(rolling, scored):
    quarter = scored.groups[(scored.groups["horizon_weeks"] == 13) & (scored.groups["origin"] == LATE)]
    assert set(quarter["grouping"]) == {"base", "history", "rfm_segment", "cohort", "value_tier"}
    sums = quarter.groupby(["outcome", "grouping"])[["customers", "actual", "forecast", "forecast_with_misfit"]].sum()
    for outcome in ("purchases", "value"):
        for grouping in ("history", "rfm_segment", "cohort", "value_tier"):
            np.testing.assert_allclose(sums.loc[(outcome, grouping)], sums.loc[(outcome, "base")])
    everybody = quarter[quarter["grouping"] == "base"].set_index("outcome")
    assert (everybody["forecast_with_misfit"] == everybody["forecast"]).all()
    late = rolling[rolling["origin"] == LATE]
    months = (LATE - pd.to_timedelta((late["T"] * 7).round(), unit="D")).dt.strftime("%Y-%m").value_counts()
    cohorts = quarter[(quarter["grouping"] == "cohort") & (quarter["outcome"] == "value")]
    assert cohorts.set_index("group")["customers"].to_dict() == months.to_dict()


def held_at(rolling: pd.DataFrame, fits: list[Fits], origin: pd.Timestamp) -> Scored:
    own = [
        xr.DataTree.from_dict({"posterior": found.draws["posterior"].to_dataset().sel(origin=origin)}) for found in fits
    ]
    rows = rolling[rolling["origin"] == origin].drop_duplicates("customer_id")
    joint, options = models_draws.pair(*own, 50), {"interval": 0.9, "seed": 1, "workers": 1}
    return holdout.score(rows, rows, joint, yearly_horizon(30, **RATES), origin=origin.date(), **options)


def test_the_test_at_the_calibration_end_counts_where_it_looked_further_than_any_window(rolling, fits, scored):
    tested = held_at(rolling, fits, EARLY)
    longest = backtest_rolling.evidence(scored.groups, tested, 30.0)
    assert backtest_rolling.windows_of(longest)["horizon_weeks"].tolist() == [13, 26, 13, 30]
    added = longest[(longest["horizon_weeks"] == 30) & (longest["grouping"] == "base")].set_index("outcome")
    assert added.loc["value", "log_error"] == tested.total["value_log_error"]
    assert backtest_rolling.evidence(scored.groups, tested, 26.0) is scored.groups
    # Without any window it stands alone, without a backtest nothing does.
    alone = backtest_rolling.evidence(tables.empty(WINDOW_GROUPS), tested, 30.0)
    assert backtest_rolling.windows_of(alone)["horizon_weeks"].tolist() == [30]
    untested = holdout.Scored(tested.customers.head(0), tested.groups, tested.totals)
    assert backtest_rolling.evidence(scored.groups, untested, 0.0) is None


# --- a posterior that the gate refuses


@pytest.fixture
def spoilt(compiled, rolling, monkeypatch) -> Fits:
    """Purchase fits of which the early one has draws that are no numbers."""
    honest = sampling.sample_parts

    def sample_parts(*given) -> dict[str, xr.DataTree]:
        found = honest(*given)
        found["2024-07-01"]["posterior"]["r"][0, 0] = np.nan
        return found

    monkeypatch.setattr(sampling, "sample_parts", sample_parts)
    return backtest_rolling.fit_windows(compiled[0], rolling, SETTINGS)


def test_a_posterior_that_fails_the_gate_is_left_out_with_the_gates_sentence(spoilt):
    assert list(spoilt.refused) == ["2024-07-01"]
    assert "finite" in spoilt.refused["2024-07-01"]
    assert pd.DatetimeIndex(spoilt.draws["posterior"]["origin"]).tolist() == [LATE]


@pytest.mark.slow
def test_windows_of_a_refused_origin_are_not_tested(spoilt, rolling, fits, windows):
    found = backtest_rolling.score_windows(rolling, spoilt.draws, fits[1].draws, **RATES, **OPTIONS).totals
    kept = windows[windows["origin"] == LATE].reset_index(drop=True)
    learnt = ["lower_with_misfit", "upper_with_misfit", "earlier_windows"]
    pd.testing.assert_frame_equal(found.drop(columns=learnt), kept.drop(columns=learnt))
    assert (found["earlier_windows"] == 0).all()  # nor does anybody learn from them
    # It does not matter which of the two models failed, and the report is told how many are missing.
    other = backtest_rolling.score_windows(rolling, fits[0].draws, _only(fits[1].draws, LATE), **RATES, **OPTIONS)
    pd.testing.assert_frame_equal(found, other.totals)
    assert summary.past(found, other.groups, rolling, customers=600)["windows_left_out"] == 2


def _only(draws: xr.DataTree, origin: pd.Timestamp) -> xr.DataTree:
    return xr.DataTree.from_dict({"posterior": draws["posterior"].to_dataset().sel(origin=[origin])})


@pytest.mark.parametrize(("infinite", "refused"), [(599, []), (600, ["2024-07-01"])])
def test_spend_without_a_mean_in_half_of_the_draws_is_refused(compiled, rolling, monkeypatch, infinite, refused):
    honest = sampling.sample_parts

    def sample_parts(*given) -> dict[str, xr.DataTree]:
        found = honest(*given)
        found["2024-07-01"]["posterior"]["q"].to_numpy().reshape(-1)[:infinite] = 1.0  # of 1,200
        return found

    monkeypatch.setattr(sampling, "sample_parts", sample_parts)
    found = backtest_rolling.fit_windows(compiled[1], rolling, SETTINGS)
    assert list(found.refused) == refused
    assert all("infinite (q <= 1) with probability 50.00%" in sentence for sentence in found.refused.values())
    kept = [LATE] if refused else [EARLY, LATE]
    assert pd.DatetimeIndex(found.draws["posterior"]["origin"]).tolist() == kept


# --- no past windows


def test_without_windows_there_are_empty_tables(compiled):
    nothing = tables.empty(ROLLING)
    fits = [backtest_rolling.fit_windows(model, nothing, SETTINGS) for model in compiled]
    assert [found.refused for found in fits] == [{}, {}]
    assert fits[0].draws["posterior"].sizes == {"origin": 0, "chain": 2, "draw": 600}
    found = backtest_rolling.score_windows(nothing, *(part.draws for part in fits), **OPTIONS)
    assert found.totals.empty
    tables.check(WINDOWS, found.totals)
    tables.check(WINDOW_GROUPS, found.groups)
    none = {"horizons": [], "groupings": {"purchases": {}, "value": {}}, "windows_left_out": 0, "sample_of": None}
    assert summary.past(found.totals, found.groups, nothing, customers=600) == none


@pytest.mark.slow
@pytest.mark.usefixtures("outputs")
@pytest.mark.parametrize("rows", ["all", "none"])
def test_posteriors_of_origins_come_back_as_they_were_written(compiled, rolling, fits, rows):
    written = (
        fits[0].draws if rows == "all" else backtest_rolling.fit_windows(compiled[0], rolling.head(0), SETTINGS).draws
    )
    run = Run("test")
    run.write_posterior("bgnbd_origins", written)
    read = run.read_posterior("bgnbd_origins")
    xr.testing.assert_equal(read, written)
    late = rolling[rolling["origin"] == LATE]
    again = backtest_rolling.score_windows(late, read, None, **OPTIONS).totals
    pd.testing.assert_frame_equal(again, backtest_rolling.score_windows(late, written, None, **OPTIONS).totals)
    assert again.empty == (rows == "none")
