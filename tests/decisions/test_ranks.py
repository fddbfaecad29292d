"""Which group is better is told with a probability, from futures that are shared."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from clv.backtest.tables import WINDOW_GROUPS
from clv.decisions.acquisition import Acquisition
from clv.decisions.ranks import rank_groups
from clv.tables import empty

ASK = {"weeks": 52.0, "interval": 0.9, "seed": 1, "gross_margin": 0.5}


def forecast(*values: list[float]) -> SimpleNamespace:
    """Return a forecast of two cohorts, 10 and 20 customers, with these draws of their totals."""
    draws = np.column_stack(values)
    groups = pd.DataFrame(
        {"grouping": "cohort", "group": ["1997-01", "1997-02"], "customers": [10, 20], "revenue": 400.0}
    )
    return SimpleNamespace(groups=groups.assign(clv_mean=draws.mean(axis=0)), totals=SimpleNamespace(value=draws))


def test_the_better_cohort_stands_first_with_the_share_of_futures_in_which_it_is():
    # Per customer: 10, 30, 20, 40 beside 20, 20, 5, 5: ahead in three of four futures.
    table = rank_groups(forecast([100, 300, 200, 400], [400, 400, 100, 100]), ["cohort"], None, None, **ASK)
    assert table["group"].tolist() == ["1997-01", "1997-02"]
    assert table["clv_per_customer"].tolist() == [25.0, 12.5]
    assert table["p_above_next"].iloc[0] == 0.75 and np.isnan(table["p_above_next"].iloc[1])


def test_a_customer_may_cost_what_the_group_brought_and_brings_in_four_of_five_futures():
    values = np.arange(1.0, 101.0)
    table = rank_groups(forecast(10 * values, 20 * values[::-1]), ["cohort"], None, Acquisition(40.5), **ASK)
    assert table["margin_to_date"].tolist() == [20.0, 10.0]  # half of 40 and of 20
    assert table["highest_cost"].tolist() == pytest.approx([20 + 20.8, 10 + 20.8])
    assert table["p_above_cost"].tolist() == [0.8, 0.7]
    assert rank_groups(forecast(values, values), ["cohort"], None, None, **ASK)["p_above_cost"].isna().all()


def test_what_moves_all_groups_alike_decides_nothing():
    alike = np.random.default_rng(1).lognormal(0, 1.0, 500)
    table = rank_groups(forecast(10 * alike, 19 * alike), ["cohort"], None, None, **ASK)
    assert table["p_above_next"].iloc[0] == 1.0
    assert table["lower"].iloc[0] < table["clv_per_customer"].iloc[1]  # though their ranges overlap


def test_a_grouping_that_no_past_window_knew_is_ranked_too():
    asked = forecast([100, 300, 200, 400], [400, 400, 100, 100])
    asked.groups["grouping"] = "by Channel"
    past = empty(WINDOW_GROUPS)
    assert rank_groups(asked, ["by Channel"], past, None, **ASK)["group"].tolist() == ["1997-01", "1997-02"]


def test_one_group_alone_has_no_next():
    alone = forecast([100, 300], [1, 1])
    alone.groups = alone.groups.head(1)
    assert rank_groups(alone, ["cohort"], None, None, **ASK)["p_above_next"].isna().all()


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_the_order_of_the_rows_does_not_matter(order):
    one = forecast([100, 300, 200, 400], [400, 400, 100, 100])
    one.groups = one.groups.iloc[order]
    assert rank_groups(one, ["cohort"], None, None, **ASK)["clv_per_customer"].tolist() == [25.0, 12.5]
