"""What mbgnbd promises: BG/NBD in which the first purchase may be the last, against papers, stories and itself."""

import numpy as np
import pandas as pd
import pytest
from forecasts import customers, fixed_draws, formulas_tell, futures, standard_errors
from helpers import cdnow

from clv.decisions import uplift
from clv.decisions.tables import RATE, SURVIVAL
from clv.decisions.uplift import Effect
from clv.errors import InputError
from clv.forecast.horizon import Groups, Horizon
from clv.models.base import NEW_CUSTOMER, History, new_customers
from clv.models.draws import Draws
from clv.models.mbgnbd import MBGNBD
from clv.models.registry import purchase_model
from clv.rfm import customers as rfm_customers


class PlainMBGNBD(MBGNBD):
    """On exact times, as it is published and as the lives below are told."""

    days = 0


MODEL = PlainMBGNBD()
PUBLISHED = np.array([one.published for one in MODEL.parameters])
STORY = np.array([0.9, 6.0, 0.9, 2.0])
AGE, WEEKS, DISCOUNT = 12.0, 10.0, 0.01


def lives(n: int, r: float, alpha: float, a: float, b: float, *, age, weeks: float, seed: int) -> pd.DataFrame:
    """Tell `n` lives event by event, the first purchase a chance to leave like all others: history and future."""
    rng, age = np.random.default_rng(seed), np.broadcast_to(age, n)
    rate, leave = rng.gamma(r, 1 / alpha, n), rng.beta(a, b, n)
    told = pd.DataFrame(
        {"frequency": np.zeros(n, int), "recency": 0.0, "T": age, "alive": True, "later": 0, "worth": 0.0}
    )
    columns = {name: told[name].to_numpy().copy() for name in told}
    here, clock = rng.random(n) >= leave, np.zeros(n)
    columns["alive"][~here] = False
    while here.any():
        clock[here] += rng.exponential(size=here.sum()) / rate[here]
        here &= clock <= age + weeks
        past, then = here & (clock <= age), here & (clock > age)
        columns["frequency"][past] += 1
        columns["recency"][past] = clock[past]
        columns["later"][then] += 1
        columns["worth"][then] += np.exp(-DISCOUNT * (clock[then] - age[then]))
        left = here & (rng.random(n) < leave)
        columns["alive"][left & past] = False
        here &= ~left
    return pd.DataFrame(columns)


@pytest.fixture(scope="module")
def told() -> pd.DataFrame:
    return lives(200_000, *STORY, age=AGE, weeks=WEEKS, seed=5)


@pytest.mark.parametrize(("x", "low", "high"), [(0, 0, 12), (1, 0, 4), (1, 9, 12), (2, 3, 6), (3, 10, 12), (6, 6, 11)])
def test_formulas_tell_the_future_of_customers_simulated_event_by_event(told, x, low, high):
    alike = told[(told["frequency"] == x) & told["recency"].between(low, high)]
    assert len(alike) > 500
    formulas_tell(alike, MODEL, STORY, weeks=WEEKS, discount=DISCOUNT)


def test_the_brute_force_notices_who_takes_it_for_bgnbd(told):
    bgnbd, once = purchase_model("bgnbd_plain"), told[told["frequency"] == 0]
    assert once["alive"].mean() < 0.8  # where BG/NBD says 1
    again = told[told["frequency"] == 2]
    assert standard_errors(again["alive"], bgnbd.p_alive(History.of(again), STORY)) > 8
    assert standard_errors(told["frequency"], new_customers(bgnbd, np.array([AGE]), STORY)[0]) > 8


def test_the_share_of_customers_with_a_history_is_its_likelihood(told):
    once = (told["frequency"] == 0).to_numpy()
    never = np.exp(MODEL.log_likelihood(History(0.0, 0.0, AGE), STORY))
    assert standard_errors(once, never) < 4
    assert standard_errors(told["frequency"], new_customers(MODEL, np.array([AGE]), STORY)[0]) < 4


def test_simulated_futures_have_the_means_of_the_closed_forms():
    base = customers((0, 0.0, 30.0, 0.0), (0, 0.0, 0.0, 0.0), (1, 6.0, 30.0, 5.0), (4, 25.0, 30.0, 5.0))
    draws = Draws(MODEL, np.tile(PUBLISHED, (60_000, 1)), fixed_draws(60_000, r=1, alpha=1, a=1, b=1).phi)
    counts, _, _ = futures(base, draws, Horizon(52.0), seed=3)
    history = History.of(base)
    expected = MODEL.if_alive(52.0, history, PUBLISHED, discount=0.0)[0] * MODEL.p_alive(history, PUBLISHED)
    for one, mean in zip(counts, expected, strict=True):
        assert standard_errors(one, mean) < 4
    silent = 1 - MODEL.p_alive(NEW_CUSTOMER, PUBLISHED) * (1 - MODEL.p_silent(52.0, NEW_CUSTOMER, PUBLISHED))
    assert standard_errors(counts[1] == 0, silent) < 4


@pytest.mark.parametrize(("kind", "size"), [(RATE, 0.3), (SURVIVAL, 0.3)])
def test_simulated_gains_of_a_contact_have_the_mean_of_the_closed_form(kind, size):
    base = customers((0, 0.0, 20.0, 0.0), (3, 12.0, 30.0, 25.0), (12, 50.0, 52.0, 8.0))
    draws = Draws(
        MODEL, np.tile(PUBLISHED, (40_000, 1)), fixed_draws(40_000, r=1, alpha=1, a=1, b=1, p=6, q=4, v=15).phi
    )
    effect, each = Effect(kind, size, 0.0), Groups(np.arange(3)[:, None], 3)
    gains = uplift.realised_gains(base, draws, Horizon(52.0, DISCOUNT), effect, np.full(40_000, size), each, seed=1)
    expected = uplift.expected_gains(base, draws.thinned(1), Horizon(52.0, DISCOUNT), effect, np.array([size]))
    for one, mean in zip(gains.T, expected[:, 0], strict=True):
        assert standard_errors(one, mean) < 4


def test_cdnow_is_as_published():
    from datetime import date

    shop = cdnow()
    base = rfm_customers.summarise(shop, "transactions", period_end=date(1997, 9, 30))
    history = History.of(base)
    assert MODEL.log_likelihood(history, PUBLISHED).sum() == pytest.approx(-9582.14, abs=0.01)
    forecast = MODEL.if_alive(39.0, history, PUBLISHED, discount=0.0)[0] * MODEL.p_alive(history, PUBLISHED)
    assert forecast.sum() == pytest.approx(1576.7, abs=1.0)
    around = [MODEL.log_likelihood(history, PUBLISHED * np.exp(step)).sum() for step in 0.1 * np.eye(4)]
    assert max(around) < -9582.14  # and it is a maximum


def test_a_posterior_of_another_model_is_refused():
    import xarray as xr

    other = xr.DataTree.from_dict({"posterior": xr.Dataset(attrs={"model": "bgnbd"})})
    with pytest.raises(
        InputError, match="is one of BG/NBD, and purchase_model asks for MBG/NBD: run notebook 03 again"
    ):
        purchase_model("mbgnbd", other)
    with pytest.raises(InputError, match="names the model None; known are bgnbd, mbgnbd"):
        purchase_model("mbgnbd", xr.DataTree.from_dict({"posterior": xr.Dataset()}))


@pytest.mark.slow
def test_the_pymc_model_computes_the_numpy_likelihood_and_upstreams():
    import pymc as pm
    from pymc_marketing.clv.distributions import ModifiedBetaGeoNBD

    shop = lives(800, *STORY, age=AGE, weeks=0.0, seed=1)
    model, history = MODEL.build(shop), History.of(shop)
    compiled = model.model.compile_logp(vars=model.model.potentials, jacobian=False)
    for r, alpha, a, b in (STORY, PUBLISHED, PUBLISHED * 3):
        at = {
            "r_log__": np.log(r),
            "yearly_rate_log__": np.log(r / alpha * 365.25 / 7),
            "kappa_dropout_log__": np.log(a + b),
        }
        found = float(compiled({one.name: at.get(one.name, np.log(a / b)) for one in model.model.value_vars}))
        assert found == pytest.approx(MODEL.log_likelihood(history, np.array([r, alpha, a, b])).sum(), rel=1e-10)
        rows = ModifiedBetaGeoNBD.dist(a=a, b=b, r=r, alpha=alpha, T=shop["T"].to_numpy())
        upstream = pm.logp(rows, shop[["recency", "frequency"]].to_numpy(float)).eval().sum()
        assert found == pytest.approx(upstream, rel=1e-8)


@pytest.mark.slow
def test_both_samplers_agree_and_pass_the_gate_on_cdnow():
    from datetime import date

    from clv.checks import gate, posterior
    from clv.models import sampling

    base = rfm_customers.summarise(cdnow(), "transactions", period_end=date(1997, 9, 30))
    compiled, medians = sampling.Compiled(MODEL.build(base)), []
    for method in ("nuts", "laplace"):
        settings = sampling.Settings(chains=4, draws=1000, tune=500, seed=3, method=method)
        fitted = sampling.sample(compiled, base, settings)
        assert sampling.method_of(fitted) == method
        checks = posterior.judge_purchases({"bgnbd": fitted}, {"bgnbd": base}, settings, horizon_weeks=39.0)
        assert gate.verdict(checks) == gate.PASS
        drawn = fitted["posterior"].to_dataset()
        total = posterior.expected_total(fitted, base, 39.0)
        share = drawn["a"] / (drawn["a"] + drawn["b"])
        medians.append([float(one.median()) for one in (drawn["r"], drawn["alpha"], share, total)])
    np.testing.assert_allclose(*medians, rtol=0.02)
    np.testing.assert_allclose(medians[0][:2], PUBLISHED[:2], rtol=0.15)


@pytest.mark.slow
def test_posteriors_are_calibrated_on_shops_drawn_from_the_prior_and_a_mistaken_one_is_not():
    """Ranks of the truth among 100 draws are uniform over 30 shops (p > .001); fitted as BG/NBD they are not."""
    from scipy.stats import kstest

    from clv.models import sampling

    shops, names = 30, [one.name for one in MODEL.parameters]
    anybody = lives(200, *STORY, age=AGE, weeks=0.0, seed=1)
    models = {"mbgnbd": MODEL, "bgnbd": purchase_model("bgnbd_plain")}
    compiled = {key: sampling.Compiled(model.build(anybody)) for key, model in models.items()}
    prior = sampling.prior_draws(compiled["mbgnbd"].model, draws=shops, seed=11)
    truths = np.column_stack([prior[name].to_numpy() for name in names])
    ranks: dict[str, list[np.ndarray]] = {key: [] for key in compiled}
    for number, truth in enumerate(truths):
        ages = np.random.default_rng([number, 1]).uniform(0, 60, 200)
        base = lives(200, *truth, age=ages, weeks=0.0, seed=number)
        for key, model in compiled.items():
            settings = sampling.Settings(chains=4, draws=250, tune=500, seed=number, method="laplace")
            drawn = sampling.sample(model, base, settings)["posterior"].to_dataset()
            found = np.column_stack([drawn[name].to_numpy().ravel()[::10] for name in names])
            below = found < truth
            leaving = found[:, 2] / (found[:, 2] + found[:, 3]) < truth[2] / (truth[2] + truth[3])
            ranks[key].append(np.column_stack([below, leaving]).mean(axis=0))
    p_values = {key: [kstest(column, "uniform").pvalue for column in np.array(found).T] for key, found in ranks.items()}
    assert min(p_values["mbgnbd"]) > 0.001, p_values
    assert min(p_values["bgnbd"]) < 0.001, p_values
