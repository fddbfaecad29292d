"""Scale must not matter: a log in cents makes the same customers worth a hundred times the number, to the total."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from forecasts import CDNOW_PURCHASES, posterior

from clv.forecast import closed_forms, future, groups, horizon
from clv.models import draws as models_draws
from clv.models import gamma_gamma
from clv.models.draws import Draws
from clv.models.gamma_gamma import Amounts
from clv.models.sampling import LAPLACE, Settings
from clv.rfm import customers as rfm_customers
from clv.transactions import cleaning, reading, source
from clv.transactions import connection as transactions_connection
from clv.transactions.source import CDNOW_COLUMNS, SourceSettings

END = date(1998, 6, 30)
HORIZON = horizon.yearly_horizon(52, discount_rate_annual=0.10, gross_margin=1.0)
SETTINGS = Settings(chains=4, draws=1000, tune=1000, seed=20260101, method=LAPLACE)
CDNOW = SourceSettings(path=source.CDNOW, columns=CDNOW_COLUMNS, date_format="%Y-%m-%d")


def customers_of(settings: SourceSettings) -> pd.DataFrame:
    connection = transactions_connection.connect()
    reading.read(connection, settings)
    cleaning.clean(connection, settings)
    return rfm_customers.summarise(connection, "transactions", period_end=END)


@pytest.fixture(scope="module")
def logs(tmp_path_factory) -> dict[str, pd.DataFrame]:
    """The CDNOW log as it ships, and a copy of the file in cents, each through reading, cleaning and summarising."""
    in_cents = tmp_path_factory.mktemp("log") / "cents.csv"
    log = pd.read_csv(source.CDNOW, dtype=str)
    cents = (log["amount"].astype(float) * 100).round().astype(int).astype(str)
    log.assign(amount=cents).to_csv(in_cents, index=False)
    return {"dollars": customers_of(CDNOW), "cents": customers_of(replace(CDNOW, path=in_cents))}


@pytest.fixture(scope="module")
def worth(logs) -> dict[str, tuple[pd.DataFrame, np.ndarray]]:
    """Expected values per customer and joint totals of both logs, same seed."""
    from clv.models import gamma_gamma_pymc, sampling

    # Histories are the same in both units (first test), so any purchase posterior will do.
    scatter = np.exp(0.05 * np.random.default_rng(1).normal(size=(4, 1000)))
    purchases = posterior(**{name: value * scatter for name, value in CDNOW_PURCHASES.items()})
    # One compiled model: the typical order enters as data, so each log brings its own scale.
    spend = sampling.sample_parts(sampling.Compiled(gamma_gamma_pymc.model(logs["dollars"])), logs, SETTINGS)
    return {
        unit: _worth(customers, models_draws.pair(purchases, spend[unit], 1000)) for unit, customers in logs.items()
    }


def _worth(customers: pd.DataFrame, draws: Draws) -> tuple[pd.DataFrame, np.ndarray]:
    totals = future.simulate(customers, draws, HORIZON, seed=SETTINGS.seed, workers=2)
    return closed_forms.expectations(customers, draws, HORIZON, interval=0.9), totals.value[:, 0]


def test_purchase_histories_do_not_depend_on_the_unit(logs):
    pd.testing.assert_frame_equal(
        logs["dollars"][["frequency", "recency", "T"]], logs["cents"][["frequency", "recency", "T"]]
    )
    assert gamma_gamma.typical_order_value(logs["cents"]) == pytest.approx(
        100 * gamma_gamma.typical_order_value(logs["dollars"])
    )


@pytest.mark.slow
def test_every_customer_is_worth_the_same_in_cents(worth):
    dollars, cents = (worth[unit][0]["clv_mean"] for unit in ("dollars", "cents"))
    np.testing.assert_allclose(cents / 100, dollars, rtol=0.01)


@pytest.mark.slow
def test_the_total_is_the_same_in_cents(worth):
    dollars, cents = worth["dollars"][1], worth["cents"][1] / 100
    error = np.hypot(dollars.std(), cents.std()) / np.sqrt(dollars.size)
    assert abs(cents.mean() - dollars.mean()) < 2 * error
    for probability in (0.05, 0.95):
        error = groups.monte_carlo_error(dollars, probability)
        assert abs(np.quantile(cents, probability) - np.quantile(dollars, probability)) < 2 * error


@pytest.mark.slow
def test_upstreams_default_priors_would_not_pass(logs):
    """Negative control: the modes under pymc-marketing's own priors value customers differently in the two units."""
    from pymc_marketing.clv import GammaGammaModel

    spend = {}
    for unit, customers in logs.items():
        repeat = gamma_gamma.usable(customers)
        model = GammaGammaModel()
        model.build_model(repeat[["customer_id", "frequency", "monetary_value"]])
        mode = _mode(model.model)
        spend[unit] = gamma_gamma.expected_spend(Amounts.of(repeat)._replace(first=0.0), np.array([*mode, 1.0, 1.0]))
    apart = np.abs(spend["cents"] / 100 / spend["dollars"] - 1)
    assert np.nanmax(np.where(np.isfinite(apart), apart, 1.0)) > 0.05


def _mode(model) -> list[float]:
    import pymc as pm

    mode = pm.find_MAP(model=model, progressbar=False)
    return [float(mode[name]) for name in ("p", "q", "v")]
