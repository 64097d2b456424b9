"""Pair sums in periodic cells: images, forces, stress, overlaps."""

import numpy as np
import pytest
from ase.neighborlist import neighbor_list

from zeroflux import Frame
from zeroflux.errors import StructureError
from zeroflux.sampling import (
    NOBLE_GASES,
    StatePoint,
    check_overlaps,
    crystal,
    pair_energies,
    pair_forces,
    pair_stress,
)
from zeroflux.sampling.pair_sums import cutoff_reach, half_pairs
from zeroflux.sampling.state_points import initial_frame
from zeroflux.units import ANGSTROM

CUTOFF = 12.0 * ANGSTROM
SMOOTH = NOBLE_GASES.switched(onset=9.0 * ANGSTROM, cutoff=CUTOFF)


def mixed_frame(seed: int) -> Frame:
    """Nine atoms in a skewed cell of about 8 Å, some of them outside of it."""
    rng = np.random.default_rng(seed)
    start = initial_frame(StatePoint({"Ar": 5, "Kr": 4}, 100.0, 0.017), rng=rng)
    strain = np.eye(3) + rng.normal(scale=0.1, size=(3, 3))
    jump = rng.integers(-2, 3, size=(9, 3))
    noise = rng.normal(scale=0.2, size=(9, 3))
    cell = start.cell @ strain
    return Frame(start.atomic_numbers, (start.fractional_positions + jump) @ cell + noise, cell)


@pytest.mark.parametrize("cutoff_angstrom", [3.0, 7.0, 12.0, 17.0])
def test_site_energies_agree_with_an_independent_neighbour_list(cutoff_angstrom):
    frame = mixed_frame(0)
    i, j, d = neighbor_list("ijd", frame.to_ase(), cutoff_angstrom)
    expected = np.zeros(frame.n_atoms)
    for a, b, distance in zip(i, j, d, strict=True):
        curve = NOBLE_GASES.curve_of_numbers(
            int(frame.atomic_numbers[a]), int(frame.atomic_numbers[b])
        )
        expected[a] += 0.5 * curve.energy(np.array([distance * ANGSTROM]))[0]
    found = pair_energies(frame, NOBLE_GASES, cutoff_angstrom * ANGSTROM)
    # Rounding: a few hundred terms of at most 10⁻² hartree.
    np.testing.assert_allclose(found, expected, atol=1e-14)


def test_minimum_image_would_miss_energy_in_a_small_box():
    """Control of the test above: 16 argon atoms need images, and these are not negligible."""
    frame = initial_frame(StatePoint({"Ar": 16}, 90.0, 0.021), rng=np.random.default_rng(0))
    d = frame.fractional_positions[:, None] - frame.fractional_positions[None]
    distance = np.linalg.norm((d - np.round(d)) @ frame.cell, axis=-1)[np.triu_indices(16, 1)]
    curve = NOBLE_GASES.curve("Ar", "Ar")
    nearest_only = curve.energy(distance[distance < CUTOFF]).sum()
    total = pair_energies(frame, NOBLE_GASES, CUTOFF).sum()
    assert total - nearest_only < -0.05 * abs(total)


def test_reach_below_one_half_is_the_minimum_image_convention():
    cell = np.diag([20.0, 24.0, 30.0])
    np.testing.assert_allclose(cutoff_reach(cell, 9.0), [0.45, 0.375, 0.3])
    with pytest.raises(ValueError, match="positive length"):
        cutoff_reach(cell, 0.0)


def test_an_atom_meets_its_own_images():
    """One atom in a cubic cell of edge a has 6 images at a, so 3 half pairs."""
    frame = Frame(np.array([18]), np.zeros((1, 3)), np.eye(3) * 8.0)
    pairs = half_pairs(frame, 8.5)
    assert len(pairs.first) == 3
    np.testing.assert_allclose(pairs.distances, 8.0)


def test_forces_are_minus_the_gradient_of_the_energy():
    frame = mixed_frame(1)
    forces = pair_forces(frame, SMOOTH, CUTOFF)
    step = 1e-4
    for atom, axis in ((0, 0), (3, 1), (8, 2)):
        change = np.zeros_like(frame.positions)
        change[atom, axis] = step
        up, down = (
            pair_energies(
                Frame(frame.atomic_numbers, frame.positions + s * change, frame.cell),
                SMOOTH,
                CUTOFF,
            ).sum()
            for s in (1, -1)
        )
        # Rounding of the energies over the step, 10⁻¹⁷/10⁻⁴, and its square times V'''.
        assert forces[atom, axis] == pytest.approx(-(up - down) / (2 * step), abs=1e-9)
    assert np.abs(forces).max() > 1e-4, "forces are too small to test anything"
    np.testing.assert_allclose(forces.sum(axis=0), 0.0, atol=1e-15)


def test_stress_is_the_strain_derivative_of_the_energy_only_if_the_cutoff_is_smooth():
    frame = mixed_frame(2)
    step = 1e-5

    def strained_energy(potential, a, b, size, cutoff):
        strain = np.eye(3)
        strain[a, b] += size
        strained = Frame(frame.atomic_numbers, frame.positions @ strain, frame.cell @ strain)
        return pair_energies(strained, potential, cutoff).sum()

    stress = pair_stress(frame, SMOOTH, CUTOFF)
    for a, b in ((0, 0), (1, 1), (0, 2)):
        slope = (
            strained_energy(SMOOTH, a, b, step, CUTOFF)
            - strained_energy(SMOOTH, a, b, -step, CUTOFF)
        ) / (2 * step * frame.volume)
        assert stress[a, b] == pytest.approx(slope, abs=1e-12)
    assert np.abs(stress).max() > 1e-6
    # Control: a strain that carries a pair across a sharp cutoff jumps by V(r_c). Put the cutoff
    # just above a distance that grows.
    distances = half_pairs(frame, 8.0 * ANGSTROM).distances
    sharp = float(distances.max()) * (1 + 1e-7)
    jump = strained_energy(NOBLE_GASES, 0, 0, 1e-3, sharp)
    jump -= strained_energy(NOBLE_GASES, 0, 0, 0.0, sharp)
    smooth_change = pair_stress(frame, NOBLE_GASES, sharp)[0, 0] * 1e-3 * frame.volume
    assert jump != pytest.approx(smooth_change, rel=1e-2)


def test_perfect_crystal_gives_every_atom_the_same_energy():
    frame = crystal("Ar", "fcc", nearest_distance=3.76 * ANGSTROM, repeat=(2, 1, 1))
    energies = pair_energies(frame, NOBLE_GASES, CUTOFF)
    np.testing.assert_allclose(energies, energies[0], atol=1e-16)
    # Numbers and squared distances (of the nearest) of the fcc shells within 12 Å: 3.19² = 10.2.
    shells = {1: 12, 2: 6, 3: 24, 4: 12, 5: 24, 6: 8, 7: 48, 8: 6, 9: 36, 10: 24}
    distance = 3.76 * ANGSTROM * np.sqrt(np.array(list(shells)))
    curve = NOBLE_GASES.curve("Ar", "Ar")
    expected = 0.5 * np.array(list(shells.values())) @ curve.energy(distance)
    assert energies[0] == pytest.approx(expected, rel=1e-12)


def test_overlap_is_refused_with_names_distance_and_expectation():
    positions = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 18.0], [9.0, 9.0, 9.0]])
    frame = Frame(np.array([18, 36, 18]), positions, np.eye(3) * 20.0)
    message = r"atom 0 \(Ar\) and atom 1 \(Kr\).*are 1\.058 Å apart; expected at least 2\.000 Å"
    with pytest.raises(StructureError, match=message):
        check_overlaps(frame, 2.0 * ANGSTROM)
    with pytest.raises(StructureError, match="Atoms overlap"):
        pair_energies(frame, NOBLE_GASES, CUTOFF)
    check_overlaps(frame, 1.0 * ANGSTROM)


def test_overlap_with_an_own_image_is_refused():
    frame = Frame(np.array([18]), np.zeros((1, 3)), np.diag([2.0, 20.0, 20.0]))
    with pytest.raises(StructureError, match=r"atom 0 \(Ar\) and its image"):
        check_overlaps(frame, 3.0)
