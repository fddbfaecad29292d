"""What the watch list promises: the day on which silence becomes a sign, for customers worth watching."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from forecasts import CDNOW, customers, fixed_draws, typed_draws

from clv.decisions import watch
from clv.forecast import tiers
from clv.forecast.tiers import LIKELY_LEFT
from clv.models import bgnbd
from clv.models.base import HISTORY

LAST_DAY = date(2025, 12, 31)
ROWS = customers(
    *[(12, 50.0, 52.0, 80.0), (12, 46.0, 52.0, 80.0), (12, 20.0, 52.0, 80.0)],
    *[(0, 0.0, 52.0, 0.0), (6, 26.0, 30.0, 20.0), (2, 20.0, 40.0, 9.0)],
)
PURCHASE = list(CDNOW.values())[:4]


def known(rows: pd.DataFrame = ROWS, tier: str = "Top 10 %") -> pd.DataFrame:
    alive = bgnbd.probability_alive(*rows[HISTORY].to_numpy(float).T, *PURCHASE)
    identifiers = pd.Series([f"C{number}" for number in range(len(rows))], dtype="str")
    value = np.arange(len(rows), 0.0, -1.0)
    return rows.assign(customer_id=identifiers, p_alive=alive, clv_mean=value, value_tier=tier)


def alive_after(row: pd.Series, days: int) -> float:
    return float(bgnbd.probability_alive(row["frequency"], row["recency"], row["T"] + days / 7, *PURCHASE))


def test_the_day_is_the_first_on_which_silence_makes_leaving_more_likely_than_not():
    repeat = ROWS[ROWS["frequency"] > 0]
    days = watch.days_until_sign(repeat, fixed_draws(3, **CDNOW), at_most=3000)
    for day, (_, row) in zip(days, repeat.iterrows(), strict=True):
        assert alive_after(row, day) < 0.5
        assert day == 0 or alive_after(row, day - 1) >= 0.5


def test_later_days_than_asked_for_are_not_searched_for():
    assert watch.days_until_sign(ROWS.iloc[[5]], fixed_draws(3, **CDNOW), at_most=5).tolist() == [6]


def test_the_posterior_is_averaged_and_not_its_parameters():
    draws = typed_draws(**{name: np.array([0.3, 3.0]) * value for name, value in CDNOW.items()})
    (day,) = watch.days_until_sign(ROWS.iloc[[1]], draws, at_most=3000)
    x, t_x, age = ROWS.iloc[1][["frequency", "recency", "T"]]
    before, then = (bgnbd.probability_alive(x, t_x, age + at / 7, *draws.theta.T).mean() for at in (day - 1, day))
    assert then < 0.5 <= before


def test_only_valuable_repeat_customers_who_slip_within_four_weeks_are_listed():
    found = watch.watch_list(known(), fixed_draws(3, **CDNOW), LAST_DAY)
    days = watch.days_until_sign(ROWS[ROWS["frequency"] > 0], fixed_draws(3, **CDNOW), at_most=3000)
    expected = [f"C{at}" for at, day in zip(ROWS.index[ROWS["frequency"] > 0], days, strict=True) if 0 < day <= 28]
    assert found["customer_id"].tolist() == expected
    assert "C2" not in expected  # has left already, more likely than not
    assert "C3" not in found["customer_id"].tolist()  # bought once: no silence says that he left
    assert watch.watch_list(known(tier="Remaining 40 %"), fixed_draws(3, **CDNOW), LAST_DAY).empty


def test_the_date_counts_from_the_end_of_observation():
    found = watch.watch_list(known(), fixed_draws(3, **CDNOW), LAST_DAY)
    row = ROWS.loc[int(found["customer_id"].iloc[0][1:])]
    day = (found["silence_is_a_sign_from"].iloc[0].date() - LAST_DAY).days
    assert alive_after(row, day) < 0.5 <= alive_after(row, day - 1)
    assert found["weeks_silent"].iloc[0] == pytest.approx(row["T"] - row["recency"])


def test_slipping_and_watching_share_their_limit():
    already = known()[lambda rows: rows["p_alive"] < LIKELY_LEFT]
    assert set(tiers.slipping(known())["customer_id"]) == set(already["customer_id"])
