"""How much memory a run needs: known once its customers are counted, so that too much is refused before any fit.

What counts are the tables with one row per customer and what is kept per posterior draw. Nothing of size customers x
draws is ever held. Measured as the peak of the hungriest notebook, 05, with 10,000, 100,000 and 1,000,000 generated
customers, a campaign and customers still to come: 879, 988 and 2,607 MiB.
"""

import pandas as pd

from clv.errors import InputError
from clv.models.base import predictive_draws
from clv.rfm import segments

GIB = 2**30
# The libraries; a customer in the tables of the forecast and of the backtest; a draw's histogram of values (value.py).
BASE_BYTES, CUSTOMER_BYTES, DRAW_BYTES = 720 * 2**20, 1_880, 45_056
# Sums kept per draw: two of each group, three of each month of each cohort and segment; two wait per worker, beside run
# and total.
GROUPS, MONTHS_PER_WEEK = 40, 12 / 52


def needed_gib(customers: int, *, draws: int, cohorts: int, horizon_weeks: float, workers: int) -> float:
    """Return the memory (GiB) that the hungriest notebook of a run needs at its peak."""
    return (BASE_BYTES + customers * CUSTOMER_BYTES + _draw_bytes(draws, cohorts, horizon_weeks, workers)) / GIB


def require_memory(
    customers: pd.DataFrame, *, draws: int | None, horizon_weeks: float, workers: int, memory_gib: float
) -> float:
    """Return `needed_gib` for table RFM, or refuse the run if that is more than `memory_gib`."""
    draws = predictive_draws(draws, len(customers))
    cohorts = segments.cohort(customers["first_purchase"]).nunique()
    needed = needed_gib(len(customers), draws=draws, cohorts=cohorts, horizon_weeks=horizon_weeks, workers=workers)
    if needed > memory_gib:
        of_draws = _draw_bytes(draws, cohorts, horizon_weeks, workers) / GIB
        raise InputError(
            f"{len(customers):,} customers with {draws:,} predictive_draws need about {needed:.1f} GiB of memory, more "
            f"than memory_gib ({memory_gib:g}): raise it, or lower predictive_draws ({of_draws:.1f} GiB of it)."
        )
    return needed


def _draw_bytes(draws: int, cohorts: int, horizon_weeks: float, workers: int) -> float:
    months = horizon_weeks * MONTHS_PER_WEEK + 2
    sums = 8 * (3 * (cohorts + len(segments.WHO)) * months + 2 * (GROUPS + cohorts))
    return draws * (DRAW_BYTES + sums * (2 * workers + 3))
