"""What predict promises: futures drawn exactly, the same for any number of workers, totals that are sums."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from forecasts import (
    CDNOW,
    COLUMNS,
    DISCOUNT,
    changed,
    customers,
    expected_purchases,
    fixed_draws,
    futures,
    oracle,
    probability_purchase,
    share_errors,
    standard_errors,
    typed_draws,
)

from clv.forecast import closed_forms
from clv.forecast.blocks import CHUNK_CUSTOMERS
from clv.forecast.horizon import Calendar, Groups, Horizon, yearly_horizon
from clv.models import gamma_gamma
from clv.models.base import HISTORY
from clv.models.draws import Draws, spaced
from clv.models.gamma_gamma import Amounts

YEAR = 52.0
PARAMETERS = list(CDNOW)
TABLE = oracle()
# Customers who buy thousands of times a year vary little and take long.
DRAWS, DRAWS_OF_THOUSANDS = 20_000, 500


@pytest.fixture(scope="module")
def simulated():
    """Return per oracle row the purchases, the discounted and the plain value of its futures, one year ahead."""
    rows = {}
    for number, (_, same) in enumerate(TABLE.groupby([*PARAMETERS, TABLE["frequency"] > 1000], sort=False)):
        n = DRAWS_OF_THOUSANDS if same["frequency"].iloc[0] > 1000 else DRAWS
        draws = fixed_draws(n, **same[PARAMETERS].iloc[0])
        plain = futures(same[COLUMNS], draws, Horizon(YEAR), seed=10 + number)[1]
        counts, value, _ = futures(same[COLUMNS], draws, Horizon(YEAR, DISCOUNT, 1.0), seed=10 + number)
        rows |= dict(zip(same.index, zip(counts, value, plain, strict=True), strict=True))
    return rows


def of_row(row: pd.Series) -> tuple[list[float], list[float]]:
    return [row[name] for name in HISTORY], [row[name] for name in ("r", "alpha", "a", "b")]


@pytest.mark.parametrize("number", range(len(TABLE)))
def test_simulated_means_are_the_closed_forms(simulated, number):
    row, (counts, value, _) = TABLE.iloc[number], simulated[number]
    history, parameters = of_row(row)
    bought = float(probability_purchase(YEAR, *history, *parameters))
    buyers = bought * counts.size
    if buyers < 30:  # a handful of events: nothing to average, only a bound
        assert (counts > 0).sum() <= buyers + 4 * np.sqrt(buyers) + 1
        return
    assert share_errors((counts > 0).mean(), bought, counts.size) < 4
    assert standard_errors(counts, row["purchases_52"]) < 4
    assert standard_errors(value, row["discounted_52"] * row["expected_spend"]) < 4


@pytest.mark.parametrize("number", range(len(TABLE)))
def test_the_simulated_value_has_the_exact_distribution(simulated, number):
    row, (_, _, plain) = TABLE.iloc[number], simulated[number]
    for threshold, share in ((row["value_at"], row["value_cdf_1"]), (3 * row["value_at"], row["value_cdf_3"])):
        assert share_errors((plain <= threshold).mean(), share, plain.size) < 4


def test_a_wrong_distribution_would_be_noticed():
    """The same check with one spend rate per purchase in place of one per customer: the tail is too thin."""
    row = TABLE[(TABLE["frequency"] == 0) & (TABLE["alpha"] == 30) & (TABLE["T"] == 0)].iloc[0]
    counts, _, _ = futures(TABLE.loc[[row.name], COLUMNS], fixed_draws(DRAWS, **row[PARAMETERS]), Horizon(YEAR), seed=1)
    rng = np.random.default_rng(1)
    shape = (DRAWS, counts.max())
    each = rng.gamma(row["p"], size=shape) / (rng.gamma(row["q"], size=shape) / row["v"])
    wrong = np.where(np.arange(counts.max()) < counts[0][:, None], each, 0).sum(axis=1)
    assert share_errors((wrong <= 3 * row["value_at"]).mean(), row["value_cdf_3"], DRAWS) > 4


BASE = customers((0, 0.0, 20.0, 0.0), (3, 12.0, 30.0, 25.0), (12, 50.0, 52.0, 8.0), (1, 1.0, 52.0, 90.0))


def many(n: int) -> pd.DataFrame:
    return pd.concat([BASE] * (n // len(BASE)), ignore_index=True)


def posterior_draws(n: int) -> Draws:
    rng = np.random.default_rng(0)
    return typed_draws(**{name: value * rng.lognormal(0, 0.1, n) for name, value in CDNOW.items()})


def test_the_number_of_workers_changes_nothing():
    histories, draws = many(3 * CHUNK_CUSTOMERS + 4), posterior_draws(20)
    groups = Groups(np.arange(len(histories))[:, None] % 3, 3)
    first, *others = (
        futures(histories, draws, Horizon(YEAR, DISCOUNT, 0.4), seed=5, workers=workers, groups=groups)
        for workers in (1, 2, 3)
    )
    for other in others:
        for one, two in zip(first[:2], other[:2], strict=True):
            np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(first[2].value, other[2].value)
        np.testing.assert_array_equal(first[2].purchases, other[2].purchases)


@pytest.mark.parametrize("block_bytes", [1, 28 * 20 * 7, 2**30])
def test_the_size_of_the_blocks_changes_nothing(block_bytes):
    """One customer at a time, seven, or a whole chunk: a limit of memory is no part of the result."""
    histories, draws = many(CHUNK_CUSTOMERS + 4), posterior_draws(20)
    calendar = Calendar(np.array([0.0, 10.0, YEAR]), np.arange(len(histories)) % 2, 2, np.zeros(len(histories), bool))
    usual = futures(histories, draws, Horizon(YEAR, DISCOUNT), seed=5, calendar=calendar)
    other = futures(histories, draws, Horizon(YEAR, DISCOUNT), seed=5, calendar=calendar, block_bytes=block_bytes)
    for one, two in zip(usual[:2], other[:2], strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(usual[2].revenue, other[2].revenue)


def test_another_seed_gives_another_future_and_the_same_seed_the_same():
    draws = posterior_draws(200)
    one, again, other = (futures(BASE, draws, Horizon(YEAR), seed=seed)[1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_customers_beyond_the_first_chunk_are_simulated_like_the_others():
    histories = many(2 * CHUNK_CUSTOMERS + 40)
    counts, value, totals = futures(histories, fixed_draws(10, **CDNOW), Horizon(YEAR), seed=3)
    assert counts.shape == value.shape == (len(histories), 10)
    expected = expected_purchases(YEAR, *(BASE[name] for name in HISTORY), *list(CDNOW.values())[:4])
    for kind in range(len(BASE)):
        for part in (slice(0, CHUNK_CUSTOMERS), slice(CHUNK_CUSTOMERS, None)):
            same = counts[part][kind :: len(BASE)]
            assert standard_errors(same.ravel(), expected[kind]) < 4
    np.testing.assert_allclose(totals.value[:, 0], value.sum(axis=0), rtol=1e-12)
    assert not np.array_equal(counts[:40], counts[CHUNK_CUSTOMERS : CHUNK_CUSTOMERS + 40])


def test_group_totals_are_sums_of_the_same_draws():
    histories, draws = many(400), posterior_draws(50)
    rng = np.random.default_rng(2)
    codes = np.column_stack([np.zeros(400, int), 1 + rng.integers(0, 3, 400), 4 + rng.integers(0, 2, 400)])
    counts, value, totals = futures(histories, draws, Horizon(YEAR, DISCOUNT, 0.3), seed=4, groups=Groups(codes, 6))
    for group in range(6):
        members = (codes == group).any(axis=1)
        np.testing.assert_allclose(totals.value[:, group], value[members].sum(axis=0), rtol=1e-12)
        np.testing.assert_array_equal(totals.purchases[:, group], counts[members].sum(axis=0))


def test_purchases_do_not_depend_on_the_spend_model():
    draws = posterior_draws(50)
    cents = changed(draws, v=100 * draws.phi[:, 2])
    dollars_counts, dollars, _ = futures(BASE, draws, Horizon(YEAR), seed=6)
    counts, value, _ = futures(BASE.assign(monetary_value=100 * BASE["monetary_value"]), cents, Horizon(YEAR), seed=6)
    np.testing.assert_array_equal(counts, dollars_counts)
    np.testing.assert_allclose(value, 100 * dollars, rtol=1e-12)


def test_a_calendar_that_ends_before_the_horizon_loses_nothing():
    short = Calendar(np.array([0.0, 10.0, 20.0]), np.zeros(4, int), 1, np.zeros(4, bool))
    counts, value, totals = futures(BASE, posterior_draws(50), Horizon(YEAR), seed=6, calendar=short)
    np.testing.assert_allclose(totals.revenue.sum(axis=(1, 2)), value.sum(axis=0), rtol=1e-12)
    np.testing.assert_array_equal(totals.period_purchases.sum(axis=(1, 2)), counts.sum(axis=0))


def test_groups_and_calendars_do_not_disturb_the_random_numbers():
    draws = posterior_draws(50)
    calendar = Calendar(np.array([0.0, 10.0, YEAR]), np.array([0, 1, 0, 1]), 2, np.zeros(4, bool))
    plain = futures(BASE, draws, Horizon(YEAR), seed=6)
    dated = futures(BASE, draws, Horizon(YEAR), seed=6, calendar=calendar)
    np.testing.assert_array_equal(plain[1], dated[1])


def test_periods_add_up_to_the_totals():
    histories, draws = many(200), posterior_draws(60)
    cohorts = np.arange(200) % 3
    edges = np.array([0.0, 3.5, 8.0, 30.0, YEAR])
    calendar = Calendar(edges, cohorts, 3, np.zeros(200, bool))
    groups = Groups(cohorts[:, None], 3)
    counts, _, totals = futures(histories, draws, Horizon(YEAR), seed=7, groups=groups, calendar=calendar)
    assert totals.revenue.shape == totals.active.shape == (60, 3, 4)
    np.testing.assert_allclose(totals.revenue.sum(axis=2), totals.value, rtol=1e-12)
    np.testing.assert_array_equal(totals.period_purchases.sum(axis=2), totals.purchases)
    assert (totals.active <= totals.period_purchases).all()
    buyers = np.column_stack([(counts[cohorts == cohort] > 0).sum(axis=0) for cohort in range(3)])
    assert (totals.active.sum(axis=2) >= buyers).all()


def test_months_of_cohorts_are_kept_beside_those_of_segments():
    histories, draws, edges, nobody = many(200), posterior_draws(60), np.array([0.0, 8.0, YEAR]), np.zeros(200, bool)
    cohorts, segments = (
        Calendar(edges, np.arange(200) % 3, 3, nobody),
        Calendar(edges, np.arange(200) // 150, 2, nobody),
    )
    ask = partial(futures, histories, draws, Horizon(YEAR), seed=7)
    both = ask(calendar=cohorts.beside(segments))[2]
    for calendar, those in ((cohorts, slice(3)), (segments, slice(3, None))):
        alone, part = ask(calendar=calendar)[2], both.of_cohorts(those)
        for name in ("value", "active", "revenue", "period_purchases"):
            np.testing.assert_array_equal(getattr(alone, name), getattr(part, name))


def test_period_purchases_follow_the_expected_rate():
    draws, edges = fixed_draws(4000, **CDNOW), np.array([0.0, 4.0, 20.0, YEAR])
    calendar = Calendar(edges, np.zeros(1, int), 1, np.zeros(1, bool))
    one = BASE.iloc[[2]]
    totals = futures(one, draws, Horizon(YEAR), seed=8, calendar=calendar)[2]
    history, parameters = [one[name].iloc[0] for name in HISTORY], list(CDNOW.values())[:4]
    expected = np.diff([0.0, *(float(expected_purchases(edge, *history, *parameters)) for edge in edges[1:])])
    for period in range(3):
        assert standard_errors(totals.period_purchases[:, 0, period], expected[period]) < 4


# Somebody who always buys, one who leaves with the first purchase, and amounts of exactly one, to count by hand.
ALWAYS = {"r": 1e6, "alpha": 1e3, "a": 1e-12, "b": 1e3, "p": 1e12, "q": 1e12, "v": 1.0}
ONCE = ALWAYS | {"a": 1e12, "b": 1e-6}


def by_hand(seen: list[bool], parameters: dict[str, float], **horizon: float):
    new = customers(*[(0, 0.0, 0.0, 0.0)] * 3)
    calendar = Calendar(np.array([0.0, 0.5, 1.0]), np.array([0, 0, 1]), 2, np.array(seen))
    return futures(new, fixed_draws(5, **parameters), Horizon(1.0, **horizon), seed=9, calendar=calendar)


def test_whoever_always_buys_is_active_once_per_period():
    counts, _, totals = by_hand([False] * 3, ALWAYS)
    assert (counts > 900).all()  # rate 1,000 a week
    np.testing.assert_array_equal(totals.active, np.broadcast_to([[2.0, 2.0], [1.0, 1.0]], (5, 2, 2)))


def test_whoever_was_seen_in_the_open_period_is_not_counted_again_in_it():
    _, _, totals = by_hand([True, False, True], ALWAYS)
    np.testing.assert_array_equal(totals.active, np.broadcast_to([[1.0, 2.0], [0.0, 1.0]], (5, 2, 2)))


def test_whoever_leaves_with_the_first_purchase_buys_once_and_pays_once():
    counts, value, totals = by_hand([False] * 3, ONCE, gross_margin=0.25)
    np.testing.assert_array_equal(counts, 1)
    np.testing.assert_allclose(value, 0.25, rtol=1e-4)  # one unit of money, a thousandth of a week from now
    np.testing.assert_allclose(totals.revenue[:, :, 0], [[2.0, 1.0]] * 5, rtol=1e-4)  # before margin
    assert (totals.revenue[:, :, 1] == 0).all()


def test_an_annual_rate_is_paid_after_a_year_of_days():
    horizon = yearly_horizon(52.0, discount_rate_annual=0.10, gross_margin=0.4)
    assert np.exp(-horizon.discount_weekly * 365.25 / 7) == pytest.approx(1 / 1.10, rel=1e-14)
    assert (horizon.weeks, horizon.gross_margin) == (52.0, 0.4)


def test_value_is_discounted_to_the_day():
    always = customers((0, 0.0, 0.0, 0.0))
    _, value, _ = futures(always, fixed_draws(5, **ALWAYS), Horizon(10.0, 0.3), seed=1)
    np.testing.assert_allclose(value, 1000 * (1 - np.exp(-3.0)) / 0.3, rtol=0.05)  # 1,000 a week, integrated


def test_spend_learns_from_the_customers_own_amounts():
    rich, poor = customers((40, 51.0, 52.0, 100.0)), customers((40, 51.0, 52.0, 5.0))
    draws = fixed_draws(4000, **CDNOW)
    for known in (rich, poor):
        counts, value, _ = futures(known, draws, Horizon(YEAR), seed=2)
        mean = gamma_gamma.expected_spend(Amounts.of(known), draws.phi[0])[0]
        assert standard_errors(value[0] - counts[0] * float(mean), 0.0) < 4


def visits_told(paid_share: float, n: int) -> np.ndarray:
    """Return what `n` customers pay in a year, told visit by visit; nobody leaves, a share of the visits is free."""
    rng = np.random.default_rng(4)
    p, q, v, p_first, ratio = 3.0, 5.0, 40.0, 2.0, 0.8
    rate, nu = rng.gamma(2.0 + 4, 1 / (6.0 + 40.0), n), rng.gamma(q + 3 * p + p_first, size=n)
    nu /= v + 90.0 + p_first / (p * ratio) * 25.0
    visits = rng.poisson(YEAR * rate)
    worth = np.zeros(n)
    for number in range(visits.max()):
        pays = (visits > number) & (rng.random(n) < paid_share)
        worth[pays] += rng.gamma(p, size=pays.sum()) / nu[pays]
    return worth


def test_visits_without_an_amount_bring_nothing_and_the_others_what_they_cost():
    """Ada paid 25 first, then 90 at three of four visits; so she goes on: value = purchases x share x amount."""
    ada = customers((4, 30.0, 40.0, 22.5)).assign(paid_purchases=3, first_amount=25.0)
    shop = {"r": 2.0, "alpha": 6.0, "a": 1e-12, "b": 1e3, "p": 3.0, "q": 5.0, "v": 40.0, "p_first": 2.0}
    draws = fixed_draws(40_000, **shop, first_ratio=0.8, paid_share=0.75)
    _, value, _ = futures(ada, draws, Horizon(YEAR), seed=3)
    told = visits_told(0.75, 40_000)
    expected = closed_forms.expectations(ada, draws.thinned(1), Horizon(YEAR), interval=0.9).iloc[0]
    assert expected["clv_mean"] == pytest.approx(expected["expected_purchases"] * expected["expected_spend"])
    for sample in (value[0], told):
        assert standard_errors(sample, expected["clv_mean"]) < 4
    for limit in np.quantile(told, [0.1, 0.5, 0.9]):
        assert share_errors((value <= limit).mean(), (told <= limit).mean(), told.size) < 6  # both are samples
    # Had every visit been taken for a paid one, neither mean nor luck would do.
    wrong = futures(ada, changed(draws, paid_share=np.ones(len(draws))), Horizon(YEAR), seed=3)[1]
    assert standard_errors(wrong[0], expected["clv_mean"]) > 20


@pytest.mark.parametrize(("size", "n", "kept"), [(5, 10, [0, 1, 2, 3, 4]), (9, 3, [0, 4, 8]), (1, 1, [0])])
def test_draws_are_thinned_evenly(size, n, kept):
    assert spaced(size, n).tolist() == kept
    draws = typed_draws(**dict.fromkeys(PARAMETERS, np.arange(size, dtype=float)))
    assert draws.thinned(n).phi[:, 1].tolist() == draws.thinned(n).theta[:, 0].tolist() == kept
