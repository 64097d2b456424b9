"""`score --reference-key`: any per-atom energies as the reference, and results per atom."""

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write
from score_factories import true_potential
from test_score import lennard_jones_label, predicted_file, rmse_mev
from typer.testing import CliRunner

from zeroflux.artifacts.extxyz import write_labels
from zeroflux.cli import app
from zeroflux.data import load
from zeroflux.errors import ArtifactError, ConfigError, LabelError
from zeroflux.scoring.outputs import score_json, write_output
from zeroflux.scoring.reference import read_reference
from zeroflux.scoring.run import run_score
from zeroflux.units import ANGSTROM, ELECTRONVOLT

WRONG = "score_factories:wrong_potential"
TRUE = "score_factories:true_potential"


@pytest.fixture(scope="module")
def labels():
    rng = np.random.default_rng(1)
    return [lennard_jones_label(rng) for _ in range(6)]


@pytest.fixture(scope="module")
def reference(labels, tmp_path_factory):
    """The labels' own energies as a file of any program: no arrays of zeroflux."""
    path = tmp_path_factory.mktemp("data") / "reference.extxyz"
    return predicted_file(path, labels, factory=true_potential)


def test_any_per_atom_energies_score_as_the_same_labels_do(labels, reference, tmp_path):
    write_labels(tmp_path / "labels.extxyz", labels)
    ours = run_score(tmp_path / "labels.extxyz", [WRONG], n_bootstrap=20)
    report = run_score(reference, [WRONG, TRUE], reference_key="energies", n_bootstrap=20)
    assert rmse_mev(report, TRUE) < 1e-4
    assert rmse_mev(report, WRONG) == pytest.approx(rmse_mev(ours, WRONG), abs=1e-4)
    assert "energies of" in report.reference
    # What only labels of zeroflux know is not made up.
    assert '"kinetic_gauge": null' in score_json(report)


def test_a_file_is_no_label_without_the_key(reference):
    """Control: the option is what makes it acceptable."""
    with pytest.raises(ArtifactError, match="missing; expected a frame labelled by zeroflux"):
        run_score(reference, [WRONG], n_bootstrap=20)


def changed(path, reference, change):
    images = read(reference, ":")
    for atoms in images:
        change(atoms)
    write(path, images)
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.calc.results.update(energies=1.5 * a.calc.results["energies"]), "miss the"),
        (lambda a: a.calc.results["energies"].__setitem__(0, np.nan), "1 of 27 not finite"),
        (lambda a: a.set_pbc(False), "pbc is F F F"),
        (lambda a: a.calc.results.pop("energies"), "found no array 'energies' of 27 numbers"),
    ],
)
def test_a_reference_that_is_no_decomposition_is_refused(reference, tmp_path, change, message):
    with pytest.raises(ArtifactError, match=message):
        read_reference(changed(tmp_path / "bad.extxyz", reference, change), "energies")


def test_a_reference_may_lack_totals_or_constants(reference, tmp_path):
    def without_core(atoms):
        atoms.calc.results["energies"] = atoms.calc.results["energies"] + 100.0

    whole = read_reference(reference, "energies")
    for change in (without_core, lambda a: a.calc.results.pop("energy")):
        found = read_reference(changed(tmp_path / "other.extxyz", reference, change), "energies")
        for a, b in zip(found, whole, strict=True):
            np.testing.assert_allclose(a.basin_energy, b.basin_energy, atol=1e-8)


def test_results_per_atom_are_written_with_the_reference(reference, tmp_path):
    report = run_score(reference, [WRONG], reference_key="energies", n_bootstrap=20)
    out = tmp_path / "atoms.extxyz"
    write_output(report, out)
    images = read(out, ":")
    written = np.concatenate([atoms.arrays["reference_energy"] for atoms in images])
    given = np.concatenate([a.calc.results["energies"] for a in read(reference, ":")])
    np.testing.assert_allclose(written, given, atol=1e-7)
    own = np.concatenate([a.arrays["score_factories_wrong_potential"] for a in images])
    error = (own - written) - (own - written).mean()
    assert error.std() * 1e3 == pytest.approx(rmse_mev(report, WRONG), rel=1e-4)


def test_what_needs_terms_is_refused_at_once(reference, tmp_path):
    given = ["score", str(reference), WRONG, "--reference-key", "energies"]
    result = CliRunner().invoke(app, [*given, "-o", str(tmp_path / "page.html")])
    assert isinstance(result.exception, ConfigError)
    result = CliRunner().invoke(app, [*given, "--reference", "shortcut"])
    assert isinstance(result.exception, ConfigError)
    assert CliRunner().invoke(app, [*given, "--bootstrap", "20"]).exit_code == 0


@pytest.mark.parametrize("name", ["neutral", "stockholder", "orbital"])
def test_another_partition_is_the_reference_by_its_name(name, tmp_path):
    labels = load("version3/mixture_test")[:4]
    written = tmp_path / "labels.extxyz"
    write_labels(written, labels)
    atoms = [label.frame.to_ase() for label in labels]
    for one, label in zip(atoms, labels, strict=True):
        one.calc = SinglePointCalculator(
            one,
            energy=label.total_energy / ELECTRONVOLT,
            energies=label.other_energies[name] / ELECTRONVOLT,
        )
    write(tmp_path / "model.extxyz", atoms)
    report = run_score(written, [str(tmp_path / "model.extxyz")], reference=name, n_bootstrap=20)
    assert report.reference == f"energies by the {name} partition"
    assert max(score.rmse.value for score in report.models[0].scores) < 1e-6 * ELECTRONVOLT
    direct = run_score(written, [str(tmp_path / "model.extxyz")], n_bootstrap=20)
    assert min(score.rmse.value for score in direct.models[0].scores) > 1e-3 * ELECTRONVOLT
    assert json.loads(score_json(report))["data_sha256"] == sha256(written.read_bytes()).hexdigest()
    with pytest.raises(LabelError, match=f"has no {name}_energy"):
        run_score(Path("argon_test"), ["lj"], reference=name)


def test_forces_are_scored_where_labels_and_model_have_them(tmp_path):
    from ase.calculators.lj import LennardJones

    import zeroflux as zf

    labels = load("version3/krypton_test")[:3]
    written = tmp_path / "labels.extxyz"
    write_labels(written, labels)
    calculator = LennardJones(sigma=3.6, epsilon=0.0147, rc=12.0, smooth=True)
    report = zf.score(written, {"smooth": calculator, "lj": "lj"}, n_bootstrap=20).report
    assert set(report.forces) == {"smooth"}  # `lj` has none
    squares = []
    for label in labels:
        atoms = label.frame.to_ase()
        atoms.calc = calculator
        squares.append((atoms.get_forces() - label.forces / (ELECTRONVOLT / ANGSTROM)) ** 2)
    expected = np.sqrt(np.concatenate(squares).mean()) * (ELECTRONVOLT / ANGSTROM)
    assert report.forces["smooth"].value == pytest.approx(expected)
    payload = json.loads(score_json(report))["forces_rmse_ev_per_angstrom"]["smooth"]
    assert payload["value"] == pytest.approx(expected / (ELECTRONVOLT / ANGSTROM))
    bare = zf.score(written, {"smooth": calculator}, n_bootstrap=20, dispersion=False).report
    assert not bare.forces  # forces of labels hold dispersion
