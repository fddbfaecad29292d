"""What simulate promises: the stated processes, a truth that goes with the log, and mess that cleaning removes."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from forecasts import histories
from scipy.special import hyp2f1

from clv import tables
from clv.rfm import customers
from clv.transactions import cleaning, connection, generate, reading
from clv.transactions import tables as transactions_tables
from clv.transactions.generate import Truth
from clv.transactions.source import ISO_DATE, SourceSettings
from clv.transactions.tables import LEDGER, TRANSACTIONS

TRUTH = Truth(r=0.8, alpha_weeks=8.0, a=0.8, b=4.0, p=5.0, q=4.0, v=24.0)
END = date(2025, 12, 31)


def generated(n_customers=600, seed=7):
    log, latent, future = generate.generate(
        TRUTH,
        n_customers=n_customers,
        start=date(2024, 1, 1),
        acquisition_months=24,
        observation_end=END,
        horizon_weeks=52,
        generator=np.random.default_rng(seed),
    )
    return log, generate.true_future((latent, future), discount_weekly=0.002, gross_margin=0.5)


def latent(rate, dropout, n_customers=1):
    frame = pd.DataFrame({"purchase_rate_weekly": rate, "dropout_probability": dropout}, index=range(n_customers))
    return frame.assign(spend_rate=0.1, mean_spend=50.0)


def expected_repeats(weeks):
    """Return E[X(t)] of a new customer (Fader, Hardie & Lee 2005, eq. 9)."""
    r, alpha, a, b = TRUTH.r, TRUTH.alpha_weeks, TRUTH.a, TRUTH.b
    decay = (alpha / (alpha + weeks)) ** r * hyp2f1(r, b, a + b - 1, weeks / (alpha + weeks))
    return (a + b - 1) / (a - 1) * (1 - decay)


def standard_errors_off(values, expected):
    return abs(np.mean(values) - expected) / (np.std(values) / np.sqrt(len(values)))


@pytest.fixture(scope="module")
def many():
    return histories(TRUTH, 100_000, 39.0, 52.0, 0.0, np.random.default_rng(1))


def test_latent_values_have_the_means_of_their_distributions():
    people = generate.population(TRUTH, 200_000, np.random.default_rng(3))
    assert standard_errors_off(people["purchase_rate_weekly"], 0.8 / 8) < 4
    assert standard_errors_off(people["dropout_probability"], 0.8 / 4.8) < 4
    assert standard_errors_off(people["mean_spend"], 5 * 24 / (4 - 1)) < 4
    assert standard_errors_off(people["purchase_rate_weekly"], 1.05 * 0.8 / 8) > 4


def test_repeat_purchases_meet_the_published_expectation(many):
    assert standard_errors_off(many["frequency"], expected_repeats(39.0)) < 4
    assert standard_errors_off(many["frequency"], expected_repeats(41.0)) > 4


def test_nobody_leaves_right_after_the_first_purchase(many):
    silent = (many["frequency"] == 0).to_numpy(dtype=float)
    stays = (8 / (8 + 39)) ** 0.8
    assert standard_errors_off(silent, stays) < 4
    assert standard_errors_off(silent, stays + (1 - stays) * 0.8 / 4.8) > 4  # if they could


def test_the_future_is_the_same_process_running_on(many):
    assert standard_errors_off(many["future_purchases"], expected_repeats(91.0) - expected_repeats(39.0)) < 4


def test_only_customers_who_are_alive_buy_later(many):
    assert many.loc[many["alive"] == 0, "future_purchases"].max() == 0
    assert (many.loc[many["frequency"] == 0, "alive"] == 1).all()
    assert 0 < many["alive"].mean() < 1


def test_repeat_amounts_have_the_customers_own_mean(many):
    buyers = many[many["frequency"] >= 5]
    errors = (buyers["monetary_value"] / buyers["mean_spend"] - 1) * np.sqrt(TRUTH.p * buyers["frequency"])
    assert abs(errors.mean()) < 4 / np.sqrt(len(buyers))
    assert errors.std() == pytest.approx(1, abs=0.05)  # the mean of x amounts has variation 1 / (p x)


def test_histories_keep_exact_times(many):
    frame = many[many["frequency"] > 0]
    assert (frame["recency"] <= frame["T"]).all()
    assert (frame["recency"] > 0).all()
    assert ((frame["recency"] * 7) % 1 > 0).mean() > 0.999


def test_a_customer_who_always_leaves_buys_once_more_at_most():
    events = generate.purchases(TRUTH, latent(5.0, 1.0, 100), 52.0, np.random.default_rng(1))
    assert events.groupby("customer").size().tolist() == [2] * 100
    assert events.groupby("customer")["leaves"].last().all()


def test_a_customer_who_never_leaves_buys_as_a_poisson_process():
    events = generate.purchases(TRUTH, latent(2.0, 0.0, 4_000), 10.0, np.random.default_rng(1))
    counts = events.groupby("customer").size() - 1
    assert standard_errors_off(counts, 20.0) < 4
    assert counts.var() == pytest.approx(20.0, rel=0.1)


def test_each_customer_is_watched_until_the_own_age():
    ages = np.array([0.0, 1.0, 50.0])
    events = generate.purchases(TRUTH, latent(3.0, 0.0, 3), ages, np.random.default_rng(1))
    assert (events["week"] <= ages[events["customer"]]).all()
    assert events.groupby("customer")["number"].max().iloc[0] == 0


def test_future_value_is_discounted_from_the_end_of_observation():
    plain = histories(TRUTH, 500, 20.0, 30.0, 0.0, np.random.default_rng(4))
    discounted = histories(TRUTH, 500, 20.0, 30.0, 0.05, np.random.default_rng(4))
    buyers = plain["future_purchases"] > 0
    ratio = discounted.loc[buyers, "future_value"] / plain.loc[buyers, "future_value"]
    assert ((ratio < 1) & (ratio > np.exp(-0.05 * 30))).all()
    assert (discounted.loc[~buyers, "future_value"] == 0).all()


def test_the_generated_log_is_clean_and_goes_with_its_truth():
    log, truth = generated()
    tables.check(transactions_tables.TRUTH, truth)
    assert set(log["customer_id"]) == set(truth["customer_id"])  # everybody's first purchase is in the log
    assert log["date"].between("2024-01-01", "2025-12-31").all()
    assert log["order_id"].is_unique
    assert log.equals(log.sort_values(["date", "order_id"], ignore_index=True))
    assert (log["amount"] >= 0.01).all()
    assert ((log["amount"] * 100).round() / 100 == log["amount"]).all()


def test_first_purchases_fill_the_acquisition_months_evenly():
    log, _ = generated(n_customers=6_000)
    months = log.groupby("customer_id")["date"].min().dt.strftime("%Y-%m").value_counts()
    assert len(months) == 24
    assert months.between(180, 330).all()  # 250 expected, 5 standard deviations of 16


def test_nobody_is_acquired_after_the_end_of_observation():
    log, latent, _ = generate.generate(
        TRUTH,
        n_customers=200,
        start=date(2024, 1, 1),
        acquisition_months=24,
        observation_end=date(2024, 2, 10),
        horizon_weeks=10,
        generator=np.random.default_rng(2),
    )
    assert log["date"].max() <= pd.Timestamp("2024-02-10")
    assert log["customer_id"].nunique() == len(latent) == 200


def test_generated_future_value_is_margin_times_less_than_the_amounts():
    _, truth = generated(n_customers=5_000)
    buyers = truth[truth["future_purchases"] > 0]
    per_purchase = buyers["future_value"].sum() / buyers["future_purchases"].sum()
    assert 0.4 * 40 < per_purchase < 0.5 * 40  # mean spend 40, margin 0.5, up to 10 % discount


def test_the_same_seed_gives_the_same_log_and_another_seed_another():
    log, truth = generated(seed=5)
    again, truth_again = generated(seed=5)
    pd.testing.assert_frame_equal(log, again)
    pd.testing.assert_frame_equal(truth, truth_again)
    assert not log.equals(generated(seed=6)[0])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_cleaning_removes_the_mess_to_the_cent(seed, tmp_path):
    generator = np.random.default_rng(seed)
    log, _ = generated(seed=seed)
    messy = generate.mess(log, share=0.06, generator=generator)
    messy.to_csv(tmp_path / "raw.csv", index=False)
    settings = SourceSettings(
        tmp_path / "raw.csv",
        columns={name: name for name in messy.columns},
        date_format=ISO_DATE,
        observation_end=END,
        exclude_pattern="^TEST",
    )
    con = connection.connect()
    reading.read(con, settings)
    cleaning.clean(con, settings)

    cents = log.assign(cents=(log["amount"] * 100).round().astype("int64"))
    wanted = cents.groupby(["customer_id", "date"], as_index=False)["cents"].sum()
    cleaned = cleaning.frame(con, TRANSACTIONS)
    assert cleaned["customer_id"].tolist() == wanted["customer_id"].tolist()
    assert cleaned["date"].tolist() == wanted["date"].tolist()
    assert cleaned["amount"].tolist() == (wanted["cents"] / 100).tolist()

    ledger = cleaning.frame(con, LEDGER).set_index("line")["rows"]
    size = ledger["duplicate"]
    assert size == round(0.01 * len(log))
    for line, rows in {
        "missing_customer_id": size,
        "excluded_customer": size,
        "refund_netted": 2 * size,
        "cancelled_purchase": size,
        "kept": len(log),
        "source": len(log) + 6 * size,
    }.items():
        assert ledger[line] == rows
    assert "set_aside" not in ledger


def test_mess_leaves_the_given_log_alone_and_a_share_of_zero_adds_nothing():
    log, _ = generated()
    before = log.copy()
    messy = generate.mess(log, share=0.0, generator=np.random.default_rng(1))
    pd.testing.assert_frame_equal(log, before)
    assert messy["order_id"].tolist() == log["order_id"].tolist()
    assert messy["amount"].astype(float).tolist() == log["amount"].tolist()
    assert (messy.dtypes == "str").all()


def test_refunds_come_after_their_order_and_before_the_end():
    log, _ = generated()
    messy = generate.mess(log, share=0.1, generator=np.random.default_rng(1))
    refunds = messy[messy["amount"].str.startswith("-")]
    orders = messy[~messy["amount"].str.startswith("-")].drop_duplicates("order_id").set_index("order_id")
    assert (refunds["date"].to_numpy() >= orders.loc[refunds["order_id"], "date"].to_numpy()).all()
    assert refunds["date"].max() <= "2025-12-31"


def test_the_generated_log_has_the_histories_of_the_process():
    """The days of the log are floors of exact times, so frequencies agree with E[X(t)] up to same-day purchases."""
    log, _ = generated(n_customers=20_000)
    con = connection.connect()
    con.register("log", log)
    con.execute("CREATE VIEW days AS SELECT customer_id, date, sum(amount) AS amount FROM log GROUP BY ALL")
    frame = customers.summarise(con, "days", period_end=END)
    expected = expected_repeats(frame["T"].to_numpy() + 0.5 / 7).mean()
    assert frame["frequency"].mean() == pytest.approx(expected, rel=0.04)
