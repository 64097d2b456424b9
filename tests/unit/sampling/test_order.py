"""Frozen or liquid: the translational order parameter."""

import numpy as np
import pytest

from zeroflux import Frame
from zeroflux.sampling import StatePoint, crystal, sample_liquid, translational_order
from zeroflux.sampling.structures import displaced


@pytest.mark.parametrize("structure", ["fcc", "hcp"])
def test_a_perfect_crystal_has_order_one_wherever_it_lies(structure):
    frame = crystal("Ar", structure, nearest_distance=7.1)
    # hcp has no reciprocal vector with all four atoms of its cell in phase below (0, 0, 2).
    assert translational_order(frame) == pytest.approx(1.0)
    shifted = Frame(frame.atomic_numbers, frame.positions + 3.3, frame.cell)
    assert translational_order(shifted) == pytest.approx(1.0)


def test_displacements_lower_the_order_by_the_debye_waller_factor():
    perfect = crystal("Ar", "fcc", nearest_distance=7.1, repeat=(2, 2, 2))
    amplitude = 0.4
    moved = displaced(perfect, amplitude=amplitude, rng=np.random.default_rng(0))
    k_squared = 3 * (2 * np.pi / (7.1 * np.sqrt(2))) ** 2  # the (111) reflections
    expected = np.exp(-k_squared * amplitude**2)
    # The largest of several fluctuating reflections lies above the mean: up to 0.1.
    assert expected - 0.05 < translational_order(moved) < expected + 0.12 < 1.0


def test_a_box_of_sixteen_atoms_freezes_near_the_triple_point_and_not_above():
    """The finding that decides which boxes are used for liquids."""
    cold, warm = (
        sample_liquid(StatePoint({"Kr": 16}, t, d), n_frames=12, seed=1, min_stride=150)
        for t, d in ((117.0, 0.01752), (180.0, 0.0133))
    )
    # Liquids of 16 atoms have 0.47 ± 0.04 as the mean of twelve frames.
    assert warm.translational_order < 0.58 < cold.translational_order
