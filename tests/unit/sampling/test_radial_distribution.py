"""Radial distribution: normalisation by images, crystals, mixtures."""

import numpy as np
import pytest

from zeroflux import Frame
from zeroflux.sampling import crystal, radial_distribution
from zeroflux.units import ANGSTROM


def ideal_gas(n_frames: int, numbers: np.ndarray, length: float) -> list[Frame]:
    rng = np.random.default_rng(0)
    return [
        Frame(numbers, rng.uniform(0, length, size=(len(numbers), 3)), np.eye(3) * length)
        for _ in range(n_frames)
    ]


def test_independent_atoms_have_no_structure_within_half_a_box():
    n_atoms, n_frames = 20, 400
    frames = ideal_gas(n_frames, np.full(n_atoms, 18), 18.0)
    g = radial_distribution(frames, pair=("Ar", "Ar"), r_max=9.0, n_bins=6)
    # Each atom has N − 1 partners, not N. Poisson error of the counts, four of them.
    expected = 1 - 1 / n_atoms
    pairs = n_frames * n_atoms**2 / 2 * 4 / 3 * np.pi * np.diff(g.edges**3) / 18.0**3
    assert np.all(np.abs(g.values - expected) < 4 / np.sqrt(pairs))
    assert g.density == pytest.approx(n_atoms / 18.0**3)


def test_beyond_half_a_box_images_keep_the_normalisation():
    """The count of all images in a large sphere is that of a homogeneous density."""
    frames = ideal_gas(200, np.full(10, 18), 8.0)
    g = radial_distribution(frames, pair=("Ar", "Ar"), r_max=38.0, n_bins=2)
    # The outer shell reaches from 2.4 to 4.75 boxes. An atom's own images, a tenth of the count,
    # are a lattice whose number in a shell strays from the volume by some percent, so 1 % is
    # left in all. With minimum images only the shell would be empty.
    assert g.values[-1] == pytest.approx(1.0, abs=0.01)


def test_unlike_pairs_count_from_both_sides_alike():
    numbers = np.array([18] * 6 + [36] * 4)
    frames = ideal_gas(300, numbers, 14.0)
    ab = radial_distribution(frames, pair=("Ar", "Kr"), r_max=7.0, n_bins=4)
    ba = radial_distribution(frames, pair=("Kr", "Ar"), r_max=7.0, n_bins=4)
    np.testing.assert_allclose(ab.values, ba.values)
    assert ab.values[-1] == pytest.approx(1.0, abs=0.05)
    assert ab.neighbours[-1] / ba.neighbours[-1] == pytest.approx(4 / 6)


@pytest.mark.parametrize("structure", ["fcc", "hcp"])
@pytest.mark.parametrize("repeat", [(1, 1, 1), (2, 2, 2)])
def test_close_packing_has_twelve_neighbours_in_any_cell(structure, repeat):
    frame = crystal("Ar", structure, nearest_distance=3.76 * ANGSTROM, repeat=repeat)
    g = radial_distribution([frame], pair=("Ar", "Ar"), r_max=5.0 * ANGSTROM, n_bins=50)
    assert g.neighbours[-1] == pytest.approx(12.0)
    assert g.first_maximum(half_width=0.0) / ANGSTROM == pytest.approx(3.76, abs=0.05)
    assert g.first_shell()[1] == pytest.approx(12.0)


def test_absent_elements_and_empty_lists_are_refused():
    frames = ideal_gas(1, np.full(3, 18), 10.0)
    with pytest.raises(ValueError, match="3 Ar and 0 Kr"):
        radial_distribution(frames, pair=("Ar", "Kr"), r_max=4.0)
    with pytest.raises(ValueError, match="at least one"):
        radial_distribution([], pair=("Ar", "Ar"), r_max=4.0)
