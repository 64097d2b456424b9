"""Labels in files, and labelling that goes on after failures and interruptions."""

import re
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
from zeroflux.labels import BASIN_FIELDS, TERMS, BasinTerms, Label
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
    with pytest.raises(ArtifactError, match=r"sums to the energy plus"):
        read_labels(path)


TERMS_AND_TOTALS = [*(f"basin_{term}" for term in TERMS), "basin_energy"]


def changed(path, name: str, *, row: int = 3, by: float = 0.01) -> None:
    """Add to one value of one column of a label file."""
    lines = path.read_text().split("\n")
    names = ["species", "pos", "pos", "pos", "basin_energy", *(f"basin_{n}" for n in BASIN_FIELDS)]
    words = lines[row].split()
    place = names.index(name)
    words[place] = f"{float(words[place]) + by:.8f}"
    path.write_text("\n".join([*lines[:row], " ".join(words), *lines[row + 1 :]]))


@pytest.mark.parametrize("name", TERMS_AND_TOTALS)
def test_a_label_of_which_one_term_was_changed_is_refused_by_file_line_and_frame(tmp_path, name):
    path = tmp_path / "a.extxyz"
    write_labels(path, [argon_label(0), argon_label(1)])
    changed(path, name, row=7)
    with pytest.raises(ArtifactError, match=rf"{re.escape(str(path))}:6: frame 1: .*sums? to"):
        read_labels(path)
    write_labels(path, [argon_label(0)])
    changed(path, name, by=2e-8)  # control: the last digits of the file
    assert len(read_labels(path)) == 1


def test_two_changes_that_cancel_are_refused_too(tmp_path):
    path = tmp_path / "a.extxyz"
    write_labels(path, [argon_label()])
    changed(path, "basin_kinetic", row=2, by=0.01)
    changed(path, "basin_kinetic", row=3, by=-0.01)
    with pytest.raises(ArtifactError, match=r"terms of atom \d .*sums? to"):
        read_labels(path)


def test_a_changed_closure_is_refused(tmp_path):
    path = tmp_path / "a.extxyz"
    write_labels(path, [argon_label()])
    path.write_text(re.sub(r"closure_ev=\S+", "closure_ev=0.5", path.read_text()))
    with pytest.raises(ArtifactError, match="share of the closure"):
        read_labels(path)
    path.write_text(re.sub(r"closure_ev=\S+ ", "", path.read_text()))
    with pytest.raises(ArtifactError, match="closure_ev missing"):
        read_labels(path)


DAMAGED = {
    "nothing": (lambda text: "", 1),
    "blank": (lambda text: "\n\n", 1),
    "cut after a count": (lambda text: text + "3\n", 7),
    "cut after a header": (lambda text: "\n".join(text.split("\n")[:2]), 3),
    "cut within the atoms": (lambda text: "\n".join(text.split("\n")[:4]), 5),
    "cut within an atom": (lambda text: text[:-30], 5),
    "more atoms than lines": (lambda text: text.replace("3\n", "999999999\n", 1), 6),
    "count is no number": (lambda text: text.replace("3\n", "3_0\n", 1), 1),
    "no atoms": (lambda text: "0\n" + text.split("\n")[1] + "\n", 1),
    "huge column": (lambda text: text.replace("laplacian:R:1", "laplacian:R:9999999"), 2),
    "one column more": (lambda text: text.replace("laplacian:R:1", "laplacian:R:2"), 3),
    "column twice": (lambda text: text.replace("basin_xc", "basin_kinetic"), 2),
    "no energy column": (lambda text: text.replace("basin_energy", "basin_emergy"), 1),
    "a column of words": (lambda text: text.replace("laplacian:R:1", "laplacian:S:1"), 1),
    "energy of three numbers": (lambda text: text.replace(" energy=", ' energy="1 2 3" x='), 1),
    "no cell": (lambda text: text.replace('Lattice="20', 'Latice="20').replace("Lattice", "L"), 1),
    "blank line between": (lambda text: text + "\n" + text, 7),
    "not text": (lambda text: text.replace("Ar", "\x00Zz", 1), 1),
}


@pytest.mark.parametrize("how", DAMAGED)
def test_a_damaged_label_file_is_refused_in_one_line_with_its_place(tmp_path, how):
    path = tmp_path / "a.extxyz"
    write_labels(path, [argon_label()])
    damage, line = DAMAGED[how]
    path.write_text(damage(path.read_text()))
    with pytest.raises(ArtifactError) as found:
        read_labels(path)
    assert str(found.value).startswith(f"{path}:{line}: ")
    assert "\n" not in str(found.value)


def test_control_blank_lines_at_the_end_and_windows_ends_of_lines_are_read(tmp_path):
    path = tmp_path / "a.extxyz"
    write_labels(path, [argon_label()])
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n\r\n")
    assert len(read_labels(path)) == 1


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
def test_a_compressed_label_file_that_is_cut_or_damaged_is_refused(tmp_path, suffix):
    path = tmp_path / f"a.extxyz{suffix}"
    write_labels(path, [argon_label()])
    whole = path.read_bytes()
    for damage in (whole[:-20], whole[:60] + b"??????" + whole[66:], b"no stream"):
        path.write_bytes(damage)
        with pytest.raises(ArtifactError, match=re.escape(str(path))):
            read_labels(path)


def test_no_damage_of_a_byte_gives_another_error(tmp_path):
    path = tmp_path / "a.extxyz"
    write_labels(path, [argon_label()])
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    n_refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), rng.integers(1, 4)):
            damaged[place] = rng.integers(0, 256)
        path.write_bytes(damaged)
        try:
            read_labels(path)
        except ArtifactError:
            n_refused += 1
    assert n_refused > 200


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
