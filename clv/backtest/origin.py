"""The origin of a forecast that is tested: its day, and the time after it in which it can be."""

from datetime import date

from clv.forecast.horizon import Horizon, yearly_horizon
from clv.units import DAYS_PER_WEEK


def origin_day(calibration_end: date | None) -> date:
    """Return the last day the backtest's forecast may see; without a backtest the first of all days, nobody's."""
    return calibration_end or date.min


def holdout_horizon(
    cut: date, last_day: date, *, discount_rate_annual: float = 0.0, gross_margin: float = 1.0
) -> Horizon:
    """Return the horizon of the backtest: from the cut to the last day; of no length without a backtest."""
    weeks = (last_day - cut).days / DAYS_PER_WEEK if cut > date.min else 0.0
    return yearly_horizon(weeks, discount_rate_annual=discount_rate_annual, gross_margin=gross_margin)
