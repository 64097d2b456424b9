"""The open data set, as far as it is made, keeps what its card says."""

from pathlib import Path

import numpy as np
import pytest

from zeroflux.artifacts.extxyz import read_labels
from zeroflux.labels import OTHER_PARTITIONS
from zeroflux.units import MILLIELECTRONVOLT

DATA = Path(__file__).parents[2] / "data"
FILES = sorted(DATA.rglob("*.extxyz.xz"))
# The card: one version of settings in a file, closure below 0.02 meV/atom.
BASES = {2: "DZVP-MOLOPT-PBE-GTH-q8", 3: "5S5P4D1F-GTH-PBE-q8"}
SETTINGS = {
    "engine": "pyscf",
    "functional": "PBE",
    "pseudopotential": "GTH-PBE-q8",
    "density_cutoff_hartree": 220.0,
    "dispersion": "d3bj",
    "partition": "refined",
}


def test_there_is_data():
    assert FILES


def closure_limit(label) -> float:
    """An argon atom leaves up to 0.06 meV, by where it lies on the grid.

    In dimers and perfect crystals all atoms lie alike; elsewhere at random, so that the mean over n
    atoms shrinks as 1/√n, to 0.02 meV for the 17 of the liquids.
    """
    alike = label.n_atoms == 2 or label.info.get("temperature_kelvin") == 0.0
    return 0.02 * MILLIELECTRONVOLT * (3.0 if alike else max(1.0, np.sqrt(17 / label.n_atoms)))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(DATA).as_posix())
def test_every_frame_keeps_the_card(path):
    labels = read_labels(path, only_converged=False)
    assert labels
    assert len({label.info["label_key"] for label in labels}) == len(labels)
    (version,) = {label.info["label_version"] for label in labels}
    assert version == (3 if path.parent.name == "version3" else 2)
    for label in labels:
        assert label.is_converged
        assert {key: label.info[key] for key in SETTINGS} == SETTINGS
        assert label.info["basis"] == BASES[version]
        if version == 3:
            assert label.forces is not None
            assert set(label.other_energies) == set(OTHER_PARTITIONS)
        assert abs(label.closure) / label.n_atoms < closure_limit(label)
        assert abs(label.terms.population.sum() - 8 * label.n_atoms) < 1e-4
        np.testing.assert_allclose(label.terms.volume.sum(), label.frame.volume, rtol=1e-6)
        # Bound atoms: below the isolated ones, by less than half an electronvolt.
        symbols = label.frame.to_ase().get_chemical_symbols()
        alone = np.array([float(label.info[f"isolated_energy_{s}_ev"]) for s in symbols])
        binding = label.basin_energy / (1000 * MILLIELECTRONVOLT) - alone
        assert np.all(np.abs(binding) < 0.5)


def test_equal_atoms_of_perfect_crystals_have_equal_energies():
    labels = read_labels(DATA / "solids.extxyz.xz")
    perfect = [x for x in labels if x.info.get("temperature_kelvin") == 0.0]
    assert len(perfect) == 4
    for label in perfect:
        # the card: grid and basin surface leave 0.06 meV (standard deviation)
        assert label.basin_energy.std() < 0.06 * MILLIELECTRONVOLT
    # Control: thermal motion tells them apart.
    moved = [x.basin_energy.std() for x in labels if x.info.get("temperature_kelvin") != 0.0]
    assert min(moved) > 1.0 * MILLIELECTRONVOLT


@pytest.mark.parametrize("name", ["density", *OTHER_PARTITIONS])
def test_atoms_of_homonuclear_dimers_are_equal_in_every_partition(name):
    labels = read_labels(DATA / "version3" / "dimers.extxyz.xz")
    energies = [x.basin_energy if name == "density" else x.other_energies[name] for x in labels]
    alike = [len(set(x.frame.atomic_numbers.tolist())) == 1 for x in labels]
    gaps = [abs(e[0] - e[1]) for e, same in zip(energies, alike, strict=True) if same]
    assert len(gaps) == 20
    assert max(gaps) < 0.3 * MILLIELECTRONVOLT
    # Control: unlike atoms differ by electronvolts.
    unlike = [abs(e[0] - e[1]) for e, same in zip(energies, alike, strict=True) if not same]
    assert min(unlike) > 1000 * MILLIELECTRONVOLT


def test_control_a_label_with_a_lost_term_fails_the_closure(tmp_path):
    (label, *_) = read_labels(FILES[0])
    lost = label.closure + label.terms.dispersion.sum()
    assert abs(lost) / label.n_atoms > 0.02 * MILLIELECTRONVOLT
