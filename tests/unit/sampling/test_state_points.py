"""State points and starting boxes."""

import numpy as np
import pytest

from zeroflux.sampling import StatePoint, check_overlaps
from zeroflux.sampling.state_points import initial_frame
from zeroflux.units import ANGSTROM


def test_box_of_sixteen_argon_atoms_is_nine_angstrom_wide():
    point = StatePoint({"Ar": 16}, 87.3, 0.0210)
    assert point.box_length / ANGSTROM == pytest.approx((16 / 0.021) ** (1 / 3))
    assert point.name == "Ar16_87.3K_0.0210"


@pytest.mark.parametrize(
    ("composition", "temperature", "density", "message"),
    [
        ({}, 90.0, 0.02, "composition is empty"),
        ({"Qq": 4}, 90.0, 0.02, "'Qq'"),
        ({"Ar": 0}, 90.0, 0.02, "0 atoms of Ar"),
        ({"Ar": 4}, 0.0, 0.02, "0.0 K"),
        ({"Ar": 4}, 90.0, -1.0, "-1.0 atoms"),
        ({"Ar": 4}, float("nan"), 0.02, "nan K"),
    ],
)
def test_impossible_state_points_are_refused(composition, temperature, density, message):
    with pytest.raises(ValueError, match=message):
        StatePoint(composition, temperature, density)


@pytest.mark.parametrize("n_atoms", [1, 2, 5, 13, 16, 17, 32, 33, 64, 108, 109])
def test_starting_boxes_have_no_overlaps_at_liquid_density(n_atoms):
    point = StatePoint({"Ar": n_atoms}, 90.0, 0.0212)
    frame = initial_frame(point, rng=np.random.default_rng(0))
    assert frame.n_atoms == n_atoms
    assert frame.volume == pytest.approx(point.volume)
    # The hard wall of argon is at 2.0 Å; the worst filling here leaves 2.4 Å.
    check_overlaps(frame, 2.4 * ANGSTROM)


def test_starting_box_deals_elements_at_random():
    point = StatePoint({"Ar": 8, "Kr": 8}, 110.0, 0.019)
    first, second = (initial_frame(point, rng=np.random.default_rng(s)) for s in (0, 1))
    assert (first.atomic_numbers == 18).sum() == 8
    assert not np.array_equal(first.positions, second.positions)
