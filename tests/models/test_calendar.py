"""What a stated calendar promises: no numbers of its own where all days are alike, and stories told by the day."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from forecasts import CDNOW_PURCHASES, customers, fixed_draws, futures, standard_errors, with_amounts
from helpers import purchases, view
from scipy.stats import kstest

from clv.decisions import uplift, watch
from clv.decisions.tables import RATE
from clv.decisions.uplift import Effect
from clv.errors import InputError
from clv.forecast.closed_forms import expectations
from clv.forecast.horizon import Groups, Horizon
from clv.models.base import HISTORY, History, expected_purchases, new_customers
from clv.models.bgnbd_futures import on_day, on_the_clock
from clv.models.calendar_model import OnClock, on_clock
from clv.models.draws import Draws
from clv.models.learnt_year import learnt
from clv.models.operational_time import Clock, clock
from clv.models.registry import PURCHASE_MODELS, purchase_model
from clv.models.sampling import Compiled, Settings, sample
from clv.report.text.notebooks import choice_in_words
from clv.rfm import customers as rfm_customers
from clv.rfm.year import monthly_purchases, with_history

ORIGIN = date(2025, 6, 30)
ALIKE = {"months": None, "spans": [], "uncertainty": 0.0}
# December three times any other month, three weeks closed soon after the origin, a promotion before it.
YEAR = {
    "months": [1.0] * 11 + [3.0],
    "spans": [
        {"from": "2025-03-10", "to": "2025-03-23", "factor": 2.0},
        {"from": "2025-07-14", "to": "2025-08-03", "factor": 0.0},
    ],
    "uncertainty": 0.0,
}
USUAL = 365.25 / (334.25 + 3 * 31)  # of a day outside December
SOON = 28  # days after the origin; the shop is closed in the second half of them
WEEKLY, SELDOM = (1.5, 1.5, 0.5, 8.0), (0.8, 8.0, 0.8, 4.0)
PURCHASES = [*CDNOW_PURCHASES.values()]


def seen(calendar: dict, origin: date = ORIGIN) -> Clock:
    found = clock(calendar, origin)
    assert found is not None
    return found


def theta_of(key: str, theta: tuple = WEEKLY, draws: int = 1) -> np.ndarray:
    return np.tile([*theta, 0.2, 0.1] if key == "rhythm" else theta, (draws, 1)).astype(float)


def many_histories(n: int = 300) -> History:
    rng = np.random.default_rng(1)
    x, T = rng.integers(0, 9, n), rng.integers(30, 500, n)
    t_x = np.where(x > 0, np.maximum(rng.integers(0, T), x), 0)
    gaps = x * np.log(np.maximum(t_x, 1) / 7 / np.maximum(x, 1))
    return History(x.astype(float), t_x / 7, T / 7, gaps)


def daily(first: date, days: int, calendar: dict) -> np.ndarray:
    """Return the factor of each day from `first` on, said again in other words than the package's."""
    dates = pd.date_range(first, periods=days)
    factors = np.where(dates.month == 12, 3 * USUAL, USUAL) if calendar["months"] else np.ones(days)
    for span in calendar["spans"]:
        factors[(dates >= span["from"]) & (dates <= span["to"])] *= span["factor"]
    return factors


def lives_by_the_day(n: int, theta: tuple, factors: np.ndarray, *, seen_days: int, seed: int) -> pd.DataFrame:
    """Tell lives day by day: who is there buys on a day with chance 1 - exp(-lambda s / 7), and may then leave."""
    rng, (r, alpha, a, b) = np.random.default_rng(seed), theta
    rate, leave, first = rng.gamma(r, 1 / (7 * alpha), n), rng.beta(a, b, n), rng.integers(0, seen_days, n)
    here, last = np.ones(n, bool), first.copy()
    frequency, came, soon = np.zeros((3, n), int)
    for day, factor in enumerate(factors):
        buys = here & (first < day) & (rng.random(n) < -np.expm1(-rate * factor))
        if day < seen_days:
            frequency[buys], last[buys] = frequency[buys] + 1, day
        else:
            came[buys] += 1
            soon[buys] += day < seen_days + SOON
        here &= ~(buys & (rng.random(n) < leave))
    weeks = {"recency": (last - first) / 7, "T": (seen_days - 1 - first) / 7}
    told = with_amounts(pd.DataFrame({"frequency": frequency, **weeks, "monetary_value": 0.0}))
    return told.assign(came=came, soon=soon, origin=pd.Timestamp(ORIGIN))


# --- all days alike


@pytest.mark.parametrize("key", PURCHASE_MODELS)
def test_a_calendar_of_days_that_are_all_alike_changes_no_number(key):
    plain, history, theta = purchase_model(key), many_histories(), np.vstack([theta_of(key), theta_of(key, SELDOM)])
    timed = OnClock(plain, seen(ALIKE))
    for name in ("log_likelihood", "p_alive"):
        np.testing.assert_array_equal(getattr(timed, name)(history, theta), getattr(plain, name)(history, theta))
    np.testing.assert_array_equal(timed.p_silent(52.0, history, theta), plain.p_silent(52.0, history, theta))
    for ask in ("if_alive", "if_back"):
        for ours, theirs in zip(
            *(getattr(m, ask)(52.0, history, theta, discount=0.002) for m in (timed, plain)), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)
    rows, weeks, effects = np.column_stack(history)[:, : len(plain.history)], np.full(300, 52.0), np.ones((2, 3)) / 4
    lived = [model.futures(np.random.default_rng(2), rows, theta, weeks) for model in (timed, plain)]
    twice = [model.contacted(np.random.default_rng(2), rows, theta, 52.0, 0.5, effects) for model in (timed, plain)]
    for ours, theirs in [*zip(*lived, strict=True), *zip(*twice, strict=True)]:
        np.testing.assert_allclose(ours, theirs, atol=1e-12)
    frame = pd.DataFrame(np.column_stack(history), columns=[*HISTORY, "log_gaps"]).assign(origin=pd.Timestamp(ORIGIN))
    pd.testing.assert_frame_equal(on_clock(frame, seen(ALIKE), plain), frame, check_exact=True)
    assert on_clock(frame, None, plain) is frame
    assert clock(None, ORIGIN) is None


# --- the clock


def test_a_year_takes_a_year_and_december_counts_three_times():
    year = seen(YEAR | {"spans": []}, date(2024, 12, 31))
    assert year.passed(365.25 / 7)[0] == pytest.approx(365.25, rel=2e-3)  # a year that begins on a January day
    december, _ = year.passed(31 / 7)
    assert december == pytest.approx(31 * 3 * USUAL)
    assert year.passed(61 / 7)[0] - december == pytest.approx(30 * USUAL)


def test_a_day_counts_from_the_end_of_the_one_before():
    """Who came on the last day before a closure has lived none of its days, who came on its first day one less."""
    closed = {"months": None, "spans": [{"from": "2025-06-17", "to": "2025-06-30", "factor": 0.0}], "uncertainty": 0.0}
    assert seen(closed).passed(np.array([14, 15]) / 7)[0].tolist() == [0.0, 1.0]
    ahead, _ = seen(YEAR).to_come(np.array([13, 34, 35]) / 7, np.empty((1, 0)))
    assert (ahead[0] * 7 / USUAL).round(9).tolist() == [13, 13, 14]


@pytest.mark.parametrize("weeks", [0.5, 1.0, 5.3, 20.0, 51.9])
def test_from_weeks_to_the_clock_and_back_is_the_same_day(weeks):
    days = seen(YEAR).ends_of_days(52.0, np.empty((1, 0)))
    there = on_the_clock(weeks, days, 0)
    assert on_day(there, 0.0, days, 0)[1] == pytest.approx(weeks)
    assert on_day(there, 7.0, days, 0)[1] == pytest.approx(np.ceil(weeks * 7 - 1e-9) / 7)


def test_the_day_of_a_purchase_is_the_first_that_ends_no_earlier_however_uneven_the_year():
    """Looked for near the day it would be if all were alike: right where days are far from that, or closed."""
    uneven = {"months": [0.1] * 6 + [0.01] * 5 + [9.0], "spans": YEAR["spans"], "uncertainty": 0.3}
    for stated in (ALIKE, YEAR, uneven):
        days = seen(stated).ends_of_days(52.0, seen(stated).luck(3) if stated is uneven else np.empty((1, 0)))
        for draw, ends in enumerate(days):
            for time in [*np.random.default_rng(1).uniform(0, ends[-1], 500), *ends[1:], 1.01 * ends[-1]]:
                day = max(np.searchsorted(ends, time), 1)
                expected = (ends[day], day / 7) if day < ends.size else (time, np.inf)
                assert on_day(time, 7.0, days, draw) == expected


def test_the_future_is_uncertain_by_as_much_as_stated_and_its_mean_is_what_was_stated():
    unsure = seen(YEAR | {"uncertainty": 0.15})
    luck = unsure.luck(4000)
    ahead, _ = unsure.to_come(np.array([1.0, 52.0]), luck)
    sure, _ = unsure.to_come(np.array([1.0, 52.0]), np.empty((1, 0)))
    np.testing.assert_allclose(ahead.mean(axis=0), sure[0], rtol=0.002)
    assert np.log(ahead[:, 0]).std() == pytest.approx(0.15, rel=0.02)  # one week lies in one month
    assert ahead[:, 1].std() / sure[0, 1] < 0.07  # months are independent
    assert unsure.passed(5.0)[0] == seen(YEAR).passed(5.0)[0]


def test_what_was_not_stated_is_not_uncertain():
    closure = {"months": None, "spans": YEAR["spans"][:1], "uncertainty": 0.15}
    assert seen(closure).luck(10).shape == (10, 1)
    assert seen(YEAR | {"uncertainty": 0.15}).luck(10).shape == (10, 14)
    ahead, _ = seen(closure).to_come(52.0, seen(closure).luck(10))
    np.testing.assert_array_equal(ahead, 52.0)


# --- futures and formulas on it


BASE = customers((0, 0.0, 0.0, 0.0), (0, 0.0, 20.0, 0.0), (3, 12.0, 30.0, 0.0), (20, 29.0, 30.0, 0.0))


def timed_draws(key: str, n: int, calendar: dict, theta: tuple = WEEKLY) -> Draws:
    named = dict(zip(["r", "alpha", "a", "b", "share_2", "share_4"], theta_of(key, theta)[0], strict=False))
    plain, stated = fixed_draws(n, key=key, **named), seen(calendar)
    return Draws(OnClock(plain.model, stated), np.hstack([plain.theta, stated.luck(n)]), plain.phi)


@pytest.mark.parametrize("key", PURCHASE_MODELS)
@pytest.mark.parametrize("weeks", [6.0, 40.0])
def test_futures_have_the_means_of_the_formulas_over_a_closure_and_a_december(key, weeks):
    draws = timed_draws(key, 10_000, YEAR)
    counts, _, _ = futures(BASE, draws, Horizon(weeks), seed=1)
    history, few = History.of(BASE[draws.model.history]), draws.theta[:1]
    alive = draws.model.p_alive(history, few)[0]
    expected = alive * draws.model.if_alive(weeks, history, few, discount=0.0)[0][0]
    bought = alive * (1 - draws.model.p_silent(weeks, history, few)[0])
    steady = expected_purchases(purchase_model(key), weeks, history, few)[0]
    for number in range(len(BASE)):
        error = counts[number].std() / 100
        assert counts[number].mean() == pytest.approx(expected[number], rel=0.02, abs=4 * error)
        assert standard_errors(counts[number] > 0, bought[number]) < 5 + 0.02 * bought[number] * 200
    assert not np.allclose(expected, steady, rtol=0.1)  # which the calendar makes another number


def test_nobody_buys_while_the_shop_is_closed_and_three_times_as_many_in_december():
    draws = timed_draws("bgnbd", 4000, YEAR, (0.8, 8.0, 0.004, 4.0))  # hardly anybody leaves
    _, times = draws.model.futures(np.random.default_rng(1), np.zeros((50, 3)), draws.theta, np.full(50, 40.0))
    months = pd.Timestamp(ORIGIN) + pd.to_timedelta(np.rint(times * 7), unit="D")
    assert not ((months >= "2025-07-14") & (months <= "2025-08-03")).any()
    counts = months.to_series().dt.month.value_counts()
    assert counts[12] / counts[11] == pytest.approx(3 * 31 / 30, rel=0.06)


def test_discounted_means_are_those_of_the_times_of_purchases():
    for key in ("bgnbd", "rhythm"):
        draws = timed_draws(key, 4000, YEAR, SELDOM)
        counts, times = draws.model.futures(
            np.random.default_rng(3), np.zeros((50, len(draws.model.history))), draws.theta, np.full(50, 52.0)
        )
        plain, discounted = new_customers(draws.model, np.array([52.0]), draws.theta[:1], discount=0.0018), 0
        share = np.exp(-0.0018 * times).sum() / counts.sum()
        discounted = new_customers(draws.model, np.array([52.0]), draws.theta[:1], discount=1e-12)
        assert float(plain[0, 0] / discounted[0, 0]) == pytest.approx(share, rel=0.0015)


def test_totals_get_wider_by_the_calendar_and_single_customers_hardly():
    base = pd.concat([BASE] * 100, ignore_index=True)
    sure, unsure = (timed_draws("bgnbd", 400, YEAR | {"uncertainty": sd}) for sd in (0.0, 0.3))
    drawn = [futures(base, draws, Horizon(26.0), seed=1) for draws in (sure, unsure)]
    (own, _, total), (own_unsure, _, total_unsure) = drawn
    assert total_unsure.purchases.std() > 2 * total.purchases.std()
    assert own_unsure.std(axis=1).mean() < 1.1 * own.std(axis=1).mean()
    means = [expectations(base, draws, Horizon(26.0), interval=0.9)["expected_purchases"] for draws in (sure, unsure)]
    assert means[1].sum() == pytest.approx(means[0].sum(), rel=0.01)


def test_a_contact_before_a_closure_brings_less_and_both_ways_of_reckoning_agree():
    closed = {"months": None, "spans": [{"from": "2025-07-01", "to": "2025-07-31", "factor": 0.0}], "uncertainty": 0.1}
    gains = []
    for calendar in (ALIKE, closed):
        draws, effect = timed_draws("bgnbd", 20_000, calendar, SELDOM), Effect(RATE, 0.5, 0)
        draws = Draws(draws.model, draws.theta, np.tile([8.0, 9.0, 20.0, 8.0, 1.0, 1.0], (20_000, 1)))
        each = Groups(np.arange(4)[:, None], 4)
        drawn = uplift.realised_gains(BASE, draws, Horizon(13.0), effect, np.full(20_000, 0.5), each, seed=1)
        mean = uplift.expected_gains(BASE, draws, Horizon(13.0), effect, np.array([0.5]))[:, 0]
        error = drawn.std(axis=0) / np.sqrt(20_000)
        assert (np.abs(drawn.mean(axis=0) - mean) < 4 * error + 0.01 * mean).all()
        gains.append(mean)
    assert (gains[1] < 0.75 * gains[0]).all()


def test_silence_while_the_shop_is_closed_is_no_sign():
    closed = {"months": None, "spans": [{"from": "2025-07-01", "to": "2025-07-10", "factor": 0.0}], "uncertainty": 0.0}
    regular = customers((20, 29.0, 30.0, 0.0))
    open_day, closed_day = (
        watch.days_until_sign(regular, timed_draws("bgnbd", 1, calendar), at_most=60)[0] for calendar in (ALIKE, closed)
    )
    assert closed_day == open_day + 10


def test_those_who_come_later_meet_the_calendar_from_their_day_on():
    draws, weeks = timed_draws("bgnbd", 1, YEAR, SELDOM), np.array([4.0])
    now, in_closure, in_autumn = (
        float(new_customers(one.model, weeks, one.theta)[0, 0]) for one in (draws, draws.later(2), draws.later(10))
    )
    assert in_closure < 0.7 * now < 0.5 * in_autumn
    plain = fixed_draws(1, **CDNOW_PURCHASES)
    assert plain.later(10) is plain


# --- logs


def test_gaps_between_purchases_are_told_on_the_clock_and_times_in_weeks():
    """Days 0, 14 and 28, of which the second fortnight counts twice; then one on each of two closed days."""
    spans = [
        {"from": "2024-01-16", "to": "2024-01-29", "factor": 2.0},
        {"from": "2024-01-30", "to": "2024-02-20", "factor": 0.0},
    ]
    log = purchases("ada", days=[0, 14, 28, 35], amounts=[1, 1, 1, 1])
    first = pd.Timestamp(log["date"].min()).date()
    spans = [
        span | {"from": str(first + timedelta(days=start)), "to": str(first + timedelta(days=end))}
        for span, (start, end) in zip(spans, [(15, 28), (29, 50)], strict=True)
    ]
    stated = {"months": None, "spans": spans, "uncertainty": 0.0}
    until = {"period_end": first + timedelta(days=40)}
    (usual,) = rfm_customers.summarise(view(log), "transactions", **until).itertuples()
    (timed,) = rfm_customers.summarise(view(log), "transactions", **until, calendar=stated).itertuples()
    assert (timed.frequency, timed.recency, timed.T) == (usual.frequency, usual.recency, usual.T) == (3, 5, 40 / 7)
    assert timed.log_gaps == pytest.approx(np.log(2) + np.log(4) + np.log(0.5 / 7))
    assert usual.log_gaps == pytest.approx(2 * np.log(2))


def test_a_shop_that_sold_while_it_says_it_was_closed_is_told_so():
    log = purchases("ada", days=[0, 14, 15, 28], amounts=[1, 1, 1, 1])
    first = pd.Timestamp(log["date"].min()).date()
    until = {"last_day": first + timedelta(days=40)}
    span = {"from": str(first + timedelta(days=10)), "to": str(first + timedelta(days=20)), "factor": 0.0}
    stated = {"months": None, "spans": [span], "uncertainty": 0.0}
    second = first + timedelta(days=14)
    with pytest.raises(InputError, match=f"closes 2 days on which customers bought, 2 times in all .first: {second}"):
        rfm_customers.require_open(view(log), "transactions", stated, **until)
    rfm_customers.require_open(view(log), "transactions", stated | {"spans": [span | {"factor": 0.1}]}, **until)
    rfm_customers.require_open(view(log), "transactions", None, **until)


# --- stories told by the day

START, SEEN, AHEAD = ORIGIN - timedelta(days=540), 541, 26 * 7


@pytest.fixture(scope="module")
def told() -> dict[str, pd.DataFrame]:
    factors = daily(START, SEEN + AHEAD, YEAR)
    shops = {"weekly": (WEEKLY, 20_000), "seldom": (SELDOM, 40_000)}
    return {name: lives_by_the_day(n, theta, factors, seen_days=SEEN, seed=5) for name, (theta, n) in shops.items()}


def forecasts_of(told: pd.DataFrame, theta: tuple, calendar: dict) -> tuple[float, float]:
    """Return forecast / came of the half year and of its first four weeks where the parameters are known."""
    model, history = OnClock(purchase_model("bgnbd"), seen(calendar)), History.of(told[HISTORY])
    year, month = (expected_purchases(model, days / 7, history, np.array(theta)).sum() for days in (AHEAD, SOON))
    return year / told["came"].sum(), month / told["soon"].sum()


@pytest.mark.parametrize(("shop", "theta"), [("weekly", WEEKLY), ("seldom", SELDOM)])
def test_a_shop_that_states_its_year_is_forecast_right_and_one_that_does_not_is_not(told, shop, theta):
    assert forecasts_of(told[shop], theta, YEAR) == pytest.approx((1, 1), abs=0.02)
    without = forecasts_of(told[shop], theta, ALIKE)
    assert without[0] < 0.98
    assert without[1] > 1.5


def test_a_calendar_that_is_a_week_off_is_noticed(told):
    model, history = purchase_model("bgnbd"), History.of(told["weekly"][HISTORY])
    days = [ORIGIN + timedelta(days=shift) for shift in (-7, 0, 7)]
    models = [OnClock(model, seen(YEAR, day)) for day in days]
    expected = [expected_purchases(one, SOON / 7, history, np.array(WEEKLY)).sum() for one in models]
    early, right, late = expected / told["weekly"]["soon"].sum()
    assert right == pytest.approx(1, abs=0.02)
    assert abs(early - 1) > 0.2
    assert abs(late - 1) > 0.2


SAMPLING = Settings(chains=4, draws=500, tune=500, seed=1, method="laplace")


@pytest.fixture(scope="module")
def compiled(told) -> Compiled:
    return Compiled(purchase_model("bgnbd").build(told["weekly"].head(100)))


@pytest.mark.slow
def test_a_fit_on_the_clock_finds_the_rate_and_one_without_it_misses_the_total(told, compiled):
    model, base = purchase_model("bgnbd"), told["weekly"]
    found = {}
    for name, calendar in {"stated": YEAR, "unstated": ALIKE}.items():
        posterior = sample(compiled, on_clock(base, seen(calendar), model), SAMPLING)
        means = [float(posterior["posterior"][one.name].mean()) for one in model.parameters]
        found[name] = forecasts_of(base, tuple(means), calendar)
        if name == "stated":
            rate = (posterior["posterior"]["r"] / posterior["posterior"]["alpha"]).to_numpy()
            assert abs(rate.mean() - WEEKLY[0] / WEEKLY[1]) < 4 * rate.std()
    assert found["stated"] == pytest.approx((1, 1), abs=0.025)
    assert abs(found["unstated"][0] - 1) > 0.03
    assert found["unstated"][1] > 1.5


@pytest.mark.slow
def test_posteriors_on_the_clock_are_calibrated_and_those_without_it_are_not(compiled):
    """Ranks of the mean rate, and of the purchases to come, among posterior draws: uniform if all is right."""
    model, ranks = purchase_model("bgnbd"), {"stated": [], "unstated": []}
    rng, factors = np.random.default_rng(8), daily(START, SEEN + AHEAD, YEAR)
    for number in range(40):
        phi, kappa, r = rng.uniform(0.1, 0.4), rng.uniform(2, 8), rng.uniform(0.6, 1.6)
        theta = (r, r * rng.uniform(4, 12), phi * kappa, (1 - phi) * kappa)
        base = lives_by_the_day(800, theta, factors, seen_days=SEEN, seed=100 + number)
        for name, calendar in {"stated": YEAR, "unstated": ALIKE}.items():
            posterior = sample(compiled, on_clock(base, seen(calendar), model), SAMPLING)
            draws = Draws(OnClock(model, seen(calendar)), *_drawn(posterior, model))
            _, _, total = futures(base, draws, Horizon(AHEAD / 7), seed=number)
            below = (total.purchases[:, 0] < base["came"].sum()).mean()
            ranks[name].append(((draws.theta[:, 0] / draws.theta[:, 1] < 1 / (theta[1] / theta[0])).mean(), below))
    for column in (0, 1):
        assert kstest(np.array(ranks["stated"])[:, column], "uniform").pvalue > 0.001
    assert kstest(np.array(ranks["unstated"])[:, 1], "uniform").pvalue < 1e-4


def _drawn(posterior, model) -> tuple[np.ndarray, np.ndarray]:
    theta = np.column_stack([posterior["posterior"][one.name].to_numpy().ravel()[::10] for one in model.parameters])
    return theta, np.ones((len(theta), 6)) * [2.0, 3.0, 1.0, 2.0, 1.0, 1.0]


def test_a_reader_is_told_the_year_that_was_stated():
    told = pd.DataFrame(columns=["chosen"])
    words = choice_in_words(told, "BG/NBD", YEAR | {"uncertainty": 0.15}).replace("\u00a0", " ")
    assert words.endswith(
        "The year is the one that was stated: of an average day's purchases 256 % in December, 85 % in all other "
        "months; from 10 March 2025 to 23 March 2025 200 % of what these days would bring otherwise; from 14 July 2025 "
        "to 3 August 2025 0 % of what these days would bring otherwise. In the future, each is uncertain by about 15 %."
    )


@pytest.mark.slow
def test_years_that_come_otherwise_than_stated_by_as_much_as_stated_lie_inside_the_interval():
    """Every month to come is another by 15 %: nine in ten totals lie inside 90 %, a third where that is unsaid."""
    stated, rng, inside = YEAR | {"uncertainty": 0.15}, np.random.default_rng(12), {0.15: 0, 0.0: 0}
    months = pd.date_range(START, periods=SEEN + AHEAD).month.to_numpy()
    for number in range(24):
        factors = daily(START, SEEN + AHEAD, YEAR)
        factors[SEEN:] *= np.exp(0.15 * rng.standard_normal(12) - 0.15**2 / 2)[months[SEEN:] - 1]
        base = lives_by_the_day(3000, SELDOM, factors, seen_days=SEEN, seed=200 + number)
        for sd in inside:
            draws = timed_draws("bgnbd", 300, stated | {"uncertainty": sd}, SELDOM)
            _, _, total = futures(base, draws, Horizon(AHEAD / 7), seed=number)
            lower, upper = np.quantile(total.purchases[:, 0], [0.05, 0.95])
            inside[sd] += lower <= base["came"].sum() <= upper
    assert inside[0.15] >= 19
    assert inside[0.0] <= 15


# --- a year that the log shows

MONTHS_TABLE = ["month", "repeat_purchases", "if_alike"]


def months_of(*years: list[float], first: int = 2021) -> list[tuple[str, int, float]]:
    """Return repeat purchases of months after one that is cut, of customers who make 30 on a day like any other."""
    counts = [round(value) for year in years for value in year]
    names = pd.period_range(f"{first}-01", periods=len(counts), freq="M")
    return [(f"{first - 1}-12", 3, 3.0), *zip(names.astype(str), counts, 30.0 * names.days_in_month, strict=True)]


def test_a_december_that_comes_back_is_learnt_however_the_shop_grows():
    growing = 1000 * 1.02 ** np.arange(48) * np.tile([*[1.0] * 11, 2.0], 4)
    index, sd = learnt(months_of(growing.tolist()), date(2024, 12, 31))
    others = np.mean(index[:11])
    assert index[11] / others == pytest.approx(2, rel=0.1)
    assert np.ptp(index[:11]) < 0.15 * others  # months are not equally long
    assert sd < 0.05


def test_months_that_differ_by_chance_alone_are_no_year():
    rng, found = np.random.default_rng(1), []
    days = pd.period_range("2021-01", periods=48, freq="M").days_in_month.to_numpy()
    for _ in range(50):
        index, _ = learnt(months_of(rng.poisson(13 * days).tolist()), date(2024, 12, 31))
        found.append(np.ptp(np.log(index)))
    assert np.median(found) < 0.01
    assert np.mean(found) < 0.05


def test_months_to_come_differ_as_years_did_and_not_by_the_chance_of_counts():
    """Twenty logs of ten years, whose months have, beside the chance of counts, no luck of their own or one of 20 %."""
    days = pd.period_range("2015-01", periods=120, freq="M").days_in_month.to_numpy()
    usual, found = 10 * days * np.tile([*[0.9] * 11, 2.1], 10), {}
    for luck in (0.0, 0.2):
        rng = np.random.default_rng(2)
        drawn = [rng.poisson(usual * np.exp(luck * rng.standard_normal(120))) for _ in range(20)]
        found[luck] = np.mean([learnt(months_of(list(each), first=2015), date(2024, 12, 31))[1] for each in drawn])
    assert found[0.0] < 0.04
    assert found[0.2] == pytest.approx(0.2 * np.sqrt(1 + 1 / 9), rel=0.1)


def test_one_year_tells_nothing_two_little_and_nothing_after_the_day_is_looked_at():
    steep = [*[1000.0] * 11, 3000.0]
    assert learnt(months_of(steep, steep), date(2022, 12, 30)) == ([1.0] * 12, 0.0)
    two, _ = learnt(months_of(steep, steep), date(2022, 12, 31))
    assert 1 < two[11] / two[5] < 1.5
    three, _ = learnt(months_of(steep, steep, steep, [1.0] * 12), date(2023, 12, 31))
    assert three[11] > 2 * three[5]
    assert three == learnt(months_of(steep, steep, steep), date(2024, 12, 31))[0]


def test_a_log_in_which_nobody_came_back_shows_no_year():
    index, _ = learnt([(month, 0, 0.0) for month, *_ in months_of([0.0] * 48)], date(2024, 12, 31))
    assert index == [1.0] * 12


def test_a_clock_that_learns_learns_anew_from_what_was_known_at_each_origin():
    steep = months_of(*[[*[1000.0] * 11, 3000.0]] * 3)
    table = pd.DataFrame(steep, columns=MONTHS_TABLE)
    timed = seen(with_history(None, table), date(2023, 12, 31))
    assert timed.months[11] > 2 * timed.months[5]
    assert len(set(timed.at(date(2021, 12, 31)).months)) == 1
    assert timed.later(30).months == timed.months
    spans_alone = with_history(YEAR | {"months": None}, table)
    assert (spans_alone["spans"], "history" in spans_alone) == (YEAR["spans"], True)


def test_a_year_of_twelve_different_months_is_told_by_its_ends():
    calendar = {"months": list(np.arange(1.0, 13.0)), "spans": [], "uncertainty": 0.0}
    words = choice_in_words(pd.DataFrame(columns=["chosen"]), "BG/NBD", calendar).replace("\u00a0", " ")
    assert words.endswith("of an average day's purchases 184 % in December, the most, 15 % in January, the least.")


def test_a_year_of_months_that_are_all_alike_is_told_as_one():
    alike = {"months": [1.0] * 12, "spans": [], "uncertainty": 0.15}  # as {months: {}} is read
    words = choice_in_words(pd.DataFrame(columns=["chosen"]), "BG/NBD", alike)
    assert words.endswith("on past windows. All months count alike: no other year was stated.")


def test_stated_months_stay_and_a_log_that_shows_no_year_has_none():
    steep, even = (
        pd.DataFrame(months_of(*[[*[1000.0] * 11, december]] * 3), columns=MONTHS_TABLE)
        for december in (3000.0, 1000.0)
    )
    assert with_history(YEAR, steep) is YEAR
    assert with_history(None, even.head(14)) is None
    assert with_history(YEAR | {"months": None}, even.head(0)) == YEAR | {"months": None}
    all_alike = {"months": [1.0] * 12, "spans": [], "uncertainty": 0.15}  # as {months: {}} is read
    assert with_history(all_alike, steep) is all_alike


def test_repeat_purchases_are_counted_by_whole_months_and_empty_ones_are_there():
    log = pd.concat([purchases("ada", days=[0, 3, 70], amounts=[1, 1, 1]), purchases("bob", days=[3], amounts=[1])])
    assert log["date"].min() == pd.Timestamp("2024-01-01")
    for until, counts in (("2024-03-31", [1, 0, 1]), ("2024-03-30", [1, 0]), ("2024-01-30", [])):
        found = monthly_purchases(view(log), "transactions", last_day=date.fromisoformat(until))
        assert found["repeat_purchases"].tolist() == counts
        assert found["if_alike"].sum() == pytest.approx(sum(counts))


def test_many_who_came_in_december_and_buy_again_in_january_are_no_season():
    """Six times as many customers come in December; each buys again at once as often, whenever that is."""
    rng, days = np.random.default_rng(3), pd.date_range("2020-01-01", "2024-12-31")
    came = rng.choice(days, 12_000, p=(weights := np.where(days.month == 12, 6.0, 1.0)) / weights.sum())
    again = came.repeat(3) + rng.exponential([20, 60, 300], (12_000, 3)).ravel().astype("timedelta64[D]")
    bought = {"customer_id": [*np.arange(12_000).astype(str), *np.arange(12_000).repeat(3).astype(str)]}
    log = pd.DataFrame(bought | {"date": [*came, *again], "amount": 1.0}).drop_duplicates(["customer_id", "date"])
    found = monthly_purchases(view(log), "transactions", last_day=date(2024, 12, 31))
    rush = found[found["month"].str.endswith("-01")].iloc[1:]
    assert rush["repeat_purchases"].mean() > 1.5 * found["repeat_purchases"].mean()  # as of a season
    np.testing.assert_allclose(rush["if_alike"], rush["repeat_purchases"], rtol=0.1)
    index, _ = learnt(found.to_numpy().tolist(), date(2024, 12, 31))
    assert np.ptp(np.log(index)) < 0.05
