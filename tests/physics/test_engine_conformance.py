"""What every engine must do, whichever program is behind it.

A new engine joins `ENGINES` and inherits the suite.
"""

import json
import pickle
import shutil
from dataclasses import replace

import numpy as np
import pytest

from zeroflux.errors import LabelError
from zeroflux.frames import Frame
from zeroflux.labelling.backend import Engine
from zeroflux.labelling.cp2k import Cp2kEngine
from zeroflux.labelling.label import label_frame
from zeroflux.labelling.plane_waves import PlaneWaveEngine
from zeroflux.labelling.pyscf import PyscfEngine
from zeroflux.labels import BASIN_FIELDS, TERMS
from zeroflux.sampling import crystal
from zeroflux.units import ANGSTROM, MILLIELECTRONVOLT

# Krypton's basis is smooth: its egg-box error is 0.9 meV at 60 Ha, 0.04 at 120, 0.008 at 220.
CUTOFF = 120.0
EGG_BOX = 0.1 * MILLIELECTRONVOLT
# What labels have to keep, per atom.
CLOSURE = {
    "pyscf": 0.02 * MILLIELECTRONVOLT,
    "cp2k": 0.05 * MILLIELECTRONVOLT,  # another program's total: 0.03 here, 0.02 at 220 Ha
    "eminus": 1e-6 * MILLIELECTRONVOLT,
}
# The SCF is converged to 1e-8 Ha; energies of atoms follow the density to first order.
SCF_NOISE = 1e-6

ENGINES = {
    "pyscf": PyscfEngine(density_cutoff=CUTOFF, energy_tolerance=1e-8, gradient_tolerance=1e-5),
    "cp2k": Cp2kEngine(density_cutoff=CUTOFF, convergence=1e-7),
    "eminus": PlaneWaveEngine(density_cutoff=CUTOFF),
}
needs_cp2k = [
    pytest.mark.cp2k,
    pytest.mark.skipif(
        shutil.which("cp2k") is None, reason="cp2k is not on PATH (apt-get install cp2k)"
    ),
]


@pytest.fixture(
    scope="module",
    params=[
        "pyscf",
        pytest.param("cp2k", marks=needs_cp2k),
        pytest.param("eminus", marks=pytest.mark.slow),
    ],
)
def engine(request) -> PyscfEngine | Cp2kEngine | PlaneWaveEngine:
    return ENGINES[request.param].prepared(["Kr"])


@pytest.fixture(scope="module")
def perfect() -> Frame:
    return crystal("Kr", "fcc", nearest_distance=4.1 * ANGSTROM, repeat=(1, 1, 1))


@pytest.fixture(scope="module")
def frame(perfect) -> Frame:
    moves = np.random.default_rng(5).normal(scale=0.3, size=perfect.positions.shape)
    return Frame(perfect.atomic_numbers, perfect.positions + moves, perfect.cell)


@pytest.fixture(scope="module")
def label(frame, engine):
    return label_frame(frame, engine=engine)


def energies(frame: Frame, engine: Engine) -> np.ndarray:
    return label_frame(frame, engine=engine).basin_energy


def test_an_engine_has_the_interface(engine):
    assert isinstance(engine, Engine)
    assert not isinstance(replace, Engine)


def test_an_engine_is_named_by_its_settings_and_travels_to_workers(engine):
    assert engine.settings["name"] == engine.name
    assert json.loads(json.dumps(engine.settings)) == engine.settings
    assert replace(engine, density_cutoff=90.0).settings != engine.settings
    copy = pickle.loads(pickle.dumps(engine))
    assert copy.settings == engine.settings
    # A prepared engine has nothing left to compute for its elements.
    assert copy.isolated_atom_energy("Kr") == engine.isolated_atom_energy("Kr")


def test_the_terms_of_a_label_add_up_and_its_quality_is_recorded(label, engine):
    assert label.is_converged
    assert abs(label.closure) / label.n_atoms < CLOSURE[engine.name]
    assert abs(label.basin_energy.sum() - label.total_energy) < 1e-10
    assert abs(label.terms.population.sum() - 32) < 1e-5
    assert label.info["engine"] == engine.name
    assert {"engine_version", "scf_cycles", "scf_cpu_s", "densities_cpu_s"} <= set(label.info)
    # Control: no term is so small that its absence would go unseen (krypton's pseudopotential
    # has no short-range local part).
    for term in set(TERMS) - {"pseudo_local"}:
        assert np.abs(getattr(label.terms, term)).sum() / label.n_atoms > 100 * CLOSURE[engine.name]


def test_the_same_configuration_gives_the_same_numbers(frame, engine, label):
    # Threads of the programs may add in another order.
    np.testing.assert_allclose(energies(frame, engine), label.basin_energy, atol=1e-9)


@pytest.mark.parametrize("engine", ["pyscf"], indirect=True)
def test_translation_by_grid_steps_changes_nothing(frame, engine, label):
    """For an engine whose own grid is that of the label."""
    mesh = engine._cell(frame).mesh
    shift = np.array([3, 5, 1]) / mesh @ frame.cell
    moved = Frame(frame.atomic_numbers, frame.positions + shift, frame.cell)
    np.testing.assert_allclose(energies(moved, engine), label.basin_energy, atol=SCF_NOISE)


def test_any_translation_changes_less_than_the_egg_box(frame, engine, label):
    shift = np.array([0.137, 0.071, 0.311])
    moved = Frame(frame.atomic_numbers, frame.positions + shift, frame.cell)
    assert np.abs(energies(moved, engine) - label.basin_energy).max() < EGG_BOX


def test_the_same_atoms_turned_reordered_and_in_other_images_have_the_same_energies(
    frame, engine, label
):
    order = np.array([2, 0, 3, 1])
    images = np.array([[0, 0, 1], [-1, 0, 0], [0, 2, 0], [0, 0, 0]]) @ frame.cell
    positions = np.roll(frame.positions, 1, axis=1)[order] + images
    copy = Frame(frame.atomic_numbers[order], positions, frame.cell)
    np.testing.assert_allclose(energies(copy, engine), label.basin_energy[order], atol=SCF_NOISE)


def test_control_moving_one_atom_changes_the_energies(frame, engine, label):
    positions = frame.positions.copy()
    positions[0, 0] += 0.3
    moved = Frame(frame.atomic_numbers, positions, frame.cell)
    difference = energies(moved, engine) - label.basin_energy
    assert np.abs(difference).max() > 1.0 * MILLIELECTRONVOLT
    assert label.basin_energy.std() > 5 * EGG_BOX


def test_atoms_of_a_perfect_crystal_share_its_energy_equally(perfect, engine):
    found = label_frame(perfect, engine=engine)
    # One atom lies on a grid point, three between: the odd mesh breaks the symmetry.
    np.testing.assert_allclose(found.basin_energy, found.total_energy / 4, atol=EGG_BOX)
    np.testing.assert_allclose(found.terms.charge, 0.0, atol=1e-5)


@pytest.mark.filterwarnings("ignore::zeroflux.errors.RepairWarning")
def test_atoms_of_a_dimer_share_its_energy_equally(engine):
    """In the empty part of the box the density is noise, whose maxima go to the nearest atom."""
    length = 8.5 * ANGSTROM
    along = 4.0 * ANGSTROM * np.array([1.0, 0.0, 0.0])
    centre = np.full(3, 0.47 * length)
    positions = np.array([centre - 0.5 * along, centre + 0.5 * along])
    dimer = Frame(np.array([36, 36]), positions, np.eye(3) * length)
    found = label_frame(dimer, engine=engine, dispersion="none")
    half = 0.5 * found.total_energy
    np.testing.assert_allclose(found.basin_energy, half, atol=EGG_BOX)
    alone = engine.isolated_atom_energy("Kr")
    assert EGG_BOX < abs(half - alone) < 20 * MILLIELECTRONVOLT


@pytest.mark.filterwarnings("ignore::zeroflux.errors.RepairWarning")
def test_the_basin_of_an_atom_alone_is_the_whole_box(engine):
    length = 10.5 * ANGSTROM
    atom = Frame(np.array([36]), np.full((1, 3), 0.31 * length), np.eye(3) * length)
    found = label_frame(atom, engine=engine, dispersion="none", method="ongrid")
    assert abs(found.basin_energy[0] - found.total_energy) < 1e-10
    assert abs(found.terms.charge[0]) < 1e-6
    # The isolated atom's box is 10 Å (9 for plane waves): images so far apart interact by less than
    # 0.1 meV.
    assert abs(found.total_energy - engine.isolated_atom_energy("Kr")) < EGG_BOX


def test_what_an_engine_cannot_treat_it_refuses(engine):
    def one_atom(number: int, cell: np.ndarray) -> Frame:
        return Frame(np.array([number]), np.zeros((1, 3)), cell)

    box = np.eye(3) * 12.0
    with pytest.raises(LabelError, match=r"Found element He.*expected.*Change"):
        engine.energy_densities(one_atom(2, box))
    with pytest.raises(LabelError, match=r"Found element He.*expected.*Change"):
        engine.prepared(["He"])
    seven = {"pseudopotential": "GTH-PBE-q7", "basis": "DZVP-MOLOPT-PBE-GTH-q7"}
    chlorine = replace(engine, **{k: v for k, v in seven.items() if hasattr(engine, k)})
    with pytest.raises(LabelError, match=r"7 valence electrons; expected an even number"):
        chlorine.energy_densities(one_atom(17, box))
    with pytest.raises(LabelError, match=r"left-handed"):
        engine.energy_densities(one_atom(36, np.diag([12.0, 12.0, -12.0])))
    with pytest.raises(LabelError, match=r"HSE06|no LDA or GGA|exact exchange"):
        replace(engine, functional="HSE06").energy_densities(one_atom(36, box))


def test_a_calculation_that_does_not_converge_is_a_label_that_says_so(frame, engine):
    hopeless = replace(engine, max_cycles=1, density_cutoff=60.0)
    found = label_frame(frame, engine=hopeless)
    assert not found.is_converged
    assert all(np.isnan(getattr(found.terms, name)).all() for name in BASIN_FIELDS)
    assert found.info["engine"] == engine.name
