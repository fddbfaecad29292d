"""What memory promises: a run that needs more than it may use is refused in a sentence, before anything is fitted."""

import pandas as pd
import pytest

from clv.errors import InputError
from clv.forecast import memory
from clv.models.base import predictive_draws

OPTIONS = {"draws": 1000, "horizon_weeks": 52, "workers": 2}


def customers(n: int, months: int = 24) -> pd.DataFrame:
    first = pd.date_range("2024-01-01", periods=months, freq="MS")
    return pd.DataFrame({"first_purchase": first[[i % months for i in range(n)]]})


@pytest.mark.parametrize(("customers", "peak_mib"), [(10_000, 879), (100_000, 988), (1_000_000, 2607)])
def test_what_is_needed_is_what_was_measured(customers, peak_mib):
    given = OPTIONS | {"draws": predictive_draws(None, customers)}
    assert memory.needed_gib(customers, cohorts=24, **given) == pytest.approx(peak_mib / 1024, rel=0.045)


def test_memory_grows_with_customers_plus_draws_and_not_with_their_product():
    def needed(n: int, draws: int) -> float:
        return memory.needed_gib(n, cohorts=24, **(OPTIONS | {"draws": draws}))

    more_customers = needed(100_000, 1000) - needed(50_000, 1000)
    assert more_customers == pytest.approx(needed(100_000, 20_000) - needed(50_000, 20_000))
    assert more_customers < 0.1


def test_a_run_that_fits_is_told_what_it_needs():
    assert memory.require_memory(customers(1000), memory_gib=4, **OPTIONS) < 1


@pytest.mark.slow
def test_a_run_that_does_not_fit_is_refused_with_what_to_change():
    with pytest.raises(InputError) as refused:
        memory.require_memory(customers(500_000), memory_gib=1, **OPTIONS)
    assert str(refused.value) == (
        "500,000 customers with 1,000 predictive_draws need about 1.7 GiB of memory, more than memory_gib (1): "
        "raise it, or lower predictive_draws (0.1 GiB of it)."
    )


def test_very_many_customers_take_half_the_draws_unless_more_are_stated():
    taken = [predictive_draws(stated, n) for stated, n in ((None, 200_000), (None, 200_001), (1000, 10**6))]
    assert taken == [1000, 500, 1000]


def test_the_database_keeps_to_its_share():
    from clv.transactions.connection import connect, one

    assert one(connect(memory_gib=2.0), "SELECT current_setting('memory_limit')") == "819.0 MiB"
