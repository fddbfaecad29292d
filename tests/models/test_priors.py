"""What is held possible before any data: each prior is what its line says, for whoever samples, weighs or shows it."""

import numpy as np
import pytest
from scipy.stats import norm

from clv.models.priors import PURCHASES, RHYTHM, SPEND, log_density

each_prior = pytest.mark.parametrize("prior", RHYTHM + SPEND, ids=lambda prior: prior.name)


@each_prior
def test_95_percent_of_a_prior_lie_in_the_range_that_it_states(prior):
    limits = prior.quantile(norm.ppf([0.025, 0.975]))
    np.testing.assert_allclose(limits, (prior.low, prior.high), rtol=0.03)


@pytest.mark.parametrize(
    ("priors", "name", "half", "low", "high"),
    [
        (PURCHASES, "yearly_rate", 3, 1 / 6, 52),  # a purchase in six years, one a week
        (PURCHASES, "r", 1, 0.14, 7),
        (PURCHASES, "phi_dropout", 0.27, 0.03, 0.82),
        (RHYTHM, "odds_2", 1, 1 / 20, 20),
        (RHYTHM, "odds_4", 1, 1 / 20, 20),
        (PURCHASES, "kappa_dropout", 7.4, 0.15, 370),  # so wide: a base of equal loyalty must be possible
        (SPEND, "p", 4, 1 / 1.33**2, 1 / 0.19**2),  # coefficients of variation of 1.33 and .19
        (SPEND, "q", 3.5, 0.8, 15),
        (SPEND, "relative_spend", 1, 1 / 7, 7),
        (SPEND, "relative_shape", 1, 1 / 1.6**2, 1 / 0.6**2),
        (SPEND, "first_ratio", 1, 0.55, 1.8),
    ],
)
def test_customers_are_believed_to_be_what_they_were(priors, name, half, low, high):
    """Typed a second time on purpose: a prior changed by accident changes every value that is reported."""
    (prior,) = [one for one in priors if one.name == name]
    np.testing.assert_allclose(prior.quantile(norm.ppf([0.025, 0.5, 0.975])), (low, half, high), rtol=0.12)


@each_prior
def test_a_prior_weighs_values_as_the_normal_distribution_on_its_scale_does(prior):
    at = np.array([-2.0, 0.0, 1.0])
    np.testing.assert_allclose(prior.log_density(prior.quantile(at)), -(at**2) / 2, atol=1e-12)


def test_the_density_of_a_draw_is_that_of_all_its_parameters_together():
    draw = {prior.name: prior.quantile(np.array([1.0, 0.0])) for prior in PURCHASES}
    np.testing.assert_allclose(log_density(PURCHASES, draw | {"alpha": np.zeros(2)}), [-2, 0], atol=1e-12)


@pytest.mark.slow  # imports pymc
@each_prior
def test_a_sampler_is_given_the_same_distribution(prior):
    import pymc as pm

    with pm.Model():
        drawn = pm.draw(prior.for_pymc().create_variable("x"), 20_000, random_seed=1)
    deviations = norm.ppf([0.025, 0.25, 0.5, 0.75, 0.975])
    np.testing.assert_allclose(np.quantile(drawn, norm.cdf(deviations)), prior.quantile(deviations), rtol=0.1)
