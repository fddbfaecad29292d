"""What support promises: a base that can carry nothing is refused, one that can carry little is said to."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from helpers import cdnow

from clv.checks import gate
from clv.checks.gate import FAIL, PASS, WARN
from clv.errors import InputError
from clv.rfm import customers as rfm_customers
from clv.rfm import support
from clv.rfm.support import ENOUGH, ROUGH, TOO_LITTLE


def base(repeat: int, *, once: int = 100, weeks: float = 52.0, one_price: bool = False) -> pd.DataFrame:
    """Return histories of `repeat` customers who came back and `once` who did not."""
    amounts = np.full(repeat, 9.99) if one_price else np.linspace(5, 50, repeat)
    return pd.DataFrame(
        {
            "frequency": [1] * repeat + [0] * once,
            "monetary_value": [*amounts, *[0.0] * once],
            "T": np.linspace(weeks / 2, weeks, repeat + once),
        }
    )


def answers(customers: pd.DataFrame, horizon_weeks: float = 52) -> dict[str, str]:
    """Return the answer to each question."""
    return {found.name: found.answer for found in support.judge(customers, horizon_weeks=horizon_weeks)}


def test_cdnow_carries_the_full_report():
    customers = rfm_customers.summarise(cdnow(), "transactions", period_end=date(1998, 6, 30))
    assert set(answers(customers).values()) == {ENOUGH}


@pytest.mark.parametrize(
    ("repeat", "answer", "verdict"),
    [
        (0, TOO_LITTLE, FAIL),
        (29, TOO_LITTLE, FAIL),
        (30, ROUGH, WARN),
        (99, ROUGH, WARN),
        (100, ROUGH, WARN),
        (299, ROUGH, WARN),
        (300, ENOUGH, PASS),
    ],
)
def test_the_number_of_repeat_customers_decides(repeat, answer, verdict):
    assert answers(base(repeat))["repeat customers"] == answer
    assert gate.verdict(gate.judge_data(base(repeat), horizon_weeks=52)) == verdict


def test_a_small_base_is_told_how_wide_its_totals_are():
    sentence = support.judge(base(60), horizon_weeks=52)[0].sentence
    assert sentence.startswith("Exploratory: only 60 of 160 customers")
    assert "leaves totals unsure by ± 25 %" in sentence


@pytest.mark.parametrize(
    ("customers", "sentence"),
    [
        (base(29), "Only 29 of 129 customers made a repeat purchase with an amount; at least 30 are needed"),
        (base(0, once=0), "Only 0 of 0 customers"),
        (base(400, weeks=5), "The longest history is 5 weeks; at least 8 are needed to tell a pause from a farewell"),
    ],
)
def test_what_can_carry_nothing_is_refused(customers, sentence):
    with pytest.raises(InputError) as refusal:
        support.require_support(customers, horizon_weeks=52)
    assert str(refusal.value).startswith(sentence)


def test_one_price_is_said_and_almost_one_price_is_not_one():
    single = base(40, one_price=True)
    almost = single.assign(monetary_value=[10.0, *single["monetary_value"][1:]])
    said = [support.judge(customers, horizon_weeks=52)[1].sentence for customers in (single, almost)]
    assert said[0] == "Every purchase counts 9.99: the forecast is one of purchases, times that."
    assert said[1] == "Customers spend different amounts."


def test_a_forecast_far_beyond_the_history_is_said_to_be_one():
    found = support.judge(base(400, weeks=20), horizon_weeks=52)[-1]
    assert (found.answer, found.figure) == (ROUGH, pytest.approx(2.6))
    assert found.sentence.endswith("these data carry about 40 weeks.")
    assert answers(base(400, weeks=26), horizon_weeks=52)["horizon / history"] == ENOUGH
