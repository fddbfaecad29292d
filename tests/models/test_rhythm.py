"""What rhythm promises: MBG/NBD with gaps in even steps, against a paper's numbers, stories and itself."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from forecasts import customers, fixed_draws, formulas_tell, futures, standard_errors
from helpers import cdnow

from clv.decisions import uplift
from clv.decisions.tables import RATE, SURVIVAL
from clv.decisions.uplift import Effect
from clv.forecast.horizon import Groups, Horizon
from clv.models.base import NEW_CUSTOMER, History, new_customers
from clv.models.draws import Draws
from clv.models.mbgnbd import MBGNBD
from clv.models.registry import purchase_model
from clv.models.rhythm import Rhythm
from clv.rfm import customers as rfm_customers

MODEL = purchase_model("rhythm")
STORY = np.array([0.9, 4.0, 0.9, 2.5, 0.3, 0.4])
AGE, WEEKS, DISCOUNT = 12.0, 10.0, 0.01


class Exactly(Rhythm):
    """The model where every time is what it is."""

    days = 0


PLAIN = Exactly()


def lives(n: int, theta: np.ndarray, *, age, weeks: float, seed: int) -> pd.DataFrame:
    """Tell `n` lives event by event, each gap made of its stages: history and future."""
    rng, age = np.random.default_rng(seed), np.broadcast_to(age, n)
    r, alpha, a, b, *shares = theta
    k = rng.choice([1, 2, 4], n, p=[1 - sum(shares), *shares])
    rate, leave = k * rng.gamma(r, 1 / alpha, n), rng.beta(a, b, n)
    told = {"frequency": np.zeros(n, int), "recency": np.zeros(n), "T": age.copy(), "alive": np.ones(n, bool)}
    told |= {"log_gaps": np.zeros(n), "later": np.zeros(n, int), "worth": np.zeros(n), "k": k}
    here, clock = rng.random(n) >= leave, np.zeros(n)
    told["alive"][~here] = False
    while here.any():
        gap = rng.standard_gamma(k) / rate
        clock[here] += gap[here]
        here &= clock <= age + weeks
        past, then = here & (clock <= age), here & (clock > age)
        told["frequency"][past] += 1
        told["recency"][past] = clock[past]
        told["log_gaps"][past] += np.log(gap[past])
        told["later"][then] += 1
        told["worth"][then] += np.exp(-DISCOUNT * (clock[then] - age[then]))
        left = here & (rng.random(n) < leave)
        told["alive"][left & past] = False
        here &= ~left
    return pd.DataFrame(told)


@pytest.fixture(scope="module")
def told() -> pd.DataFrame:
    return lives(200_000, STORY, age=AGE, weeks=WEEKS, seed=5)


@pytest.fixture(scope="module")
def music_shop() -> pd.DataFrame:
    return rfm_customers.summarise(cdnow(), "transactions", period_end=date(1997, 9, 30))


@pytest.mark.slow
@pytest.mark.parametrize(("x", "low", "high"), [(0, 0, 12), (1, 0, 4), (1, 9, 12), (2, 3, 6), (3, 10, 12), (6, 6, 11)])
def test_formulas_tell_the_future_of_customers_simulated_event_by_event(told, x, low, high):
    alike = told[(told["frequency"] == x) & told["recency"].between(low, high)]
    assert len(alike) > 500
    formulas_tell(alike, PLAIN, STORY, weeks=WEEKS, discount=DISCOUNT)


def test_the_brute_force_notices_who_forgets_the_rhythm(told):
    plain, often = MBGNBD(), told[(told["frequency"] >= 4) & (told["recency"] < 8)]
    assert standard_errors(often["alive"], PLAIN.p_alive(History.of(often), STORY)) < 4
    assert standard_errors(often["alive"], plain.p_alive(History.of(often), STORY[:4])) > 8
    blind = often.assign(log_gaps=often["frequency"] * np.log(often["recency"] / often["frequency"]))
    assert standard_errors(often["later"], PLAIN.if_alive(WEEKS, History.of(blind), STORY, discount=0.0)[0]) > 8


def test_regular_customers_are_told_by_their_gaps(told):
    often = told[told["frequency"] >= 5]
    even, random = (float(often.loc[often["k"] == k, "log_gaps"].mean()) for k in (4, 1))
    assert even > random
    share = [np.array([*STORY[:4], *shares]) for shares in ((0.0, 0.0), (0.0, 1.0))]
    by_k = {k: History.of(often[often["k"] == k]) for k in (1, 4)}
    poisson, regular = ({k: PLAIN.log_likelihood(by_k[k], theta).mean() for k in by_k} for theta in share)
    assert poisson[1] > regular[1]
    assert poisson[4] < regular[4]


@pytest.mark.parametrize(("ours", "theirs"), [(MODEL, purchase_model("mbgnbd"))])
def test_without_regular_customers_it_is_mbgnbd(music_shop, ours, theirs):
    history, theta = History.of(music_shop), np.array([[0.5248, 6.183, 0.8914, 1.614], [1.0, 9.0, 0.6, 3.0]])
    with_none = np.column_stack([theta, np.zeros((2, 2))])

    def told_by(model, at):
        yield model.log_likelihood(history, at)
        yield model.p_alive(history, at)
        yield model.p_silent(39.0, history, at)
        for options in ({}, {"leaving": 0.7}, {"speed": 1.3}):
            yield from model.if_alive(39.0, history, at, discount=DISCOUNT, **options)
        yield from model.if_back(39.0, history, at, discount=DISCOUNT)
        yield from model.if_back(39.0, history, at, discount=DISCOUNT, fresh=True)
        yield new_customers(model, np.array([10.0, 20.0]), at)

    for one, other in zip(told_by(ours, with_none), told_by(theirs, theta), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
    np.testing.assert_allclose(
        ours.log_likelihood(history, with_none), theirs.log_likelihood(history, theta), rtol=1e-13
    )


def test_customers_nearly_alike_in_loyalty_cost_no_precision(music_shop):
    """As a + b grows the likelihood has a limit: differences of lgamma made it rounding errors there."""
    told_by = [
        MODEL.log_likelihood(History.of(music_shop), np.array([*STORY[:2], 0.2 * spread, 0.8 * spread, 0.3, 0.1])).sum()
        for spread in (1e8, 1e15)
    ]
    assert told_by[1] == pytest.approx(told_by[0], abs=1e-2)


def test_cdnow_is_as_published_for_gaps_of_one_and_of_two_stages(music_shop):
    history = History.of(music_shop)
    for theta, log_likelihood in (
        ([0.5248, 6.183, 0.8914, 1.614, 0.0, 0.0], -9582.14),
        ([0.5799, 4.576, 1.1345, 1.585, 1.0, 0.0], -9853.25),
    ):
        assert PLAIN.log_likelihood(history, np.array(theta)).sum() == pytest.approx(log_likelihood, abs=0.01)


BASE = ((0, 0.0, 30.0, 5.0), (0, 0.0, 0.0, 5.0), (1, 6.0, 30.0, 5.0), (4, 25.0, 30.0, 5.0), (12, 50.0, 52.0, 8.0))


@pytest.mark.parametrize("model", [MODEL, PLAIN])
def test_simulated_futures_have_the_means_of_the_closed_forms(model):
    base = customers(*BASE)
    draws = Draws(model, np.tile(STORY, (40_000, 1)), fixed_draws(40_000, r=1, alpha=1, a=1, b=1).phi)
    counts, _, _ = futures(base, draws, Horizon(52.0), seed=3)
    history = History.of(base)
    expected = model.if_alive(52.0, history, STORY, discount=0.0)[0] * model.p_alive(history, STORY)
    silent = 1 - model.p_alive(history, STORY) * (1 - model.p_silent(52.0, history, STORY))
    for one, mean, none in zip(counts, expected, silent, strict=True):
        assert standard_errors(one, mean) < 4
        assert standard_errors(one == 0, none) < 4
    np.testing.assert_allclose(new_customers(model, np.array([52.0]), STORY)[0], expected[1], rtol=1e-12)
    assert model.p_alive(NEW_CUSTOMER, STORY) == pytest.approx(2.5 / 3.4)


@pytest.mark.parametrize(("kind", "size"), [(RATE, 0.3), (SURVIVAL, 0.3)])
def test_simulated_gains_of_a_contact_have_the_mean_of_the_closed_form(kind, size):
    base = customers((0, 0.0, 20.0, 0.0), (3, 12.0, 30.0, 25.0), (12, 50.0, 52.0, 8.0))
    draws = Draws(PLAIN, np.tile(STORY, (40_000, 1)), fixed_draws(40_000, r=1, alpha=1, a=1, b=1, p=6, q=4, v=15).phi)
    effect, each = Effect(kind, size, 0.0), Groups(np.arange(3)[:, None], 3)
    gains = uplift.realised_gains(base, draws, Horizon(52.0, DISCOUNT), effect, np.full(40_000, size), each, seed=1)
    expected = uplift.expected_gains(base, draws.thinned(1), Horizon(52.0, DISCOUNT), effect, np.array([size]))[:, 0]
    for one, mean in zip(gains.T, expected, strict=True):
        assert standard_errors(one, mean) < 4


@pytest.mark.slow
def test_the_pymc_model_computes_the_same_likelihood(music_shop):
    model, history = MODEL.build(music_shop), History.of(music_shop)
    compiled = model.model.compile_logp(vars=model.model.potentials, jacobian=False)
    for theta in ([0.5, 6, 0.9, 1.6, 0.2, 0.1], [1.5, 16, 2, 6, 0.01, 0.7], [0.5, 6, 0.9, 1.6, 1e-3, 1e-4]):
        r, alpha, a, b, share_2, share_4 = theta
        at = {"r": r, "yearly_rate": r / alpha * 365.25 / 7, "kappa_dropout": a + b}
        at |= {"odds_2": share_2 / (1 - share_2 - share_4), "odds_4": share_4 / (1 - share_2 - share_4)}
        point = {f"{name}_log__": np.log(value) for name, value in at.items()}
        found = float(compiled({one.name: point.get(one.name, np.log(a / b)) for one in model.model.value_vars}))
        assert found == pytest.approx(MODEL.log_likelihood(history, np.array(theta)).sum(), rel=1e-11)


@pytest.mark.slow
def test_posteriors_are_calibrated_on_shops_drawn_from_the_prior_and_a_mistaken_one_is_not():
    """Ranks of the truth among 100 draws are uniform over 16 shops (p > .001); with the gaps of others they are not."""
    from scipy.stats import kstest

    from clv.models import sampling

    shops, names = 16, [one.name for one in MODEL.parameters]
    compiled = sampling.Compiled(PLAIN.build(lives(200, STORY, age=AGE, weeks=0.0, seed=1)))
    prior = sampling.prior_draws(compiled.model, draws=shops, seed=11)
    truths = np.column_stack([prior[name].to_numpy() for name in names])
    ranks: dict[str, list[np.ndarray]] = {"right": [], "mistaken": []}
    for number, truth in enumerate(truths):
        ages = np.random.default_rng([number, 1]).uniform(0, 60, 150)
        base = lives(150, truth, age=ages, weeks=0.0, seed=number)
        random = base.assign(log_gaps=base["log_gaps"] - 0.3 * base["frequency"])
        for kind, shop in (("right", base), ("mistaken", random)):
            settings = sampling.Settings(chains=4, draws=250, tune=500, seed=number, method="laplace")
            drawn = sampling.sample(compiled, shop, settings)["posterior"].to_dataset()
            found = np.column_stack([drawn[name].to_numpy().ravel()[::10] for name in names])
            ranks[kind].append((found < truth).mean(axis=0))
    p_values = {kind: [kstest(column, "uniform").pvalue for column in np.array(each).T] for kind, each in ranks.items()}
    assert min(p_values["right"]) > 0.001, p_values
    assert min(p_values["mistaken"]) < 0.001, p_values
