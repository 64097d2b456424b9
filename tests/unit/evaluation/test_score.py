"""`score` with real models: ASE's Lennard-Jones as truth, as rival, and through files."""

import json

import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from score_factories import true_potential, wrong_potential
from typer import Typer
from typer.testing import CliRunner

from zeroflux.artifacts.extxyz import write_labels
from zeroflux.commands.score import score_command
from zeroflux.errors import ConfigError, ModelError
from zeroflux.evaluation import find_convention
from zeroflux.frames import Frame
from zeroflux.labels import BASIN_FIELDS, BasinTerms, Label
from zeroflux.scoring.outputs import score_json, write_output
from zeroflux.scoring.run import run_score
from zeroflux.units import ANGSTROM, ELECTRONVOLT, MILLIELECTRONVOLT

OFFSET_EV = -575.0
"""Energy of the isolated atom in the labels, which a pair potential knows nothing of."""


def lennard_jones_label(rng: np.random.Generator) -> Label:
    """A jittered box of argon whose "basin" energies are those of a known pair potential."""
    spacing = rng.uniform(3.7, 4.1)
    lattice = np.stack(np.meshgrid(*[np.arange(3)] * 3, indexing="ij"), -1).reshape(-1, 3)
    positions = spacing * lattice + rng.normal(scale=0.2, size=(27, 3))
    frame = Frame(
        np.full(27, 18, dtype=np.int64),
        positions * ANGSTROM,
        3 * spacing * np.eye(3) * ANGSTROM,
    )
    atoms = frame.to_ase()
    atoms.calc = true_potential()
    energies = (atoms.get_potential_energies() + OFFSET_EV) * ELECTRONVOLT
    values = {name: np.zeros(27) for name in BASIN_FIELDS}
    values["dispersion"] = np.full(27, -0.001)
    # A term that no predictor of the shortcut holds, so that none of them is exact.
    values["pseudo_local"] = 1e-5 * rng.normal(size=27)
    values["electrostatic"] = 0.4 * energies + 1e-5 * rng.normal(size=27)
    values["kinetic"] = energies - values["electrostatic"] - values["pseudo_local"] + 0.001
    return Label(frame, float(energies.sum()), BasinTerms(**values), info={"system": "argon"})


@pytest.fixture(scope="module")
def labels() -> list[Label]:
    """Labelled boxes."""
    rng = np.random.default_rng(0)
    return [lennard_jones_label(rng) for _ in range(30)]


@pytest.fixture(scope="module")
def data(labels, tmp_path_factory):
    """The same as a file."""
    path = tmp_path_factory.mktemp("data") / "argon.extxyz"
    write_labels(path, labels)
    return path


@pytest.fixture(scope="module")
def report(data):
    """The true and a wrong potential scored side by side."""
    return run_score(
        data,
        ["score_factories:true_potential", "score_factories:wrong_potential"],
        n_bootstrap=50,
    )


def rmse_mev(report, name: str) -> float:
    """Local error of one model (meV)."""
    model = next(model for model in report.models if model.name == name)
    return model.scores[0].rmse.value / MILLIELECTRONVOLT


def test_the_potential_behind_the_labels_scores_perfectly_and_another_does_not(report):
    # Files keep 8 decimals of eV, so the best possible error is some 1e-5 meV.
    assert rmse_mev(report, "score_factories:true_potential") < 1e-3
    assert rmse_mev(report, "score_factories:wrong_potential") > 1.0


def test_the_zero_of_the_labels_is_found_and_removed(report):
    convention = report.conventions["score_factories:true_potential"]
    assert convention.kind == "complete"
    assert convention.zero_shift[18] / ELECTRONVOLT == pytest.approx(-OFFSET_EV, abs=1e-5)
    total = report.models[0].totals[0]
    assert abs(total.mean_error) / MILLIELECTRONVOLT < 1e-3


def test_baselines_stand_in_the_same_table_and_rank_as_they_must(report):
    names = [model.name for model in report.models]
    assert names[2:] == ["E/N", "random split", "pair potential"]
    spread = report.models[0].scores[0].spread / MILLIELECTRONVOLT
    # The labels are a pair potential: one fitted to two dozen totals finds much of it. The mean
    # energy leaves nearly the whole spread, and noise of that spread is worse than nothing.
    assert rmse_mev(report, "pair potential") < 0.6 * spread
    assert 0.6 * spread < rmse_mev(report, "E/N") < 1.1 * spread
    assert rmse_mev(report, "E/N") < rmse_mev(report, "random split")


def predicted_file(path, labels, *, offset_ev=0.0, factory=wrong_potential, with_total=True):
    """Predictions as a program might leave them: per-atom energies with or without an offset."""
    images = []
    for label in labels:
        atoms = label.frame.to_ase()
        atoms.calc = factory()
        energies, energy = atoms.get_potential_energies(), atoms.get_potential_energy()
        total = {"energy": energy + len(atoms) * offset_ev} if with_total else {}
        atoms.calc = SinglePointCalculator(atoms, energies=energies, **total)
        images.append(atoms)
    write(path, images, format="extxyz")
    return path


@pytest.mark.parametrize(("offset_ev", "kind"), [(0.0, "complete"), (-100.0, "offsets omitted")])
def test_a_file_of_energies_scores_like_the_model_whatever_offset_it_omits(
    labels, data, report, tmp_path, offset_ev, kind
):
    path = predicted_file(tmp_path / "pred.extxyz", labels, offset_ev=offset_ev)
    from_file = run_score(data, [str(path)], n_bootstrap=50)
    convention = from_file.conventions["pred"]
    assert convention.kind == kind
    assert convention.omitted[18] / ELECTRONVOLT == pytest.approx(offset_ev, abs=1e-5)
    assert rmse_mev(from_file, "pred") == pytest.approx(
        rmse_mev(report, "score_factories:wrong_potential"), abs=1e-3
    )


def test_energies_that_do_not_sum_to_the_energy_are_refused(data):
    with pytest.raises(ModelError, match="miss the total by up to"):
        run_score(data, ["score_factories:not_a_decomposition"])


def test_a_model_without_per_atom_energies_is_refused(data):
    with pytest.raises(ModelError, match="but no per-atom energies"):
        run_score(data, ["score_factories:without_energies"])


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("nowhere.bin", "neither a file nor"),
        ("no_such_package:factory", "cannot be imported"),
        ("score_factories:no_such_name", "cannot be imported"),
        ("missing.extxyz", "cannot be read"),
    ],
)
def test_a_model_that_cannot_be_found_is_named(data, model, message):
    with pytest.raises(ModelError, match=message):
        run_score(data, [model])


def test_files_of_other_configurations_are_refused(labels, data, tmp_path):
    few = predicted_file(tmp_path / "few.extxyz", labels[:3])
    with pytest.raises(ModelError, match="holds 3 configurations, the data 30"):
        run_score(data, [str(few)])
    swapped = predicted_file(tmp_path / "swapped.extxyz", labels[::-1])
    with pytest.raises(ModelError, match="is configuration 29 of the data"):
        run_score(data, [str(swapped)])


def test_a_checkpoint_is_scored_through_its_own_energies(labels, data, tmp_path):
    """An untrained network: its score is poor, but it is that of its own local energies."""
    jax = pytest.importorskip("jax")
    from zeroflux.potentials.energy import Model, prepared_inputs
    from zeroflux.potentials.registry import sized_architecture
    from zeroflux.training.checkpoints import save_model

    architecture = sized_architecture("bpnn", 200, cutoff=10.0, n_species=1)
    frames = [label.frame for label in labels]
    inputs = prepared_inputs(architecture, frames, (18,))
    with jax.enable_x64(True):
        model = Model(
            architecture=architecture,
            species=(18,),
            params=architecture.init(jax.random.key(0)),
            statistics=architecture.statistics(inputs),
            offsets=np.array([-21.0]),
            scale=1e-3,
            metadata={"seed": 3},
        )
    path = tmp_path / "network.safetensors"
    save_model(path, model)
    report = run_score(data, [str(path)], training=data, n_bootstrap=50)
    scored = report.models[0]
    assert scored.n_parameters == model.n_parameters
    own = np.concatenate(model.local_energies(frames))
    difference = scored.local_energy - own
    np.testing.assert_allclose(difference, difference[0], atol=1e-9)
    assert report.conventions["network"].kind == "complete"
    assert len(report.rigidity["network"].rmse) == 4


def test_the_shortcut_can_be_the_reference(data):
    report = run_score(
        data, ["score_factories:true_potential"], reference="shortcut", n_bootstrap=50
    )
    assert "shortcut" in report.reference
    # The synthetic terms leave noise of 1e-5 hartree, 0.3 meV, that no predictor sees: it is the
    # shortcut's error and now counts as the model's.
    assert 0.1 < rmse_mev(report, "score_factories:true_potential") < 1.5


def test_results_are_written_as_json_csv_and_html(report, tmp_path):
    payload = json.loads(score_json(report))
    assert payload["models"][1]["local"][0]["rmse_ev"]["value"] == pytest.approx(
        rmse_mev(report, "score_factories:wrong_potential") * 1e-3
    )
    for suffix in (".json", ".csv", ".html"):
        write_output(report, tmp_path / f"score{suffix}")
        assert (tmp_path / f"score{suffix}").stat().st_size > 200
    score = payload["achieved"]["score_factories:true_potential"]["score"]
    assert score["value"] > 0.99  # a reference of no noise but the files' last digit
    page = (tmp_path / "score.html").read_text(encoding="utf-8")
    assert "Score: fraction of the achievable" in page
    assert "Score by system" in page
    with pytest.raises(ConfigError, match="unknown kind of output"):
        write_output(report, tmp_path / "score.pdf")


def test_the_command_prints_tables_and_conventions(data):
    app = Typer()
    app.command()(score_command)
    result = CliRunner().invoke(
        app, [str(data), "score_factories:wrong_potential", "--bootstrap", "20"]
    )
    assert result.exit_code == 0, result.output
    for expected in ("Local energies", "E/N", "Noise floors", "Σ energies = energy"):
        assert expected in result.output


def convention_of(energies, total, *, species, configuration):
    """Convention against labels whose zero is that of the totals."""
    return find_convention(
        energies=energies,
        model_total=total,
        reference_total=total,
        species=species,
        configuration=configuration,
    )


def test_offsets_of_two_species_are_told_apart_only_by_several_compositions():
    rng = np.random.default_rng(0)
    configuration = np.repeat(np.arange(6), 8)
    for counts, is_unique in (((2, 4, 6, 2, 4, 6), True), ((4,) * 6, False)):
        species = np.concatenate([np.repeat([18, 36], [n, 8 - n]) for n in counts])
        energies = rng.normal(scale=1e-3, size=48)
        offsets = np.where(species == 18, -21.0, -18.0)
        total = np.bincount(configuration, weights=energies + offsets)
        found = convention_of(energies, total, species=species, configuration=configuration)
        assert found.kind == "offsets omitted"
        assert found.is_shift_unique == is_unique
        assert (abs(found.omitted[18] + 21.0) < 1e-9) == is_unique
        # Either way the sums come out, which is all that totals can say.
        assert found.worst_sum_error < 1e-9
