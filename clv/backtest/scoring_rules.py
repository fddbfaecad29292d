"""Scores of predictive distributions against what happened: coverage, PIT, slope, ranking.

A customer's outcome y enters through F(y-) (`below`: share of draws below y) and F(y) (`at_most`: share at or below y),
from clv.backtest.scored_draws; coverage and the randomised PIT follow from these two numbers.
"""

import numpy as np
import pandas as pd

from clv.models.base import Floats
from clv.units import tails


def coverage(below: pd.Series, at_most: pd.Series, level: float) -> float:
    """Return the share of customers whose outcome lies inside the central predictive interval (limits included)."""
    lower, upper = tails(level)
    return float(((at_most >= lower) & (below < upper)).mean())


def randomised_pit(below: pd.Series, at_most: pd.Series, *, seed: int) -> Floats:
    """Return F(y-) + U (F(y) - F(y-)): uniform on (0, 1) if and only if the forecast is calibrated."""
    return (below + np.random.default_rng(seed).random(len(below)) * (at_most - below)).to_numpy()


def pit_distance(below: pd.Series, at_most: pd.Series, *, seed: int) -> tuple[float, float]:
    """Return the Kolmogorov-Smirnov distance of the randomised PIT from uniform, and its p-value."""
    from scipy.stats import kstest  # a second that only this costs

    distance, p_value = kstest(randomised_pit(below, at_most, seed=seed), "uniform")
    return float(distance), float(p_value)


def slope(predicted: pd.Series, actual: pd.Series) -> float:
    """Return the regression slope of actual on predicted: 1 if forecasts are neither too wide nor too narrow."""
    return float(np.cov(predicted, actual)[0, 1] / np.var(predicted, ddof=1))


def slope_error(predicted: pd.Series, actual: pd.Series) -> float:
    """Return the standard error of `slope`, whatever the spread of the outcomes (White 1980)."""
    x = predicted - predicted.mean()
    residual = actual - actual.mean() - slope(predicted, actual) * x
    return float(np.sqrt(((x * residual) ** 2).sum()) / (x**2).sum())


def gini(ranked_by: pd.Series, actual: pd.Series) -> float | None:
    """Return the normalised Gini coefficient of a ranking: 1 if it is that of `actual`, 0 if it is by lot.

    Gini = cov(y, rank) / (n mean(y) / 2), each over that of the perfect ranking; ties share their mean rank. None where
    all outcomes are the same.
    """
    perfect = np.cov(actual, actual.rank())[0, 1]
    return float(np.cov(actual, ranked_by.rank())[0, 1] / perfect) if perfect > 0 else None


def share_of_best_ranked(ranked_by: pd.Series, actual: pd.Series, *, share: float = 0.10) -> float | None:
    """Return the share of all outcomes that the first `share` of the customers brought; ties share the places left."""
    total, places = actual.sum(), share * len(actual)
    last = ranked_by.nlargest(max(int(np.ceil(places)), 1)).min() if len(actual) else 0.0
    sure, tied = ranked_by > last, ranked_by == last
    brought = actual[sure].sum() + (places - sure.sum()) / max(tied.sum(), 1) * actual[tied].sum()
    return float(brought / total) if total > 0 else None
