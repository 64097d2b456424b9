"""Models by name, by option, by file of another environment; mistakes that are recognised."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.io import read, write
from score_factories import OnRequest
from test_score import lennard_jones_label, predicted_file, rmse_mev
from typer.testing import CliRunner

from zeroflux import predict as standalone
from zeroflux.artifacts.extxyz import write_labels
from zeroflux.cli import app
from zeroflux.commands.predict import write_predictions
from zeroflux.errors import ModelError
from zeroflux.scoring.models import key_names, renamed, row_names
from zeroflux.scoring.run import run_score

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


def remarks(data, model, **options):
    return " ".join(scored(data, model, **options).remarks)


def test_options_and_a_name_are_read_from_the_model():
    assert standalone.parsed("m.n:f?a=1&b=x&c=true&d=0.5&e=none&f=a:b/c") == (
        "m.n:f",
        {"a": 1, "b": "x", "c": True, "d": 0.5, "e": None, "f": "a:b/c"},
    )
    assert standalone.named("mine=m:f?a=1") == ("mine", "m:f?a=1")
    assert standalone.named("m:f?a=1") == ("", "m:f?a=1")
    assert standalone.named("lj?cutoff=9") == ("", "lj?cutoff=9")
    assert row_names(["mine=m:f?a=1", "lj"]) == ["mine", "lj"]
    with pytest.raises(standalone.PredictError, match="found the option 'a'"):
        standalone.parsed("m:f?a")


def test_a_factory_gets_its_options(data):
    """σ of the truth as an option gives the truth; without it the calculator is another."""
    right = "right=ase.calculators.lj:LennardJones?sigma=3.4&epsilon=0.0103&rc=8.0&smooth=true"
    other = "ase.calculators.lj:LennardJones"
    report = scored(data, right, other)
    assert rmse_mev(report, "right") < 1e-3 < rmse_mev(report, other)


def test_an_option_the_factory_does_not_know_is_named(data):
    with pytest.raises(ModelError, match=r"factory failed .TypeError: .*colour"):
        scored(data, "score_factories:wrong_potential?colour=1")


def test_the_known_lennard_jones_agrees_with_ases(data, labels):
    own = standalone.calculator_of("lj?cutoff=8.0")
    atoms = labels[0].frame.to_ase()
    atoms.calc = own
    found = atoms.get_potential_energies()
    from ase.calculators.lj import LennardJones
    from ase.units import kB

    atoms.calc = LennardJones(sigma=3.405, epsilon=119.8 * kB, rc=8.0)
    np.testing.assert_allclose(found, atoms.get_potential_energies(), atol=1e-12)
    assert rmse_mev(scored(data, "lj"), "lj") < 3.0


@pytest.mark.parametrize(
    ("name", "package", "command"),
    [
        ("chgnet", "chgnet", "pip install chgnet"),
        ("sevennet-0", "sevenn", "pip install sevenn"),
        ("gfn2", "tblite", "pip install tblite"),
        ("mace-mp", "mace", "pip install mace-torch"),
    ],
)
def test_a_missing_package_is_named_with_its_command(data, monkeypatch, name, package, command):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModelError, match=f"{name}: .*{package}.*Install it with: {command}"):
        scored(data, name)


def test_weights_that_no_package_holds_are_asked_for_and_not_downloaded(monkeypatch):
    calculators = type(sys)("mace.calculators")
    calculators.MACECalculator = lambda **options: pytest.fail("called without weights")
    monkeypatch.setitem(sys.modules, "mace", type(sys)("mace"))
    monkeypatch.setitem(sys.modules, "mace.calculators", calculators)
    with pytest.raises(standalone.PredictError, match=r"nothing is downloaded\. Name the file"):
        standalone.calculator_of("mace-mp")
    sevenn = type(sys)("sevenn.calculator")
    sevenn.SevenNetCalculator = lambda model: OnRequest()
    monkeypatch.setitem(sys.modules, "sevenn", type(sys)("sevenn"))
    monkeypatch.setitem(sys.modules, "sevenn.calculator", sevenn)
    with pytest.raises(standalone.PredictError, match="nothing is downloaded"):
        standalone.calculator_of("sevennet-0?model=7net-omni")
    assert isinstance(standalone.calculator_of("sevennet-0"), OnRequest)  # control


def test_a_package_adds_its_own_name(monkeypatch):
    class Point:
        name = "ours"

        def load(self):
            return lambda sigma: OnRequest(sigma=sigma)

    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [Point()])
    assert isinstance(standalone.calculator_of("ours?sigma=3.0"), OnRequest)
    with pytest.raises(standalone.PredictError, match=r"a name of .*lj"):
        standalone.calculator_of("theirs")


def test_a_copied_script_predicts_where_zeroflux_is_missing(data, tmp_path):
    """The same score through a file, whose writer has no zeroflux."""
    script = CliRunner().invoke(app, ["predict", "--script"]).output
    (tmp_path / "copied.py").write_text(script)
    blocked = (
        "import sys, runpy; sys.modules['zeroflux'] = None; sys.argv = sys.argv[1:]; "
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = [sys.executable, "-c", blocked, "copied.py", str(data), WRONG, "-o", "out.extxyz"]
    here = str(Path(__file__).parent)
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": here}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    report = scored(data, WRONG, str(tmp_path / "out.extxyz"))
    assert rmse_mev(report, "out") == pytest.approx(rmse_mev(report, WRONG), abs=1e-4)
    bad = subprocess.run(
        [*command[:5], "no_such:thing", *command[6:]], cwd=tmp_path, capture_output=True, text=True
    )
    assert bad.returncode == 2
    assert bad.stderr.count("\n") == 1


def test_the_command_writes_what_score_reads(data, tmp_path):
    out = tmp_path / "out.extxyz"
    result = CliRunner().invoke(app, ["predict", str(data), WRONG, "-o", str(out)])
    assert result.exit_code == 0, result.output
    report = scored(data, WRONG, str(out))
    assert rmse_mev(report, "out") == pytest.approx(rmse_mev(report, WRONG), abs=1e-4)
    with pytest.raises(ModelError, match="folder that exists"):
        write_predictions(data, WRONG, tmp_path / "nowhere" / "out.extxyz")


def renamed_file(path, labels, names):
    """Predictions under other names."""
    predicted_file(path, labels)
    images = read(path, ":")
    for atoms in images:
        results, atoms.calc = atoms.calc.results, None
        atoms.info[names[0]] = results["energy"]
        atoms.arrays[names[1]] = results["energies"]
    write(path, images, write_results=False)
    return str(path)


def test_energies_under_other_names_are_found_by_keys_or_prefix(labels, data, tmp_path):
    expected = rmse_mev(scored(data, WRONG), WRONG)
    keys = key_names("energy=my_total,energies=my_sites")
    path = renamed_file(tmp_path / "keys.extxyz", labels, ("my_total", "my_sites"))
    report = scored(data, path, keys=keys)
    assert rmse_mev(report, "keys") == pytest.approx(expected, abs=1e-4)
    assert report.conventions["keys"].kind == "complete"
    path = renamed_file(tmp_path / "mace.extxyz", labels, ("MACE_energy", "MACE_node_energies"))
    report = scored(data, path)
    assert rmse_mev(report, "mace") == pytest.approx(expected, abs=1e-4)
    assert report.conventions["mace"].kind == "complete"
    with pytest.raises(ModelError, match="no per-atom energies"):
        scored(data, path, keys={"energies": "typo"})


def test_two_prefixes_are_not_guessed_between():
    arrays = {"A_energies": np.zeros(2), "B_energies": np.ones(2)}
    assert "energies" not in renamed(arrays, {})
    assert renamed(arrays, {"energies": "B_energies"})["energies"][0] == 1
    with pytest.raises(ModelError, match="Found the key 'forces=x'"):
        key_names("forces=x")


@pytest.mark.parametrize(
    ("factor", "unit"),
    [(1 / 27.2, "in hartree"), (27.2, "converted from hartree twice"), (23.06, "in kcal/mol")],
)
def test_energies_in_another_unit_are_recognised(data, factor, unit):
    assert unit in remarks(data, f"score_factories:scaled?factor={factor}")


@pytest.mark.parametrize(
    ("factory", "words"),
    [
        ("shuffled", "atoms in another order"),
        ("constant", "every atom of a species has the same energy"),
        ("divided", "share one energy per species"),
        ("without_images", "were periodic boundary conditions"),
    ],
)
def test_a_mistake_is_named_in_a_remark(data, factory, words):
    assert words in remarks(data, f"score_factories:{factory}")


def test_a_sound_model_gets_no_remark_on_mistakes(data):
    """Control of all of them; a poor model is not a mistake."""
    for model in (WRONG, "score_factories:true_potential"):
        assert model not in remarks(data, model)
