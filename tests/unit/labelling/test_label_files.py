"""Labels in files, and labelling that goes on after failures and interruptions."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from ase.io import read

from zeroflux.artifacts.extxyz import read_labels, write_labels
from zeroflux.errors import ArtifactError, LabelError, StructureError
from zeroflux.execution import Workers
from zeroflux.frames import Frame
from zeroflux.labelling.energy_density import EnergyDensities
from zeroflux.labelling.gth_data import pseudopotential
from zeroflux.labelling.keys import content_key
from zeroflux.labelling.pyscf import PyscfEngine
from zeroflux.labelling.run import gather_labels, label_structures
from zeroflux.labels import BASIN_FIELDS, BasinTerms, Label
from zeroflux.sampling import crystal
from zeroflux.units import ANGSTROM, ELECTRONVOLT

COARSE = PyscfEngine(density_cutoff=30.0, precision=1e-6)


def argon_label(seed: int = 0) -> Label:
    rng = np.random.default_rng(seed)
    frame = Frame(np.full(3, 18), rng.uniform(0, 20, (3, 3)), np.eye(3) * 20)
    terms = BasinTerms(**{name: rng.normal(size=3) for name in BASIN_FIELDS})
    total = float(terms.energy_unclosed.sum()) + 3e-6
    return Label(frame, total, terms, info={"system": "argon", "scf_cycles": 4, "n_repairs": 0})


def krypton(shift: float = 0.0) -> Frame:
    perfect = crystal("Kr", "fcc", nearest_distance=4.1 * ANGSTROM, repeat=(1, 1, 1))
    positions = perfect.positions.copy()
    positions[0] += shift
    return Frame(perfect.atomic_numbers, positions, perfect.cell)


@pytest.mark.parametrize("suffix", [".extxyz", ".extxyz.gz", ".extxyz.xz"])
def test_labels_survive_a_file(tmp_path, suffix):
    labels = [argon_label(0), argon_label(1)]
    path = tmp_path / f"labels{suffix}"
    write_labels(path, labels)
    for before, after in zip(labels, read_labels(path), strict=True):
        assert abs(after.total_energy - before.total_energy) < 1e-9
        # extended XYZ keeps eight decimals in eV
        np.testing.assert_allclose(after.basin_energy, before.basin_energy, atol=1e-8)
        np.testing.assert_allclose(after.frame.positions, before.frame.positions, atol=1e-7)
        assert after.info["system"] == "argon"
        assert after.info["scf_cycles"] == 4
        assert abs(after.closure - before.closure) < 1e-8


def test_ase_reads_a_label_as_it_is_and_energies_are_in_ev(tmp_path):
    label = argon_label()
    write_labels(tmp_path / "a.extxyz", [label])
    atoms = read(tmp_path / "a.extxyz")
    assert abs(atoms.get_potential_energy() - label.total_energy / ELECTRONVOLT) < 1e-7
    gap = atoms.arrays["basin_energy"].sum() - atoms.get_potential_energy()
    assert abs(gap) / 3 < 1e-6
    assert abs(atoms.info["closure_ev"] - label.closure / ELECTRONVOLT) < 1e-7
    for name in BASIN_FIELDS:
        assert atoms.arrays[f"basin_{name}"].shape == (3,)


def test_a_file_whose_energies_were_changed_is_refused(tmp_path):
    path = tmp_path / "a.extxyz"
    write_labels(path, [argon_label()])
    text = path.read_text()
    energy = text.split("energy=")[1].split()[0]
    path.write_text(text.replace(f"energy={energy}", f"energy={float(energy) + 0.01}"))
    with pytest.raises(ArtifactError, match=r"sum to the energy less"):
        read_labels(path)


def test_a_file_without_labels_says_what_is_missing(tmp_path):
    from ase.io import write

    write(tmp_path / "plain.extxyz", krypton().to_ase())
    with pytest.raises(ArtifactError, match=r"basin_kinetic.*energy missing"):
        read_labels(tmp_path / "plain.extxyz")


def test_the_key_of_a_label_follows_configuration_and_settings_alone():
    settings = {"a": 1, "b": 2.0}
    key = content_key(krypton(), settings)
    assert key == content_key(krypton(1e-9), {"b": 2.0, "a": 1})
    assert key != content_key(krypton(1e-5), settings)
    assert key != content_key(krypton(), {**settings, "a": 2})


def test_finished_labels_are_left_alone_and_unconverged_ones_recorded(tmp_path):
    engine = COARSE.prepared(["Kr"])
    structures = [(krypton(), {"system": "krypton"}), (krypton(0.4), {"system": "krypton"})]
    first = label_structures(structures[:1], engine=engine, folder=tmp_path)
    before = first[0].stat().st_mtime_ns
    seen = []
    both = label_structures(
        structures,
        engine=engine,
        folder=tmp_path,
        on_progress=lambda done, total: seen.append((done, total)),
    )
    assert both[0] == first[0]
    assert first[0].stat().st_mtime_ns == before
    assert seen == [(1, 2), (2, 2)]

    hopeless = replace(engine, max_cycles=1, gradient_tolerance=1e-12)
    failed = label_structures(structures[1:], engine=hopeless, folder=tmp_path)
    labels = gather_labels([both[0], *failed], tmp_path / "all.extxyz")
    assert [label.is_converged for label in labels] == [True, False]
    assert len(read_labels(tmp_path / "all.extxyz")) == 1
    assert len(read_labels(tmp_path / "all.extxyz", only_converged=False)) == 2
    with pytest.raises(LabelError, match="None of the 1"):
        gather_labels(failed, tmp_path / "none.extxyz")


def test_kept_orbitals_give_the_same_label_without_an_scf(tmp_path, monkeypatch):
    engine = replace(COARSE, orbital_folder=tmp_path).prepared(["Kr"])
    first = engine.energy_densities(krypton(0.3))
    monkeypatch.setattr(PyscfEngine, "_solve", lambda *_: pytest.fail("an SCF was done"))
    second = engine.energy_densities(krypton(0.3))
    assert second.total_energy == first.total_energy
    for name, values in first.fields.items():
        np.testing.assert_allclose(second.fields[name], values, rtol=0, atol=1e-12)


def test_wrong_structures_are_refused_before_anything_is_computed(tmp_path):
    engine = COARSE
    xenon = Frame(np.array([2]), np.zeros((1, 3)), np.eye(3) * 10)
    with pytest.raises(LabelError, match=r"Found element He.*expected"):
        label_structures([(xenon, {})], engine=engine, folder=tmp_path)
    close = Frame(np.array([18, 18]), np.array([[0, 0, 0], [1.0, 0, 0]]), np.eye(3) * 15)
    with pytest.raises(StructureError):
        label_structures([(close, {})], engine=engine, folder=tmp_path)
    left = Frame(np.array([36]), np.zeros((1, 3)), np.diag([10.0, 10.0, -10.0]))
    with pytest.raises(LabelError, match="left-handed"):
        engine.energy_densities(left)
    assert not list(tmp_path.glob("*.extxyz"))


def test_the_pseudopotential_is_the_one_of_the_uzh_file():
    """PySCF's lookup by name finds an older argon potential with r_loc = 0.4."""
    argon = pseudopotential("GTH-PBE-q8", "Ar")
    assert argon[1] == pytest.approx(0.40003082668805, abs=1e-14)
    assert argon[3][0] == pytest.approx(-7.08796199095755, abs=1e-13)


@dataclass(frozen=True)
class BrokenEngine:
    """An engine whose density is not one: what a failed calculation may give."""

    name: str = "broken"

    @property
    def settings(self) -> dict[str, str | int | float]:
        return {"functional": "PBE"}

    def prepared(self, symbols):
        return self

    def isolated_atom_energy(self, symbol):
        return 0.0

    def energy_densities(self, frame):
        from zeroflux.grids import UniformGrid

        grid = UniformGrid(frame.cell, (8, 8, 8))
        flat = -np.ones(grid.shape)
        fields = {n: flat for n in ("kinetic", "xc", "electrostatic", "pseudo_local")}
        return EnergyDensities(
            frame, grid, flat, flat, flat, np.full(frame.n_atoms, 8.0), fields, {}, 0.0, True
        )


def test_a_density_that_cannot_be_divided_is_recorded_and_the_run_goes_on(tmp_path):
    paths = label_structures([(krypton(), {})], engine=BrokenEngine(), folder=tmp_path)
    (label,) = read_labels(paths[0], only_converged=False)
    assert not label.is_converged
    assert "negative" in str(label.info["failure"])


def test_labels_computed_in_worker_processes_are_the_same(tmp_path):
    engine = COARSE.prepared(["Kr"])
    structures = [(krypton(0.2), {})]
    here = label_structures(structures, engine=engine, folder=tmp_path / "here")
    there = label_structures(
        structures,
        engine=engine,
        folder=tmp_path / "there",
        workers=Workers(kind="processes", n_workers=1),
    )
    one, two = read_labels(here[0])[0], read_labels(there[0])[0]
    np.testing.assert_allclose(two.basin_energy, one.basin_energy, atol=1e-9)
