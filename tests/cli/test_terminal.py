"""What the terminal shows and leaves behind."""

import io

import numpy as np
import pytest
from ase.build import bulk
from ase.io import read, write
from rich.console import Console
from rich.table import Table
from typer.testing import CliRunner

from zeroflux import data
from zeroflux.cli import app
from zeroflux.terminal import print_whole

runner = CliRunner()


@pytest.mark.parametrize("width", [20, 80, 200])
def test_tables_keep_every_digit(width):
    numbers = [f"{x:.8f}" for x in np.random.default_rng(0).uniform(1, 900, 12)]
    table = Table()
    for k in range(12):
        table.add_column(f"column\n{k}", no_wrap=True)
    table.add_row(*numbers)
    out = io.StringIO()
    print_whole(table, console=Console(file=out, width=width))
    (row,) = [line for line in out.getvalue().splitlines() if numbers[0] in line]
    assert all(number in row for number in numbers)
    # Control: as rich prints it by itself, digits are lost.
    plain = io.StringIO()
    Console(file=plain, width=80).print(table)
    assert numbers[0] not in plain.getvalue()


@pytest.mark.parametrize("command", ["run", "basins", "score", "label", "data", "info"])
def test_every_command_has_a_short_help(command):
    short, long = (runner.invoke(app, [command, option]) for option in ("-h", "--help"))
    assert short.exit_code == 0
    assert short.stdout == long.stdout


def test_help_shows_the_default_run_directory():
    assert "runs/NAME" in runner.invoke(app, ["run", "--help"]).stdout


def test_info_has_what_a_report_of_a_fault_needs():
    from importlib.metadata import version

    text = runner.invoke(app, ["info"]).stdout
    for word in (f"numpy {version('numpy')}", "extra dft", "cores:", "compiled kernels:"):
        assert word in text
    assert str(data.folder()) in text


def test_contents_of_a_pool_are_those_of_its_labels():
    pool = data.describe("clusters")
    expected = (pool.n_configurations, pool.n_atoms, pool.compositions)
    assert data.contents("clusters") == expected


def test_label_takes_a_structure_and_leaves_nothing_but_the_labels(tmp_path, monkeypatch):
    structure, out = tmp_path / "argon.cif", tmp_path / "labels.extxyz"
    write(structure, bulk("Ar", "fcc", a=5.4, cubic=True))
    arguments = [str(structure), "-o", str(out), "--cutoff", "90"]
    arguments += ["--basis", "DZVP-MOLOPT-PBE-GTH-q8", "--dispersion", "none", "--workers", "1"]
    result = runner.invoke(app, ["label", *arguments])
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["argon.cif", "labels.extxyz"]
    atoms = read(out)
    assert atoms.info["density_cutoff_hartree"] == 90
    assert np.ptp(atoms.arrays["basin_energy"]) < 5e-3
    stamp = out.read_bytes()
    # What the file holds is not computed again.
    monkeypatch.setattr("zeroflux.labelling.run.run_tasks", lambda *_: pytest.fail("computed"))
    assert runner.invoke(app, ["label", *arguments]).exit_code == 0
    assert out.read_bytes() == stamp


def test_label_refuses_settings_beside_a_configuration(tmp_path):
    config = tmp_path / "run.yaml"
    config.write_text("title: nothing\n")
    result = runner.invoke(app, ["label", str(config), "--cutoff", "90"])
    assert result.exit_code == 2
    assert "has the settings" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["run.yaml"]


def test_a_refused_structure_leaves_nothing(tmp_path):
    structure = tmp_path / "overlap.extxyz"
    atoms = bulk("Ar", "fcc", a=5.4, cubic=True)
    atoms.positions[1] = atoms.positions[0] + 0.1
    write(structure, atoms)
    result = runner.invoke(app, ["label", str(structure)])
    assert result.exit_code != 0
    assert "overlap" in str(result.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["overlap.extxyz"]
