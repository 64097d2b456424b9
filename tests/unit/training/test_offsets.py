"""Offsets of the elements in the cases that determine them and those that do not."""

import numpy as np
import pytest

from zeroflux.training.offsets import species_offsets


def test_a_pure_liquid_has_its_mean_energy_per_atom_as_offset():
    counts = np.array([[16], [32]])
    found = species_offsets(counts, np.array([16 * -2.0, 32 * -3.0]))
    assert found.values == pytest.approx([-2.5])
    assert found.convention == "regression"


def test_varying_composition_determines_every_offset():
    counts = np.array([[4, 12], [8, 8], [12, 4], [16, 0]])
    found = species_offsets(counts, counts @ np.array([-20.0, -17.0]))
    assert found.values == pytest.approx([-20.0, -17.0])
    assert found.convention == "regression"


def test_a_fixed_composition_takes_the_smallest_offsets_or_those_nearest_the_atoms():
    counts = np.array([[8, 8], [8, 8]])
    energies = np.array([8 * -37.2, 8 * -36.8])
    smallest = species_offsets(counts, energies)
    assert smallest.values == pytest.approx([-18.5, -18.5])
    assert smallest.convention == "minimum-norm"
    anchored = species_offsets(counts, energies, atom_energies=np.array([-20.0, -16.8]))
    assert anchored.values == pytest.approx([-20.1, -16.9])
    assert anchored.convention == "minimum-norm from isolated atoms"
    # both give the same totals, which is all that totals can say
    assert counts @ smallest.values == pytest.approx(counts @ anchored.values)


def test_an_absent_element_keeps_its_anchor():
    counts = np.array([[8, 0], [8, 0]])
    found = species_offsets(counts, np.array([-8.0, -8.0]), atom_energies=np.array([-0.9, -7.0]))
    assert found.values == pytest.approx([-1.0, -7.0])
