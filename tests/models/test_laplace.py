"""What laplace promises: the exact posterior where its weights say so, and a k-hat that says when they do not."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.special import digamma, polygamma

from clv.models import laplace
from clv.models.laplace import K_HAT_LIMIT


@dataclass
class Known:
    """A density whose moments are known, where a compiled model would stand."""

    log_density: object
    start: np.ndarray

    def at(self, points, data, workers=1):
        return self.log_density(points), points


COVARIANCE = np.array([[1.0, 0.9, 0.0], [0.9, 1.5, -0.4], [0.0, -0.4, 0.3]]) * 1e-4
MEAN = np.array([3.0, -2.0, 0.5])


def normal(points):
    """Return a log-density of the size a million customers give, so that rounding counts."""
    gap = points - MEAN
    return -3.2e7 - 0.5 * np.einsum("ni,ij,nj->n", gap, np.linalg.inv(COVARIANCE), gap)


def test_a_normal_posterior_is_found_from_far_away():
    found = laplace.sample(Known(normal, np.zeros(3)), {}, draws=4000, seed=1)
    errors = np.sqrt(np.diag(COVARIANCE) / found.effective)
    assert (np.abs(found.parameters.mean(axis=0) - MEAN) < 4 * errors).all()
    np.testing.assert_allclose(np.cov(found.parameters.T), COVARIANCE, atol=0.1 * COVARIANCE.max())
    assert found.k_hat < 0.5
    assert found.effective > 2900


@pytest.mark.parametrize("shape", [2.0, 5.0, 20.0])
def test_a_lopsided_posterior_is_found_all_the_same(shape):
    """ln(Gamma(shape)) has mean digamma(shape) and variance trigamma(shape); its mode lies elsewhere."""
    lopsided = Known(lambda u: (shape * u - np.exp(u)).sum(axis=1), np.array([2.0, 2.0]))
    found = laplace.sample(lopsided, {}, draws=4000, seed=1)
    assert found.k_hat < K_HAT_LIMIT
    gap = found.parameters.mean(axis=0) - digamma(shape)
    assert (np.abs(gap) < 4 * np.sqrt(polygamma(1, shape) / found.effective)).all()
    np.testing.assert_allclose(found.parameters.var(axis=0), polygamma(1, shape), rtol=0.12)


@pytest.mark.parametrize(
    ("log_density", "rounds"),
    [(normal, 1), (lambda u: (0.5 * u - np.exp(u)).sum(axis=1), 2)],
    ids=["normal", "lopsided"],
)
def test_only_tails_that_are_not_light_are_matched_twice(log_density, rounds):
    sizes = []
    seen = Known(lambda points: sizes.append(len(points)) or log_density(points), np.zeros(3))
    laplace.sample(seen, {}, draws=4000, seed=1)
    assert [size for size in sizes if size >= 1000] == [*laplace.PILOT_DRAWS[:rounds], 4000]


def test_k_hat_gives_away_tails_that_the_draws_cannot_reach():
    heavy = Known(lambda u: -0.6 * np.log1p(u**2 / 0.3).sum(axis=1), np.array([0.5, 0.5]))
    assert laplace.sample(heavy, {}, draws=4000, seed=1).k_hat > K_HAT_LIMIT


def test_k_hat_gives_away_a_second_hill():
    def two_hills(points):
        # The far hill holds most of the probability, and the way up from the start leads to the near one.
        return np.logaddexp(-0.5 * (points**2).sum(axis=1), 3 - 0.5 * ((points - 5) ** 2).sum(axis=1))

    found = laplace.sample(Known(two_hills, np.zeros(2)), {}, draws=4000, seed=1)
    assert found.k_hat > K_HAT_LIMIT


def test_a_wall_that_cuts_the_hill_off_is_no_mode():
    """Beside a wall curvature is infinite; draws from a collapsed proposal would all weigh the same."""
    half = Known(lambda u: np.where(u[:, 0] > 0, -u[:, 0] - 0.5 * u[:, 1] ** 2, -np.inf), np.ones(2))
    assert laplace.sample(half, {}, draws=1000, seed=1).k_hat == np.inf


def test_the_same_seed_gives_the_same_draws():
    first, second, other = (laplace.sample(Known(normal, np.zeros(3)), {}, draws=500, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.parameters, second.parameters)
    assert not np.array_equal(first.parameters, other.parameters)


def test_draws_stand_in_no_order():
    """Downstream takes every n-th draw as a sample of all of them."""
    drawn = laplace.sample(Known(normal, np.zeros(3)), {}, draws=4000, seed=1).parameters[:, 0]
    assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < 4 / np.sqrt(4000)
