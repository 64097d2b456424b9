"""Crystals, dimers and clusters."""

import numpy as np
import pytest

from zeroflux.errors import StructureError
from zeroflux.frames import isolated_atom
from zeroflux.sampling import (
    NOBLE_GASES,
    LennardJones,
    PairPotential,
    crystal,
    dimer,
    pair_energies,
    sample_cluster,
)
from zeroflux.sampling.pair_sums import half_pairs
from zeroflux.sampling.structures import centred, displaced
from zeroflux.units import ANGSTROM, KELVIN

EPSILON = 140.0 * KELVIN
LENNARD_JONES = PairPotential({("Ar", "Ar"): LennardJones(EPSILON, 3.4 * ANGSTROM)})


@pytest.mark.parametrize("structure", ["fcc", "hcp"])
def test_close_packed_crystals_have_the_close_packed_density(structure):
    frame = crystal("Kr", structure, nearest_distance=7.0, repeat=(2, 1, 2))
    assert frame.n_atoms == 16
    assert frame.n_atoms / frame.volume == pytest.approx(np.sqrt(2) / 7.0**3)


def test_fcc_and_hcp_first_differ_in_the_third_shell():
    """hcp has 2 neighbours at √(8/3) d, fcc none: the control that they are not the same."""
    counts = {}
    for structure in ("fcc", "hcp"):
        frame = crystal("Ar", structure, nearest_distance=1.0)
        d = half_pairs(frame, 1.65).distances
        counts[structure] = [
            2 * np.isclose(d, r).sum() / frame.n_atoms for r in (1.0, np.sqrt(2), np.sqrt(8 / 3))
        ]
    assert counts == {"fcc": [12, 6, 0], "hcp": [12, 6, 2]}


def test_displacements_have_the_amplitude_asked_for():
    perfect = crystal("Ar", "fcc", nearest_distance=7.1, repeat=(4, 4, 4))
    moved = displaced(perfect, amplitude=0.3, rng=np.random.default_rng(0))
    # 768 coordinates: the standard deviation is known to 0.3/√1536 = 0.008; four of them.
    assert np.std(moved.positions - perfect.positions) == pytest.approx(0.3, abs=0.03)


def test_dimer_has_half_the_pair_energy_on_each_atom():
    frame = dimer("Ar", "Kr", distance=7.4, box_length=60.0)
    energies = pair_energies(frame, NOBLE_GASES, 25.0)
    expected = NOBLE_GASES.curve("Ar", "Kr").energy(np.array([7.4]))[0] / 2
    np.testing.assert_allclose(energies, expected, rtol=1e-12)
    atom = isolated_atom("Kr", box_length=60.0)
    np.testing.assert_array_equal(pair_energies(atom, NOBLE_GASES, 25.0), [0.0])
    with pytest.raises(StructureError, match="at most half the box"):
        dimer("Ar", "Ar", distance=31.0, box_length=60.0)


@pytest.mark.parametrize(("n_atoms", "minimum"), [(4, -6.0), (13, -44.3268)])
def test_annealed_clusters_find_the_known_minima(n_atoms, minimum):
    """Global minima of Lennard-Jones clusters (Wales and Doye 1997, doi 10.1021/jp970984n).

    At 5 K (0.036 ε) equipartition adds (3N − 6)/2 kT; anharmonicity and the statistics of ten
    frames change that by less than half of it.
    """
    sampled = sample_cluster(
        {"Ar": n_atoms},
        temperature_kelvin=5.0,
        box_length=40.0 * ANGSTROM,
        cutoff=25.0 * ANGSTROM,
        n_frames=10,
        seed=3,
        potential=LENNARD_JONES,
    )
    thermal = (3 * n_atoms - 6) / 2 * 5.0 * KELVIN / EPSILON
    found = sampled.energies / EPSILON
    assert found.min() > minimum
    assert found.mean() == pytest.approx(minimum + thermal, abs=0.5 * thermal)


def test_cluster_too_large_for_its_box_is_refused():
    with pytest.raises(StructureError, match="Take a larger box"):
        sample_cluster({"Ar": 13}, temperature_kelvin=20.0, box_length=25.0, n_frames=1, seed=0)


def test_centring_gathers_a_cluster_that_the_cell_boundary_cuts():
    frame = dimer("Ar", "Ar", distance=7.0, box_length=50.0)
    shifted = type(frame)(frame.atomic_numbers, (frame.positions + 25.0) % 50.0, frame.cell)
    assert np.ptp(shifted.positions[:, 0]) > 40.0
    np.testing.assert_allclose(centred(shifted).positions, frame.positions, atol=1e-12)
