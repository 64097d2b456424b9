"""The command ``basins``: what it writes, what it refuses, and how it survives interruption."""

import csv
import json
import re
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from ase.io import read as ase_read
from typer.testing import CliRunner

from zeroflux.analysis.run import run_basins
from zeroflux.commands.basins import basins_command
from zeroflux.errors import ConfigError, FileFormatError, ZerofluxError
from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.units import ANGSTROM, ELECTRONVOLT
from zeroflux.volumetric import VolumetricData, cube, electron_count, vasp, write_volumetric

DOCS = Path(__file__).parents[2] / "docs"
DATA = Path(__file__).parents[1] / "unit" / "volumetric" / "data"
CELL = np.array([[6.0, 0.0, 0.0], [0.5, 6.5, 0.0], [0.2, -0.3, 12.0]])
CENTRES = np.array([[0.1, 0.2, 0.1], [0.15, 0.2, 0.6]])
N_ELECTRONS = 16.0


def crystal(shape=(12, 12, 24), shift=0.0, cell=CELL):
    """Two Gaussian atoms of 8 electrons in a sheared cell, wide enough for a coarse grid."""
    grid = UniformGrid(cell=cell, shape=shape)
    frame = Frame(np.array([18, 36]), (CENTRES + shift) @ cell, cell)
    density = np.zeros(shape)
    for centre in CENTRES + shift:
        axes = [np.arange(n) / n - x for n, x in zip(shape, centre, strict=True)]
        offset = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
        for image in np.ndindex(3, 3, 3):
            r = (offset - np.round(offset) + np.array(image) - 1) @ cell
            density += np.exp(-(r**2).sum(axis=-1) / (2 * 1.1**2))
    density *= N_ELECTRONS / (density.sum() * grid.voxel_volume)
    return VolumetricData(grid, {"rho": density}, frame, units={"rho": "1/bohr^3"})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Working folder with the crystal as a cube and as a CHGCAR, and a second field."""
    monkeypatch.chdir(tmp_path)
    data = crystal()
    write_volumetric("rho.cube", data)
    vasp.write(Path("CHGCAR"), data, header_decimals=16)  # the cube's cell, to all its digits
    tau = {"tau": 2.0 * data.first}
    write_volumetric("tau.cube", replace(data, fields=tau))
    write_volumetric("EDM_Ta", replace(data, fields=tau))
    return tmp_path


@pytest.fixture
def invoke():
    """Run the command as the program does: refusals end with code 2 and one clear line."""
    app = typer.Typer()
    app.command("basins")(basins_command)
    app.callback()(lambda: None)

    def run(*arguments, code=0):
        result = CliRunner().invoke(app, ["basins", *map(str, arguments)])
        if code == 2 and isinstance(result.exception, ZerofluxError):
            return str(result.exception)
        assert result.exit_code == code, result.output
        return result.output if code else result.stdout

    return run


def test_the_json_has_sums_charges_and_units(folder, invoke):
    del folder
    output = invoke(
        "rho.cube", "--integrate", "kinetic=tau.cube@hartree/bohr^3", "--valence", "Ar=8",
        "--valence", "Kr=8", "--json",
    )  # fmt: skip
    record = json.loads(output)
    assert (record["schema"], record["n_frames"]) == ("zeroflux-basins/2", 1)
    frame = record["frames"][0]
    assert frame["valence_source"] == "given"
    atoms, totals = frame["atoms"], frame["totals"]
    assert [a["element"] for a in atoms] == ["Ar", "Kr"]
    population = sum(a["population"] for a in atoms)
    assert population == pytest.approx(N_ELECTRONS, rel=1e-11)  # the cube has 12 digits
    for a in atoms:
        assert a["charge"] == pytest.approx(8.0 - a["population"], abs=1e-14)
        # the field is twice the density, in hartree/bohr³, and the output in eV
        expected = 2.0 * a["population"] / ELECTRONVOLT
        assert a["kinetic_integral_ev"] == pytest.approx(expected, rel=1e-10)
    volume = abs(np.linalg.det(CELL)) / ANGSTROM**3
    assert totals["volume"]["grid_total"] == pytest.approx(volume, rel=1e-10)
    for name, total in totals.items():
        scale = abs(total["grid_total"]) or 1.0
        assert abs(total["difference"]) < 1e-11 * scale, name
        assert total["sum"] == pytest.approx(sum(a[name] for a in atoms), rel=1e-14, abs=1e-14)


def test_cube_and_chgcar_give_the_same_atoms(folder, invoke):
    del folder
    one, other = (
        json.loads(invoke(name, "--json"))["frames"][0]["atoms"] for name in ("rho.cube", "CHGCAR")
    )
    for a, b in zip(one, other, strict=True):
        assert a["population"] == pytest.approx(b["population"], rel=1e-9)
        assert a["volume"] == pytest.approx(b["volume"], rel=1e-9)


def test_the_command_and_its_python_twin_agree(folder, invoke):
    invoke("CHGCAR", "--integrate", "EDM_Ta", "-o", "table.json")
    reports = run_basins(["CHGCAR"], integrate=["EDM_Ta"])
    written = json.loads((folder / "table.json").read_text())
    assert written["frames"] == [r.to_dict() for r in reports]
    assert "edm_ta_integral_ev" in written["frames"][0]["atoms"][0]


def test_every_key_is_documented(folder, invoke):
    del folder
    arguments = ["--integrate", "tau.cube", "--integrate", "a=tau.cube@hartree/bohr^3",
                 "--integrate", "b=tau.cube@hartree", "--integrate", "c=tau.cube@1/bohr^3",
                 "--coarse-check", "--json"]  # fmt: skip
    record = json.loads(invoke("rho.cube", *arguments))
    frame = record["frames"][0]
    documented = set(re.findall(r"`([^`]+)`", (DOCS / "basins-output.md").read_text()))

    def known(key):
        key = re.sub(r"^[a-z0-9]+_integral_", "<name>_integral_", key)
        return key in documented or key.endswith("_coarse_change")

    for keys in (record, frame, frame["atoms"][0], frame["attractors"]):
        assert [key for key in keys if not known(key)] == []
    assert not known("number_of_electrons")  # control: the test can fail


def test_the_tables_are_read_back_by_other_programs(folder, invoke):
    invoke("rho.cube", "-o", "t.csv")
    invoke("rho.cube", "-o", "t.extxyz")
    expected = run_basins(["rho.cube"])[0].columns
    with (folder / "t.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    atoms = ase_read(folder / "t.extxyz")
    assert not isinstance(atoms, list)
    for key in ("population", "volume", "laplacian"):
        assert [float(row[key]) for row in rows] == expected[key].tolist()
        np.testing.assert_allclose(
            atoms.arrays[f"basin_{key}"], expected[key], rtol=1e-7, atol=1e-8
        )
    assert rows[0]["charge"] == ""  # unknown without a valence
    np.testing.assert_allclose(atoms.cell.array, CELL / ANGSTROM, atol=1e-7)


def test_the_terminal_shows_a_table_with_the_grid_totals(folder, invoke):
    del folder
    output = invoke("rho.cube")
    assert re.search(r"electrons\s.*\n.*\(e\)", output)
    assert re.search(r"grid\s*│\s*16\.00000", output)
    assert "non-nuclear" in output


def test_labels_are_written_in_three_forms(folder, invoke):
    for name in ("l.npy", "l.npz", "l.cube"):
        invoke("rho.cube", "--save-labels", name)
    labels = np.load(folder / "l.npy")
    assert sorted(np.unique(labels)) == [0, 1]
    with np.load(folder / "l.npz") as stored:
        archive = dict(stored)
    np.testing.assert_array_equal(archive["basin_index"], labels)
    np.testing.assert_array_equal(cube.read(folder / "l.cube").first, labels)
    # the archive is enough to integrate again
    density = crystal()
    weight = np.zeros((2, labels.size))
    weight[labels.ravel(), np.arange(labels.size)] = 1.0
    voxels, starts = archive["fractional_voxels"], archive["fractional_starts"]
    weight[:, voxels] = 0.0
    owners, shares = archive["fractional_owners"], archive["fractional_weights"]
    for i, voxel in enumerate(voxels):
        weight[owners[starts[i] : starts[i + 1]], voxel] = shares[starts[i] : starts[i + 1]]
    population = weight @ density.first.ravel() * density.grid.voxel_volume
    expected = run_basins(["rho.cube"])[0].columns["population"]
    np.testing.assert_allclose(population, expected, rtol=1e-9)


def test_the_coarse_check_shows_the_change_on_every_second_point(folder, invoke):
    del folder
    output = json.loads(invoke("rho.cube", "--coarse-check", "--json"))
    found = output["frames"][0]["atoms"]
    data = crystal()
    half = replace(data.grid, shape=(6, 6, 12))
    values = np.ascontiguousarray(data.first[::2, ::2, ::2])
    write_volumetric("half.cube", replace(data, grid=half, fields={"rho": values}))
    coarse = json.loads(invoke("half.cube", "--json"))["frames"][0]["atoms"]
    for a, b in zip(found, coarse, strict=True):
        for key in ("population", "volume"):
            assert a[f"{key}_coarse_change"] == pytest.approx(b[key] - a[key], abs=1e-9)
            assert a[f"{key}_coarse_change"] != 0.0
    odd = crystal(shape=(13, 13, 25))
    write_volumetric("odd.cube", odd)
    remarks = json.loads(invoke("odd.cube", "--coarse-check", "--json"))["frames"][0]["remarks"]
    assert any("coarse-grid check was left out" in r for r in remarks)


def test_magnetic_moments_are_integrals_of_the_second_block(folder, invoke):
    data = crystal()
    fields = {"total": data.first, "magnetization": 0.25 * data.first}
    write_volumetric(folder / "CHGCAR_spin", replace(data, fields=fields))
    named = ["--integrate", "spin=CHGCAR_spin::magnetization"]
    for atom in json.loads(invoke("CHGCAR_spin", *named, "--json"))["frames"][0]["atoms"]:
        assert atom["spin_integral_e"] == pytest.approx(0.25 * atom["population"], rel=1e-9)
        assert atom["moment"] == atom["spin_integral_e"]  # reported without being asked for
    plain = json.loads(invoke("CHGCAR", "--json"))["frames"][0]["atoms"]
    assert "moment" not in plain[0]


def test_a_run_folder_becomes_henkelmans_table(folder, invoke):
    run = folder / "run"
    run.mkdir()
    data = crystal()
    spin = {"total": data.first, "magnetization": 0.25 * data.first}
    write_volumetric(run / "CHGCAR", replace(data, fields=spin))
    for name in ("AECCAR0", "AECCAR2"):
        write_volumetric(run / name, data)
    output = invoke("run", "-o", "ACF.dat")
    assert re.search(r"moment", output)
    electrons = [float(line.split()[4]) for line in Path("ACF.dat").read_text().split("\n")[2:4]]
    expected = run_basins(["run"])[0].columns
    assert electrons == pytest.approx(expected["population"].tolist(), abs=1e-6)
    np.testing.assert_allclose(expected["moment"], 0.25 * expected["population"], rtol=1e-5)
    refusal = invoke("run", "run/CHGCAR", "-o", "ACF.dat", code=2)
    assert "'ACF.dat' for 2 densities; expected one" in refusal


def test_many_runs_are_divided_as_each_alone(folder, invoke):
    names = [f"run{k}" for k in range(3)]
    for k, name in enumerate(names):
        (folder / name).mkdir()
        data = crystal(shift=0.01 * k)
        write_volumetric(folder / name / "CHGCAR", data)
        extra = data.first * np.linspace(3.0, 0.0, 24)
        write_volumetric(folder / name / "AECCAR0", replace(data, fields={"c": extra}))
        write_volumetric(folder / name / "AECCAR2", data)
    frames = json.loads(invoke(*names, "--json"))["frames"]
    for name, frame in zip(names, frames, strict=True):
        assert frame["atoms"] == run_basins([name])[0].to_dict()["atoms"]
        assert frame["source"] == f"{name}/CHGCAR"
    plain = json.loads(invoke(*names, "--reference", "none", "--json"))["frames"]
    assert abs(plain[0]["atoms"][0]["volume"] - frames[0]["atoms"][0]["volume"]) > 0.1
    (folder / "run1" / "AECCAR2").unlink()
    refusal = invoke(*names, code=2)
    assert "AECCAR0 + AECCAR2 beside run0/CHGCAR, but not beside run1/CHGCAR" in refusal


def test_references_are_added_and_define_the_basins(folder, invoke):
    del folder
    data = crystal()
    core = crystal()
    # an added core at the first atom only, so large that it moves the surface
    extra = core.first * np.linspace(3.0, 0.0, 24)
    write_volumetric("AECCAR0", replace(data, fields={"c": extra}))
    write_volumetric("AECCAR2", data)
    plain = json.loads(invoke("CHGCAR", "--reference", "none", "--json"))["frames"][0]["atoms"]
    found = json.loads(invoke("CHGCAR", "--json"))["frames"][0]["atoms"]
    both = ["--reference", "AECCAR0", "--reference", "AECCAR2"]
    moved = json.loads(invoke("CHGCAR", *both, "--json"))["frames"][0]["atoms"]
    write_volumetric("sum.cube", replace(data, fields={"s": extra + data.first}))
    by_sum = json.loads(invoke("CHGCAR", "--reference", "sum.cube", "--json"))["frames"][0]["atoms"]
    assert found == moved  # what lies beside is the reference
    for a, b, c in zip(plain, moved, by_sum, strict=True):
        assert b["volume"] == pytest.approx(c["volume"], rel=1e-9)
        assert b["population"] == pytest.approx(c["population"], rel=1e-9)
        assert abs(a["volume"] - b["volume"]) > 0.1  # the control moves


def test_a_rounded_cell_warns_and_is_rescaled_when_asked(folder, invoke):
    data = crystal()
    cube.write(folder / "rounded.cube", data, header_decimals=3, digits=14)
    found = json.loads(invoke("rounded.cube", "--json"))["frames"][0]
    assert any("--electrons 16" in r for r in found["remarks"])
    vectors = " ".join(repr(x) for x in (CELL / ANGSTROM).ravel().tolist())
    for option in (["--electrons", 16], ["--cell", vectors], ["--cell", "CHGCAR"]):
        cured = json.loads(invoke("rounded.cube", *option, "--json"))["frames"][0]
        total = cured["totals"]["population"]["grid_total"]
        assert total == pytest.approx(N_ELECTRONS, abs=1e-7)
        assert cured["remarks"] == []


def test_array_files_take_cell_and_atoms_from_elsewhere(folder, invoke):
    np.save(folder / "rho.npy", crystal().first)
    found = json.loads(invoke("rho.npy", "--atoms", "CHGCAR", "--json"))["frames"][0]
    expected = json.loads(invoke("CHGCAR", "--json"))["frames"][0]
    for a, b in zip(found["atoms"], expected["atoms"], strict=True):
        assert a["population"] == pytest.approx(b["population"], rel=1e-9)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["missing.cube"], "missing.cube: there is no such file"),
        (["broken.cube"], r"broken\.cube:\d+: found '\*\*\*\*"),
        (["broken.cube.gz"], r"broken\.cube\.gz:\d+: .*truncated"),
        (["spin.cube"], r"spin\.cube:\d+: .* densities are negative"),
        (["rho.cube", "--integrate", "small.cube"], r"small\.cube:\d+: the grid has 8 x 8 x 8"),
        (["rho.cube", "--integrate", "moved.cube"], r"moved\.cube:\d+: atom 0 is 0\.\d+ bohr"),
        (["rho.cube", "--integrate", "nothing.cube"], "nothing.cube: there is no such file"),
        (["rho.cube", "--integrate", "tau.cube@kcal"], "Found 'tau.cube@kcal'"),
        (["CHGCAR", "--integrate", "EDM_Ta@1/bohr^3"], "whose format says hartree/bohr"),
        (["rho.cube", "--integrate", "tau.cube", "--integrate", "tau.cube"], "two fields"),
        (["rho.cube", "--reference", "small.cube"], "8 x 8 x 8"),
        (["rho.cube", "--valence", "Ar=x"], "Found the valence 'Ar=x'"),
        (["rho.cube", "--valence", "Ar=8"], "also Kr"),
        (["rho.cube", "-o", "table.pdf"], r"table\.pdf"),
        (["rho.cube", "-o", "no/such/table.csv"], "Create it first"),
        (["rho.cube", "--save-labels", "l.txt"], r"expected \.npy, \.npz or \.cube"),
        (["rho.cube", "--cell", "10"], "Found the cell '10'"),
        (["rho.cube", "--cell", "10 10 10"], "differs from the file's"),
        (["rho.cube", "--electrons", "17"], "17 were announced"),
        (["rho.cube", "--atoms", "broken.cube.gz"], "cannot be read as a structure"),
        (["bare.cube"], "found no atoms"),
        (["rho.cube", "CHGCAR", "--integrate", "x/tau.cube"], "Found the single file"),
        (["rho.cube", "CHGCAR", "--save-labels", "l.npz"], "labels of several frames"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(folder, invoke, arguments, complaint):
    data = crystal()
    text = (folder / "rho.cube").read_text()
    (folder / "broken.cube").write_text(text[:2000] + " ***** " + text[2020:])
    write_volumetric("rho.cube.gz", data)
    (folder / "broken.cube.gz").write_bytes((folder / "rho.cube.gz").read_bytes()[:-500])
    write_volumetric("spin.cube", replace(data, fields={"s": data.first - data.first.mean()}))
    write_volumetric("small.cube", crystal(shape=(8, 8, 8)))
    write_volumetric("moved.cube", crystal(shift=0.01))
    write_volumetric("bare.cube", replace(data, frame=None))
    message = invoke(*arguments, code=2)
    assert re.search(complaint, message), message
    assert "\n" not in message.strip() or "cannot be read as a structure" in message


def frames_of(folder, n=4):
    """A small trajectory: density and a further field for each frame."""
    for i in range(n):
        data = crystal(shift=0.011 * i)
        write_volumetric(folder / f"rho_{i:03d}.cube", data)
        tau = replace(data, fields={"t": (2.0 + i) * data.first})
        write_volumetric(folder / f"tau_{i:03d}.cube", tau)
    return [str(folder / f"rho_{i:03d}.cube") for i in range(n)]


def test_a_trajectory_gives_one_table(tmp_path, invoke):
    names = frames_of(tmp_path)
    field = ["--integrate", "tau=tau_{number}.cube"]
    output = invoke(*names, *field, "-o", tmp_path / "t.csv")
    assert "4 frames" in output
    with (tmp_path / "t.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["frame"] for row in rows] == ["0", "0", "1", "1", "2", "2", "3", "3"]
    for row in rows:  # each density met its own field
        expected = (2.0 + int(row["frame"])) * float(row["population"])
        assert float(row["tau_integral_au"]) == pytest.approx(expected, rel=1e-9)
    invoke(*names, "-o", tmp_path / "t.extxyz", "--no-restart")
    images: Any = ase_read(tmp_path / "t.extxyz", ":")
    assert [atoms.info["frame"] for atoms in images] == [0, 1, 2, 3]
    assert not (tmp_path / "t.extxyz.journal.jsonl").exists()


def test_wrongly_paired_files_are_noticed_by_their_atoms(tmp_path, invoke):
    names = frames_of(tmp_path, n=2)
    (tmp_path / "tau_000.cube").replace(tmp_path / "x")
    (tmp_path / "tau_001.cube").replace(tmp_path / "tau_000.cube")
    (tmp_path / "x").replace(tmp_path / "tau_001.cube")
    message = invoke(*names, "--integrate", "tau_{number}.cube", code=2)
    assert re.search(r"tau_000\.cube:\d+: atom \d is .* bohr away", message)


def test_fields_beside_each_density_need_only_their_name(tmp_path, invoke):
    for i in range(2):
        (tmp_path / f"run{i}").mkdir()
        data = crystal(shift=0.01 * i)
        write_volumetric(tmp_path / f"run{i}" / "CHGCAR", data)
        write_volumetric(
            tmp_path / f"run{i}" / "EDM_Ta", replace(data, fields={"t": (i + 1) * data.first})
        )
    densities = [tmp_path / f"run{i}" / "CHGCAR" for i in range(2)]
    record = json.loads(invoke(*densities, "--integrate", "EDM_Ta", "--json"))
    for i, frame in enumerate(record["frames"]):
        for atom in frame["atoms"]:
            expected = (i + 1) * atom["population"] / ELECTRONVOLT
            assert atom["edm_ta_integral_ev"] == pytest.approx(expected, rel=1e-9)


def test_frames_of_one_hdf5_file_are_a_trajectory(tmp_path, invoke):
    h5py = pytest.importorskip("h5py")
    frames = [crystal(shift=0.01 * i) for i in range(3)]
    with h5py.File(tmp_path / "run.h5", "w") as file:
        file["density"] = np.stack([f.first for f in frames])
        file["tau"] = np.stack([3.0 * f.first for f in frames])
        file["cell_bohr"] = CELL
        file["positions_bohr"] = np.stack([f.frame.positions for f in frames if f.frame])
        file["atomic_numbers"] = np.array([18, 36])
        file["tau"].attrs["unit"] = "hartree/bohr^3"
    found = json.loads(invoke(tmp_path / "run.h5", "--integrate", "::tau", "--json"))
    assert [f["source"][-3:] for f in found["frames"]] == ["[0]", "[1]", "[2]"]
    for i, frame in enumerate(found["frames"]):
        np.testing.assert_allclose(
            [a["x"] for a in frame["atoms"]],
            ((CENTRES + 0.01 * i) @ CELL)[:, 0] / ANGSTROM,
        )
        for atom in frame["atoms"]:
            expected = 3.0 * atom["population"] / ELECTRONVOLT
            assert atom["tau_integral_ev"] == pytest.approx(expected, rel=1e-12)


KILLED = """
import os, signal, sys
from pathlib import Path
from typing import Any
from zeroflux.analysis.run import run_basins

def die_after_two(report, n_frames, is_old):
    if report.frame == 1:
        os.kill(os.getpid(), signal.SIGKILL)

run_basins(sys.argv[2:], output=Path(sys.argv[1]), on_frame=die_after_two)
"""


def test_a_killed_run_continues_where_it_stopped(tmp_path):
    names = frames_of(tmp_path)
    output = tmp_path / "t.json"
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(output), *names]
    killed = subprocess.run(command, check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not output.exists()  # no half table
    journal = tmp_path / "t.json.journal.jsonl"
    assert len(journal.read_text().splitlines()) == 2
    with journal.open("a") as stream:  # the kernel may have died in the middle of a line
        stream.write('{"key": "123", "report": {"frame"')

    old = []
    reports = run_basins(names, output=output, on_frame=lambda r, n, is_old: old.append(is_old))
    assert old == [True, True, False, False]
    fresh = run_basins(names, restart=False)
    assert [r.to_dict() for r in reports] == [r.to_dict() for r in fresh]
    assert json.loads(output.read_text())["n_frames"] == 4

    # a third run has nothing to do; a changed file or option is computed again
    def flags(**options):
        found = []
        run_basins(names, output=output, on_frame=lambda r, n, is_old: found.append(is_old),
                   **options)  # fmt: skip
        return found

    assert flags() == [True] * 4
    write_volumetric(names[2], crystal(shift=0.05))
    assert flags() == [True, True, False, True]
    assert flags(method="ongrid") == [False] * 4
    assert flags(restart=False) == [False] * 4


def test_labels_of_a_trajectory_have_their_own_files(tmp_path):
    names = frames_of(tmp_path, n=2)
    run_basins(names, save_labels=tmp_path / "l_{frame}.npy")
    run_basins(names, save_labels=tmp_path / "l_{stem}.npy")
    found = sorted(p.name for p in tmp_path.glob("l_*.npy"))
    assert found == ["l_000000.npy", "l_000001.npy", "l_rho_000.npy", "l_rho_001.npy"]


def test_real_cp2k_output_gives_neutral_argon_atoms(invoke):
    density, potential = (DATA / f"cp2k_ar4_{name}.cube.xz" for name in ("density", "v_hartree"))
    record = json.loads(
        invoke(density, "--integrate", f"v={potential}@hartree", "--valence", "Ar=8", "--json")
    )
    frame = record["frames"][0]
    for atom in frame["atoms"]:
        assert abs(atom["charge"]) < 1e-3  # 27³ points; atoms in a nearly perfect crystal
        assert atom["volume"] == pytest.approx(5.311**3 / 4, rel=2e-3)
    assert frame["attractors"]["n_non_nuclear"] == 0
    assert abs(frame["totals"]["v_integral_ev_angstrom3"]["difference"]) < 1e-10


def test_the_python_errors_are_of_the_project(tmp_path):
    with pytest.raises(ConfigError, match="Found no density"):
        run_basins([])
    with pytest.raises(FileFormatError, match="no such file"):
        run_basins([tmp_path / "nothing"])
    assert electron_count(crystal()) == pytest.approx(N_ELECTRONS, rel=1e-13)
