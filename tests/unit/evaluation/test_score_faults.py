"""`score` given models and files that are not what they seem: right, refused, or remarked on."""

import json
from dataclasses import replace

import numpy as np
import pytest
from ase.io import read, write
from test_score import lennard_jones_label, predicted_file, rmse_mev
from typer import Typer
from typer.testing import CliRunner

from zeroflux.artifacts.extxyz import write_labels
from zeroflux.commands.score import score_command
from zeroflux.errors import ConfigError, ModelError
from zeroflux.evaluation import find_convention
from zeroflux.evaluation.convention import SUM_TOLERANCE
from zeroflux.scoring.models import row_names
from zeroflux.scoring.outputs import check_output, score_json
from zeroflux.scoring.remarks import convention_words
from zeroflux.scoring.run import run_score
from zeroflux.units import ELECTRONVOLT, MILLIELECTRONVOLT

WRONG = "score_factories:wrong_potential"


@pytest.fixture(scope="module")
def labels():
    rng = np.random.default_rng(1)
    return [lennard_jones_label(rng) for _ in range(6)]


@pytest.fixture(scope="module")
def data(labels, tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "argon.extxyz"
    write_labels(path, labels)
    return path


def scored(data, *models, **options):
    return run_score(data, models, n_bootstrap=20, **options)


@pytest.fixture(scope="module")
def wrong_rmse(data):
    return rmse_mev(scored(data, WRONG), WRONG)


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("with_nan", "`energies`: 1 of 27 not finite"),
        ("with_nan_total", "`energy`: 1 of 1 not finite"),
        ("one_atom_short", r"`energies` of shape \(26,\); expected a number for each of 27"),
        ("total_of_two", "`energy` is .*; expected one number"),
        ("committee_only", r"`energies` of shape \(3, 27\).*mean over its members"),
        ("raising", "factory failed .FileNotFoundError: no weights in the folder"),
        ("leaving", "factory failed .SystemExit"),
        ("nothing", "returned NoneType"),
        ("not_callable", "is a int; expected a function"),
        ("failing_later", "on frame 3: the calculator failed .RuntimeError: out of memory"),
        ("single_precision_without_sense", "miss the total by up to"),
        ("without_flag", "Make the calculator with return_site_energies=True"),
    ],
)
def test_a_calculator_that_cannot_be_scored_is_named_in_one_line(data, factory, message):
    with pytest.raises(ModelError, match=message) as caught:
        scored(data, f"score_factories:{factory}")
    assert "\n" not in str(caught.value)
    assert f"score_factories:{factory}" in str(caught.value)


@pytest.mark.parametrize("factory", ["total_as_array", "committee", "on_request"])
def test_energies_of_another_shape_or_name_are_understood(data, factory, wrong_rmse):
    model = f"score_factories:{factory}"
    assert rmse_mev(scored(data, model), model) == pytest.approx(wrong_rmse, abs=1e-9)


def test_a_float32_model_is_scored_and_its_rounding_is_named(data, wrong_rmse):
    model = "score_factories:single_precision"
    report = scored(data, model)
    convention = report.conventions[model]
    assert convention.kind == "complete"
    assert convention.worst_sum_error > SUM_TOLERANCE  # else the case shows nothing
    assert "rounding" in convention_words(convention)
    # Single precision near 575 eV has steps of 0.06 meV.
    assert rmse_mev(report, model) == pytest.approx(wrong_rmse, abs=0.05)


def test_a_total_in_single_precision_is_enough_to_follow(labels, data, tmp_path, wrong_rmse):
    """As of MACE: small energies without the cores, and a large total."""
    from score_factories import total_in_single_precision

    model = "score_factories:total_in_single_precision"
    path = predicted_file(tmp_path / "pred.extxyz", labels, factory=total_in_single_precision)
    for given, name in ((model, model), (str(path), "pred")):
        report = scored(data, given)
        assert report.conventions[name].kind == "offsets omitted"
        assert report.conventions[name].worst_sum_error > SUM_TOLERANCE
        assert rmse_mev(report, name) == pytest.approx(wrong_rmse, abs=1e-3)


def test_a_float32_text_is_scored_and_a_double_with_the_same_misfit_is_not(labels, data, tmp_path):
    path = predicted_file(tmp_path / "pred.extxyz", labels, offset_ev=0.0)
    images = read(path, ":")
    rng = np.random.default_rng(0)
    for atoms in images:
        energies = atoms.calc.results["energies"] - 575.0
        energy = np.float32(energies.sum())
        atoms.calc.results.update(energies=energies.astype(np.float32), energy=float(energy))
    write(path, images)
    assert scored(data, str(path)).conventions["pred"].kind == "complete"
    for atoms in images:
        atoms.calc.results["energies"] = atoms.calc.results["energies"] + rng.normal(
            scale=1e-4, size=27
        )
        atoms.calc.results["energy"] += rng.normal(scale=1e-4)
    write(path, images)
    with pytest.raises(ModelError, match="miss the total"):
        scored(data, str(path))


def test_the_tolerance_follows_precision_and_energy():
    def kind(energies, *, misfit, rounding):
        total = energies.reshape(4, 8).sum(axis=1) + misfit * np.array([8, -8, 8, -8])
        return find_convention(
            energies=energies,
            model_total=total,
            reference_total=total,
            species=np.full(32, 18),
            configuration=np.repeat(np.arange(4), 8),
            rounding=rounding,
        ).kind

    single = float(np.finfo(np.float32).eps)
    misfit = 0.1 * MILLIELECTRONVOLT
    heavy, light = (np.full(32, -e) * ELECTRONVOLT for e in (575.0, 5.0))
    assert kind(heavy, misfit=misfit, rounding=single) == "complete"
    for energies, rounding in ((heavy, 0.0), (light, single)):
        with pytest.raises(ModelError, match="miss the total"):
            kind(energies, misfit=misfit, rounding=rounding)


def changed(path, labels, change):
    """A file of predictions, each configuration changed."""
    predicted_file(path, labels)
    images = read(path, ":")
    for atoms in images:
        change(atoms)
    write(path, images)
    return str(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.set_pbc(False), "pbc is F F F"),
        (lambda a: a.set_pbc([True, True, False]), "pbc is T T F"),
        (lambda a: a.set_cell(1.01 * a.cell), "lattice vectors differ by up to"),
        (lambda a: a.positions.__setitem__((0, 0), a.positions[0, 0] + 0.01), "atoms lie up to"),
        (lambda a: a.positions.__setitem__((0, 0), np.nan), "atoms lie up to nan"),
        (lambda a: a.calc.results["energies"].__setitem__(0, np.inf), "1 of 27 not finite"),
        (lambda a: a.calc.results.update(energy=np.nan), "`energy`: 1 of 1 not finite"),
    ],
)
def test_a_file_with_another_cell_pbc_or_place_or_without_numbers_is_refused(
    labels, data, tmp_path, change, message
):
    path = changed(tmp_path / "pred.extxyz", labels, change)
    with pytest.raises(ModelError, match=message):
        scored(data, path)


def test_atoms_in_another_order_are_recognised(labels, data, tmp_path):
    path = predicted_file(tmp_path / "pred.extxyz", labels)
    write(path, [atoms[::-1] for atoms in read(path, ":")])
    with pytest.raises(ModelError, match="same atoms in another order"):
        scored(data, str(path))


def test_wrapped_positions_are_the_same_configuration(labels, data, tmp_path, wrong_rmse):
    """Control of the comparison."""
    path = changed(tmp_path / "pred.extxyz", labels, lambda a: a.wrap())
    assert rmse_mev(scored(data, path), "pred") == pytest.approx(wrong_rmse, abs=1e-4)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda t: t.replace("energies:R:1", "energies:R:1000000000000", 1), "2: the columns of"),
        (lambda t: t.replace("27\n", "270000000\n", 1), ": found .* expected"),
        (lambda t: t.replace("27\n", "28\n", 1), ": found 1 words in row 28 of 28"),
        (lambda t: t.replace("27\n", "2_7\n", 1), "1: found '2_7'; expected a number of atoms"),
        (lambda t: t.replace("27\n", "٢٧\n", 1), "1: found '٢٧'; expected a number of atoms"),
        (lambda t: t.replace("Ar ", "Ar 0.0 ", 1), "3: found 6 words in row 1 of 27; expected 5"),
        (lambda t: t[: len(t) // 2 - 30], ": found . words in row"),
        (lambda t: t + "\n" * 5000, "1000 empty lines follow"),
        (lambda t: t + "\n\nmore\n", "found an empty line"),
        (lambda t: "", "holds no configurations"),
    ],
)
def test_a_file_whose_header_and_rows_do_not_fit_is_named_with_its_line(
    labels, data, tmp_path, edit, message
):
    path = predicted_file(tmp_path / "pred.extxyz", labels)
    text = path.read_text()
    path.write_text(edit(text))
    with pytest.raises(ModelError, match=rf"pred\.extxyz:.*{message}") as caught:
        scored(data, str(path))
    assert "\n" not in str(caught.value)
    path.write_text(text + "\n\n")  # control
    assert "pred" in scored(data, str(path)).conventions


def test_a_total_that_is_no_number_is_named(labels, data, tmp_path):
    path = predicted_file(tmp_path / "pred.extxyz", labels)
    text = path.read_text().splitlines(keepends=True)
    text[1] = " ".join(
        "energy=********" if word.startswith("energy=") else word for word in text[1].split(" ")
    )
    path.write_text("".join(text))
    with pytest.raises(ModelError, match=r"frame 0: `energy` is \*+; expected one number"):
        scored(data, str(path))


def test_a_file_without_totals_is_not_said_to_sum_to_them(labels, data, tmp_path, wrong_rmse):
    path = predicted_file(tmp_path / "pred.extxyz", labels, with_total=False)
    report = scored(data, str(path))
    words = convention_words(report.conventions["pred"])
    assert "Σ energies = energy" not in words
    assert "no energy is given" in words
    payload = json.loads(score_json(report))["conventions"]["pred"]
    assert payload["kind"] == "no total"
    assert payload["worst_sum_error_ev"] is None
    assert rmse_mev(report, "pred") == pytest.approx(wrong_rmse, abs=1e-4)


def test_a_total_in_some_frames_only_is_refused(labels, data, tmp_path):
    path = changed(tmp_path / "pred.extxyz", labels, lambda a: None)
    images = read(path, ":")
    images[2].calc.results.pop("energy")
    write(path, images)
    with pytest.raises(ModelError, match="5 of 6 configurations have an `energy`"):
        scored(data, path)


def test_models_of_one_stem_keep_their_own_rows(labels, data, tmp_path):
    from score_factories import true_potential

    paths = []
    for folder, factory in (("a", None), ("b", true_potential)):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / "model.extxyz"
        options = {} if factory is None else {"factory": factory}
        paths.append(str(predicted_file(path, labels, **options)))
    report = scored(data, *paths)
    assert [model.name for model in report.models[:2]] == paths
    assert rmse_mev(report, paths[0]) > 1.0 > rmse_mev(report, paths[1])
    assert set(json.loads(score_json(report))["conventions"]) == set(paths)


def test_names_of_rows_are_unique(tmp_path):
    assert row_names(["x/m.v1.extxyz", "x/m.v2.xyz.gz"]) == ["m.v1", "m.v2"]
    assert row_names(["x/m.xyz", "y/m.xyz"]) == ["x/m.xyz", "y/m.xyz"]
    assert row_names(["m:f", "m:f"]) == ["m:f", "m:f (2)"]
    assert row_names(["x/E/N.xyz", "p/pair potential.xyz"], taken=["pair potential"]) == [
        "N",
        "p/pair potential.xyz",
    ]


def test_one_bad_model_does_not_cost_the_others(data, wrong_rmse):
    lines = []
    bad = ["score_factories:raising", "nowhere.bin", "score_factories:not_a_decomposition"]
    report = scored(data, *bad[:2], WRONG, bad[2], refuse=lines.append)
    assert rmse_mev(report, WRONG) == pytest.approx(wrong_rmse, abs=1e-9)
    assert set(report.refused) == set(bad)
    assert len(lines) == 3
    assert set(json.loads(score_json(report))["refused"]) == set(bad)


def test_all_models_are_opened_before_the_first_is_computed(data):
    """What is found unfit on opening is told before the model that fails while computing."""
    lines = []
    with pytest.raises(ModelError, match="None of 2 models"):
        scored(data, "score_factories:failing_later", "nowhere.bin", refuse=lines.append)
    assert ["nowhere" in line for line in lines] == [True, False]


def test_the_command_scores_what_it_can_and_ends_with_status_2(data, tmp_path):
    app = Typer()
    app.command()(score_command)
    out = tmp_path / "score.json"
    arguments = [str(data), WRONG, "nowhere.bin", "--bootstrap", "20", "-o", str(out)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "error: nowhere.bin" in result.output
    assert json.loads(out.read_text())["models"][0]["name"] == WRONG


@pytest.mark.parametrize(
    ("name", "message"),
    [("no/folder/x.json", "there is no folder"), ("x.pdf", "unknown kind"), ("", "unknown kind")],
)
def test_an_output_that_cannot_be_written_is_refused_at_once(data, tmp_path, name, message):
    with pytest.raises(ConfigError, match=message):
        check_output(tmp_path / name)
    check_output(tmp_path / "x.json")  # control
    app = Typer()
    app.command()(score_command)
    result = CliRunner().invoke(app, ["no_such_data", "nowhere.bin", "-o", str(tmp_path / name)])
    assert isinstance(result.exception, ConfigError)


def test_baselines_do_not_depend_on_the_models_listed(tmp_path):
    rng = np.random.default_rng(2)
    data = tmp_path / "argon.extxyz"
    write_labels(data, [lennard_jones_label(rng) for _ in range(12)])
    one = scored(data, WRONG)
    three = scored(data, WRONG, "score_factories:true_potential", WRONG)

    def text(*models) -> list[str]:  # E/N has a rank correlation of NaN, which equals nothing
        return [repr((model.scores, model.totals)) for model in models]

    assert text(*one.models[1:]) == text(*three.models[3:])
    assert text(one.models[0]) == text(three.models[0])
    other = scored(data, WRONG, seed=1)  # control: the seed does matter
    assert text(one.models[2]) != text(other.models[2])


def test_a_baseline_worse_than_nothing_comes_with_a_remark(labels, data, tmp_path):
    """Fitted to liquids of one density, a pair potential fails in a crystal much denser."""
    rng = np.random.default_rng(3)
    training = tmp_path / "training.extxyz"
    write_labels(training, [lennard_jones_label(rng) for _ in range(30)])
    dense = [
        replace(
            label,
            frame=replace(
                label.frame, positions=0.75 * label.frame.positions, cell=0.75 * label.frame.cell
            ),
        )
        for label in labels
    ]
    squeezed = tmp_path / "dense.extxyz"
    write_labels(squeezed, dense)
    remarks = scored(squeezed, WRONG, training=training).remarks
    assert any("extrapolates badly" in remark for remark in remarks)
    assert not any("extrapolates" in r for r in scored(data, WRONG, training=training).remarks)


def test_one_configuration_cannot_show_a_convention(labels, data, tmp_path):
    one = tmp_path / "one.extxyz"
    write_labels(one, labels[:1])
    report = scored(one, "score_factories:not_a_decomposition")
    assert any("cannot show a convention" in remark for remark in report.remarks)
    words = convention_words(report.conventions["score_factories:not_a_decomposition"])
    assert "so few configurations cannot show" in words
    assert not any("cannot show" in remark for remark in scored(data, WRONG).remarks)
