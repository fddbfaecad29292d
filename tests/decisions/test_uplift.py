"""What uplift promises: gains that are the difference of two futures, in closed form and simulated alike."""

import numpy as np
import pandas as pd
import pytest
from forecasts import CDNOW, DISCOUNT, customers, expected_purchases, fixed_draws, standard_errors, with_amounts

from clv.decisions import information, uplift
from clv.decisions.tables import RATE, SURVIVAL, WIN_BACK
from clv.decisions.uplift import Effect
from clv.forecast.blocks import CHUNK_CUSTOMERS
from clv.forecast.horizon import Groups, Horizon
from clv.models import gamma_gamma
from clv.models.draws import Draws
from clv.models.gamma_gamma import NOTHING_PAID, Amounts

YEAR = Horizon(52.0, DISCOUNT, 0.4)
BASE = customers((0, 0.0, 20.0, 0.0), (3, 12.0, 30.0, 25.0), (12, 50.0, 52.0, 8.0), (6, 20.0, 30.0, 20.0))
EACH = Groups(np.arange(len(BASE))[:, None], len(BASE))
KINDS = [(RATE, 0.3), (RATE, -0.3), (SURVIVAL, 0.3), (SURVIVAL, 0.8), (WIN_BACK, 0.3)]
SHOP = CDNOW | {"r": 0.8, "alpha": 8.0, "b": 4.0}  # livelier than CDNOW: fewer simulated lives are needed


def exact(kind: str, size: float, rows: pd.DataFrame = BASE, horizon: Horizon = YEAR, **parameters) -> np.ndarray:
    effect = Effect(kind, size, 0.0)
    return uplift.expected_gains(rows, fixed_draws(1, **(SHOP | parameters)), horizon, effect, np.array([size]))[:, 0]


def simulated(kind: str, size: float, draws: Draws, rows=BASE, groups=EACH, *, response=1.0, seed=1, workers=1):
    effect = Effect(kind, size, 0.0, response)
    sizes = np.full(len(draws), size)
    return uplift.realised_gains(rows, draws, YEAR, effect, sizes, groups, seed=seed, workers=workers)


@pytest.mark.parametrize("spend", [{}, {"p_first": 3.0, "first_ratio": 0.7, "paid_share": 0.6}])
@pytest.mark.parametrize(("kind", "size"), KINDS)
def test_simulated_gains_have_the_mean_of_the_closed_form(kind, size, spend):
    rows = BASE.assign(first_amount=[90.0, 0.0, 8.0, 3.0])
    gains = simulated(kind, size, fixed_draws(40_000, **(SHOP | spend)), rows)
    expected = exact(kind, size, rows, **spend)
    for own, mean in zip(gains.T, expected, strict=True):
        assert standard_errors(own, mean) < 4 if mean else not own.any()


def lived(
    kind: str, size: float, n: int, *, age: float, horizon: Horizon, seed: int
) -> tuple[pd.DataFrame, np.ndarray]:
    """Tell `n` lives event by event up to `age`, then each twice, with and without the contact: histories and gains."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(SHOP["r"], 1 / SHOP["alpha"], n)
    leaving = rng.beta(SHOP["a"], SHOP["b"], n)
    nu = rng.gamma(SHOP["q"], 1 / SHOP["v"], n)
    frequency, last, spent, alive = np.zeros(n, int), np.zeros(n), np.zeros(n), np.ones(n, bool)
    clock = np.zeros(n)
    while alive.any() and (clock[alive] <= age).any():
        clock += rng.exponential(1, n) / rate
        buys = alive & (clock <= age)
        frequency += buys
        last[buys] = clock[buys]
        spent[buys] += rng.gamma(SHOP["p"], 1 / nu)[buys]
        alive &= ~(buys & (rng.random(n) < leaving))
    values, told = [], {RATE: (1 + size, 0.0, 0.0), SURVIVAL: (1.0, size, 0.0), WIN_BACK: (1.0, 0.0, size)}
    for speed, undone, back in told[kind], (1.0, 0.0, 0.0):
        # Another luck in each of the two: only the mean of their difference is compared.
        here, ahead, value = alive | (rng.random(n) < undone + back), np.zeros(n), np.zeros(n)
        if back:  # a fresh chance of leaving
            leaving = np.where(alive, leaving, rng.beta(SHOP["a"], SHOP["b"], n))
        while here.any():
            ahead += rng.exponential(1, n) / (rate * speed)
            here &= ahead <= horizon.weeks
            value += here * np.exp(-horizon.discount_weekly * ahead) * rng.gamma(SHOP["p"], 1 / nu)
            here &= (rng.random(n) >= leaving) | (rng.random(n) < undone)
        values.append(horizon.gross_margin * value)
    history = pd.DataFrame(
        {"frequency": frequency, "recency": last, "T": float(age), "monetary_value": spent / np.maximum(frequency, 1)}
    )
    return with_amounts(history), values[0] - values[1]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "size"), KINDS)
def test_closed_forms_agree_with_lives_told_event_by_event(kind, size):
    """Given any set of histories, gains are on average what the closed form says of each: here by frequency."""
    histories, gains = lived(kind, size, 60_000, age=30.0, horizon=YEAR, seed=3)
    expected = exact(kind, size, histories)
    for group in (histories["frequency"] == 0, histories["frequency"].between(1, 3), histories["frequency"] > 3):
        assert standard_errors(gains[group] - expected[group], 0.0) < 4


@pytest.mark.slow
def test_the_check_by_lives_would_notice_an_effect_a_third_too_large():
    histories, gains = lived(RATE, 0.3, 60_000, age=30.0, horizon=YEAR, seed=3)
    assert standard_errors(gains - exact(RATE, 0.4, histories), 0.0) > 4


def test_without_leaving_a_rate_raised_by_a_third_gains_a_third():
    """Nobody leaves (a = 0): purchases come at r'/alpha', undiscounted, so the gain is a share of the value."""
    plain = Horizon(52.0)
    gain = exact(RATE, 1 / 3, horizon=plain, a=1e-12)
    rate = (SHOP["r"] + BASE["frequency"]) / (SHOP["alpha"] + BASE["T"])
    spend = gamma_gamma.expected_spend(Amounts.of(BASE), fixed_draws(1, **SHOP).phi[0])
    np.testing.assert_allclose(gain, rate * 52 * spend / 3, rtol=1e-6)


def test_survival_gains_nothing_where_nobody_leaves_and_all_where_nobody_may():
    assert exact(SURVIVAL, 0.5, a=1e-12) == pytest.approx(0, abs=1e-8)
    gain = exact(SURVIVAL, 1 - 1e-9, rows=BASE.iloc[[0]], horizon=Horizon(52.0))
    purchase = [SHOP[name] for name in ("r", "alpha", "a", "b")]
    spend = gamma_gamma.expected_spend(NOTHING_PAID, fixed_draws(1, **SHOP).phi[0])
    usual = expected_purchases(52.0, 0, 0, 20.0, *purchase)
    never_leaving = SHOP["r"] / (SHOP["alpha"] + 20.0) * 52
    assert gain == pytest.approx((never_leaving - usual) * spend, rel=1e-6)


@pytest.mark.parametrize("kind", [RATE, SURVIVAL, WIN_BACK])
def test_no_effect_gains_exactly_nothing_with_any_luck(kind):
    assert not simulated(kind, 0.0, fixed_draws(500, **SHOP)).any()
    np.testing.assert_allclose(exact(kind, 0.0), 0, atol=1e-12)


def test_the_contact_adds_to_the_same_future_and_never_takes_away():
    """Undiscounted by pairing: a faster clock, an undone leaving or a return only adds purchases."""
    for kind in (RATE, SURVIVAL, WIN_BACK):
        effect, draws = Effect(kind, 0.3, 0.0), fixed_draws(2000, **SHOP)
        gains = uplift.realised_gains(BASE, draws, Horizon(52.0), effect, np.full(2000, 0.3), EACH, seed=1)
        assert gains.min() == 0
        assert gains.max() > 0


def test_only_those_who_respond_gain():
    draws = fixed_draws(20_000, **SHOP)
    for customer, expected in enumerate(exact(RATE, 0.3)):
        gains = simulated(RATE, 0.3, draws, response=0.25)[:, customer]
        assert standard_errors(gains, 0.25 * expected) < 4


def test_cents_and_days_are_dollars_and_weeks():
    cents = exact(RATE, 0.3, BASE.assign(monetary_value=100 * BASE["monetary_value"]), v=100 * SHOP["v"])
    np.testing.assert_allclose(cents, 100 * exact(RATE, 0.3), rtol=1e-9)
    days = BASE.assign(recency=7 * BASE["recency"], T=7 * BASE["T"])
    in_days = exact(SURVIVAL, 0.3, days, Horizon(7 * 52.0, DISCOUNT / 7, 0.4), alpha=7 * SHOP["alpha"])
    np.testing.assert_allclose(in_days, exact(SURVIVAL, 0.3), rtol=1e-9)


def test_the_number_of_workers_changes_nothing():
    many = pd.concat([BASE] * (CHUNK_CUSTOMERS // 2 + 3), ignore_index=True)
    groups = Groups(np.arange(len(many))[:, None] % 3, 3)
    effects, draws = np.linspace(0.05, 0.4, 20), fixed_draws(20, **SHOP)
    one, two, three = (
        uplift.realised_gains(many, draws, YEAR, Effect(SURVIVAL, 0.2, 0.1), effects, groups, seed=5, workers=workers)
        for workers in (1, 2, 3)
    )
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one, three)
    at = np.array([0.1, 0.2])
    single, double = (
        uplift.expected_gains(many, draws, YEAR, Effect(SURVIVAL, 0.2, 0.1), at, workers=workers) for workers in (1, 2)
    )
    np.testing.assert_array_equal(single, double)
    assert not np.array_equal(
        one, uplift.realised_gains(many, draws, YEAR, Effect(SURVIVAL, 0.2, 0.1), effects, groups, seed=6)
    )


@pytest.mark.parametrize("effect", [Effect(RATE, 0.2, 0.1), Effect(RATE, -0.3, 0.2), Effect(SURVIVAL, 0.2, 0.1)])
def test_beliefs_have_the_stated_mean_and_sd(effect):
    points = effect.quantiles((np.arange(100_000) + 0.5) / 100_000)
    assert points.mean() == pytest.approx(effect.mean, abs=1e-4)
    assert points.std() == pytest.approx(effect.sd, rel=1e-3)
    assert sorted(effect.draws(500, seed=1)) == pytest.approx(effect.points(500))


def test_a_known_effect_is_one_point():
    assert Effect(SURVIVAL, 0.2, 0.0).points(200).tolist() == [0.2]
    assert set(Effect(RATE, 0.2, 0.0).draws(10, seed=1)) == {0.2}


@pytest.mark.parametrize("effect", [Effect(RATE, 0.2, 1.0), Effect(RATE, -0.3, 0.2), Effect(SURVIVAL, 0.3, 0.1)])
def test_the_believed_gain_is_the_mean_over_the_belief(effect):
    """Evenly placed nodes believed 3.1 of a gain of 4.8 where the sd is 1."""
    draws = fixed_draws(1, **SHOP)
    direct = uplift.expected_gains(BASE, draws, YEAR, effect, effect.points(information.BELIEFS)).mean(axis=1)
    found = information.expected_gains(BASE, draws, YEAR, effect).believed()
    np.testing.assert_allclose(found, direct, rtol=1e-3)


def test_only_who_has_left_is_won_back():
    gains = exact(WIN_BACK, 0.3)
    assert gains[0] == 0  # bought once: nobody leaves before a repeat purchase
    assert (gains[1:] > 0).all()
    fresh = exact(WIN_BACK, 0.3, a=1e-9, b=1.0)
    assert fresh == pytest.approx(0, abs=1e-6)  # nobody leaves
