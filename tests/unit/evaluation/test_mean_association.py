"""Association of local with transfer error, averaged over targets, with known answers."""

import numpy as np
import pytest

from zeroflux.evaluation import mean_association


def study(rng, *, link: float, through_size: float, n: int = 120, n_targets: int = 6):
    """Networks whose transfer errors follow local error and size to given degrees."""
    size = rng.uniform(2, 6, size=n)
    local = through_size * size + rng.normal(size=n)
    transfer = np.stack(
        [link * local + 2 * through_size * size + rng.normal(size=n) for _ in range(n_targets)],
        axis=1,
    )
    return local, transfer, size[:, None]


def associated(local, transfer, size, rng):
    return mean_association(
        local_error=local,
        transfer_error=transfer,
        covariates=size,
        group="all",
        n_bootstrap=200,
        rng=rng,
    )


def test_a_link_of_its_own_survives_the_covariate():
    rng = np.random.default_rng(0)
    found = associated(*study(rng, link=1.0, through_size=1.0), rng)
    assert found.partial.low > 0.5
    assert found.p_value < 1e-6
    # y = x + noise of the same size has a correlation of 1/√2, in ranks slightly less
    assert found.partial.value == pytest.approx(0.68, abs=0.08)


def test_control_a_link_through_size_alone_does_not():
    rng = np.random.default_rng(1)
    found = associated(*study(rng, link=0.0, through_size=1.0), rng)
    assert found.correlation.low > 0.5  # size drives both, so the plain correlation is large
    assert abs(found.partial.value) < 0.2
    assert found.partial.low < 0 < found.partial.high


def test_the_interval_is_that_of_networks_not_of_networks_times_targets():
    rng = np.random.default_rng(2)
    local, transfer, size = study(rng, link=0.0, through_size=0.0, n_targets=1)
    same = np.repeat(transfer, 8, axis=1)  # eight targets that say the same
    one, eight = (associated(local, t, size, rng) for t in (transfer, same))
    assert eight.partial.value == pytest.approx(one.partial.value)
    # 200 bootstrap samples leave some 10 % of the width
    assert eight.partial.half_width == pytest.approx(one.partial.half_width, rel=0.3)


def test_too_few_networks_give_no_correlation():
    rng = np.random.default_rng(3)
    found = associated(rng.normal(size=4), rng.normal(size=(4, 2)), rng.normal(size=(4, 1)), rng)
    assert np.isnan(found.partial.value)
    assert np.isnan(found.p_value)
