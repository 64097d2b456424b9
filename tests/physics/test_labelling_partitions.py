"""What every partition must agree on: the free atom, the homonuclear dimer, the perfect crystal."""

from dataclasses import replace

import numpy as np
import pytest

from zeroflux.artifacts.extxyz import read_labels, write_labels
from zeroflux.errors import ArtifactError
from zeroflux.frames import Frame
from zeroflux.labelling.label import label_frame
from zeroflux.labelling.pyscf import PyscfEngine
from zeroflux.labels import OTHER_PARTITIONS, Label
from zeroflux.units import ANGSTROM, MILLIELECTRONVOLT

ENGINE = PyscfEngine(basis="DZVP-MOLOPT-PBE-GTH-q8", with_partitions=True)


@pytest.fixture(scope="module")
def engine(tmp_path_factory) -> PyscfEngine:
    return replace(ENGINE, orbital_folder=tmp_path_factory.mktemp("orbitals")).prepared(
        ["Ar", "Kr"]
    )


def labelled(engine: PyscfEngine, numbers, positions, cell) -> Label:
    frame = Frame(
        atomic_numbers=np.array(numbers),
        positions=np.array(positions) * ANGSTROM,
        cell=np.diag(cell) * ANGSTROM,
    )
    return label_frame(frame, engine=engine, dispersion="none")


@pytest.fixture(scope="module")
def apart(engine):
    """Argon and krypton 8 Å apart, and as far from their images."""
    return labelled(engine, [18, 36], [[0.1, 0.2, 0.3], [0.1, 0.2, 8.3]], [8.0, 8.0, 16.0])


@pytest.fixture(scope="module")
def pair(engine):
    """Unlike neighbours near each other's wall."""
    return labelled(engine, [18, 36], [[0.1, 0.2, 0.3], [0.1, 0.2, 3.8]], [8.0, 8.0, 11.5])


@pytest.mark.parametrize("name", OTHER_PARTITIONS)
def test_atoms_far_apart_have_the_energies_of_free_atoms(apart, engine, name):
    free = np.array([engine.isolated_atoms[s].energy for s in ("Ar", "Kr")])
    moved = (apart.other_energies[name] - free) / MILLIELECTRONVOLT
    assert abs(moved).max() < 1.0
    # Control: an energy shared evenly is the total's too, and wrong by electronvolts.
    assert abs(apart.total_energy / 2 - free).min() > 1000 * MILLIELECTRONVOLT


@pytest.mark.parametrize("name", OTHER_PARTITIONS)
def test_energies_sum_to_the_total(pair, name):
    assert pair.other_energies[name].sum() == pytest.approx(pair.total_energy, abs=1e-10)


def test_unlike_neighbours_tell_the_partitions_apart(pair):
    """A control of the invariants: here the partitions do not agree, but for two of them."""
    energies = [pair.basin_energy, *(pair.other_energies[name] for name in OTHER_PARTITIONS)]
    argon = np.array([e[0] for e in energies]) / MILLIELECTRONVOLT
    gaps = abs(argon[:, None] - argon)[np.triu_indices(4, 1)]
    assert (gaps > 1.0).sum() >= 5


@pytest.mark.parametrize("name", OTHER_PARTITIONS)
def test_atoms_of_a_homonuclear_dimer_are_equal(engine, name):
    dimer = labelled(engine, [18, 18], [[0.1, 0.2, 0.3], [0.1, 0.2, 3.8]], [8.0, 8.0, 11.5])
    a, b = dimer.other_energies[name] / MILLIELECTRONVOLT
    assert abs(a - b) < 0.2


@pytest.mark.parametrize("name", OTHER_PARTITIONS)
def test_atoms_of_a_crystal_are_equal_and_displaced_ones_are_not(engine, name):
    sites = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]) * 5.4 + 0.07
    crystal = labelled(engine, [18] * 4, sites, [5.4] * 3).other_energies[name]
    assert np.ptp(crystal) < 0.3 * MILLIELECTRONVOLT
    sites[0, 0] += 0.4
    displaced = labelled(engine, [18] * 4, sites, [5.4] * 3).other_energies[name]
    assert np.ptp(displaced) > 2 * MILLIELECTRONVOLT


def test_files_hold_them_and_refuse_a_changed_one(pair, tmp_path):
    path = tmp_path / "labels.extxyz"
    write_labels(path, [pair])
    (read,) = read_labels(path)
    assert set(read.other_energies) == set(OTHER_PARTITIONS)
    for name, energies in pair.other_energies.items():
        np.testing.assert_allclose(read.other_energies[name], energies, atol=1e-9)
    pair.other_energies["orbital"][0] += 0.1
    write_labels(path, [pair])
    with pytest.raises(ArtifactError, match="orbital_energy sums to the energy plus"):
        read_labels(path)
