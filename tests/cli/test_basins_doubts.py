"""Densities that are not what they seem: right, refused or said; each with a control."""

import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from zeroflux.analysis.run import run_basins
from zeroflux.errors import EmptyBasinError, FileFormatError
from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.units import ANGSTROM
from zeroflux.volumetric import VolumetricData, cube, vasp, write_volumetric
from zeroflux.volumetric.pseudopotentials import common_sums, common_valences

SIDE = 12.0
WATER = np.array([[6.03, 6.05, 5.6], [6.03, 7.48, 6.7], [6.03, 4.62, 6.7]])
OXYGEN, HYDROGEN = ((6.0, 0.8),), ((1.0, 1.6),)
DIPPED = ((6.6, 0.8), (-0.6, 2.4))


def density_of(frame, terms, shape, charges=None):
    """Gaussians of each atom with their images in an orthogonal cell, without any ripple."""
    grid = UniformGrid(frame.cell, shape)
    values = np.zeros(shape)
    for nucleus, gaussians in zip(frame.positions, terms, strict=True):
        for electrons, exponent in gaussians:
            factors = []
            for n, length, x in zip(shape, np.diag(frame.cell), nucleus, strict=True):
                steps = np.arange(n) * length / n - x + length * np.arange(-2, 3)[:, None]
                factors.append(np.sqrt(exponent / np.pi) * np.exp(-exponent * steps**2).sum(axis=0))
            values += electrons * np.einsum("i,j,k->ijk", *factors)
    charges = None if charges is None else np.array(charges, dtype=float)
    return VolumetricData(
        grid, {"rho": values}, frame, units={"rho": "1/bohr^3"}, effective_charges=charges
    )


def water(charges=None, oxygen=OXYGEN, n=48):
    frame = Frame(np.array([8, 1, 1]), WATER, SIDE * np.eye(3))
    return density_of(frame, [oxygen, HYDROGEN, HYDROGEN], (n, n, n), charges)


def salt(n=24, charges=None):
    """A crystal of 16 valence electrons, caesium chloride's, with an atom in the corner."""
    cell = 7.8 * np.eye(3)
    frame = Frame(np.array([55, 17]), np.array([[0.0, 0.0, 0.0], [3.9, 3.9, 3.9]]), cell)
    return density_of(frame, [((9.0, 0.7),), ((7.0, 0.7),)], (n, n, n), charges)


def changed(data, values=None, cell=None, frame=None):
    """The same record with other values, in a cell of as many steps of the same length."""
    values = data.first if values is None else values
    cell = data.grid.cell if cell is None else cell
    frame = data.frame if frame is None else frame
    return replace(
        data,
        grid=UniformGrid(cell, values.shape, data.grid.origin),
        fields={"rho": np.ascontiguousarray(values)},
        frame=replace(frame, cell=cell),
    )


@pytest.fixture
def judged(tmp_path):
    """The report of a density written as a cube."""

    def run(data, **options):
        cube.write(tmp_path / "rho.cube", data)
        return run_basins([tmp_path / "rho.cube"], **options)[0]

    return run


def said(report, words):
    return any(words in remark for remark in report.remarks)


def test_impossible_counts_are_refused_with_their_cause(judged):
    data = water()
    assert judged(data).remarks == ()  # control
    with pytest.raises(FileFormatError, match=r"in e/Å³: name it FILE@1/angs.* gives 8 "):
        judged(changed(data, data.first * ANGSTROM**3))
    shrunk = replace(data.frame, positions=WATER / ANGSTROM)
    with pytest.raises(FileFormatError, match="seem to be ångström and were read as bohr"):
        judged(changed(data, cell=data.grid.cell / ANGSTROM, frame=shrunk))
    with pytest.raises(FileFormatError, match="multiplied by the cell's volume in bohr"):
        judged(changed(data, data.first * data.grid.volume))
    with pytest.raises(FileFormatError, match="say so with --electrons"):
        judged(changed(data, data.first * 40.0))


def test_a_count_that_the_caller_confirms_is_accepted(judged):
    data = water()
    part = changed(data, 0.1 * data.first)  # a part of a density, such as one orbital's
    with pytest.raises(FileFormatError, match=r"--electrons 0\.8"):
        judged(part)
    assert judged(part, electrons=0.8).totals["population"]["sum"] == pytest.approx(0.8)


@pytest.mark.parametrize("factor", [0.95, 1.03])
def test_doubtful_counts_are_said(judged, factor):
    data = salt()
    report = judged(changed(data, data.first * factor))
    assert said(report, "expected 8 (valence) to 72 (all), or another integer")
    assert not said(judged(data), "integrates to")  # control


def test_cores_that_the_grid_does_not_resolve_are_named(judged):
    cell = 7.0 * np.eye(3)
    frame = Frame(np.array([36]), np.full((1, 3), 3.5), cell)  # on a point of the grid
    steep = density_of(frame, [((8.0, 0.7), (28.0, 60.0))], (28, 28, 28))
    assert steep.first.sum() * steep.grid.voxel_volume > 40.0  # 36, if it were resolved
    assert said(judged(steep), "does not resolve the cores")
    worse = density_of(frame, [((8.0, 0.7), (28.0, 60.0))], (20, 20, 20))
    with pytest.raises(FileFormatError, match="does not resolve the cores"):
        judged(worse)
    fine = density_of(frame, [((8.0, 0.7), (28.0, 60.0))], (70, 70, 70))
    assert judged(fine).remarks == ()  # control


def test_fractional_valences_that_give_the_count_are_no_doubt(judged):
    data = water()
    half = changed(data, data.first * 8.5 / 8.0)  # as with pseudo-hydrogens of 1.25 electrons
    assert judged(half, valence={"O": 6.0, "H": 1.25}).remarks == ()
    assert said(judged(half), "or another integer")  # control


@pytest.mark.parametrize("n_electrons", [7, 9])
def test_charged_systems_are_accepted_and_the_charge_is_said(judged, n_electrons):
    data = water(charges=[6.0, 1.0, 1.0])
    report = judged(changed(data, data.first * (n_electrons / 8.0)))
    assert report.valence_source == "charge column of the cube file"
    assert report.columns["charge"].sum() == pytest.approx(8 - n_electrons, abs=1e-6)
    assert said(report, f"net charge of {8 - n_electrons:+d}")


def test_atomic_numbers_in_the_charge_column_are_no_valences(judged):
    report = judged(water(charges=[8.0, 1.0, 1.0]))
    assert report.valence_source is None
    assert np.isnan(report.columns["charge"]).all()
    assert said(report, "gives 10 in all")
    assert "--valence H=1 --valence O=6" in report.charges_hint
    control = judged(water(charges=[6.0, 1.0, 1.0]))
    assert control.valence_source == "charge column of the cube file"
    assert control.remarks == ()
    assert control.charges_hint is None


def test_all_electrons_are_counted_from_the_atomic_numbers(judged):
    core = (*OXYGEN, (2.0, 12.0))
    report = judged(water(oxygen=core, charges=[8.0, 1.0, 1.0]))
    assert report.valence_source == "charge column of the cube file"
    assert judged(water(oxygen=core)).valence_source == "atomic numbers"
    # control: a cation of a density with cores keeps its charge
    cation = judged(water(oxygen=((5.0, 0.8), (2.0, 12.0)), charges=[8, 1, 1]))
    assert cation.columns["charge"].sum() == pytest.approx(1.0, abs=1e-5)


def test_entries_of_a_potcar_belong_to_the_atoms_in_order(tmp_path):
    cell = 9.0 * np.eye(3)
    places = np.array([[1.0, 1, 1], [5.5, 1, 1], [1, 5.5, 1]])
    frame = Frame(np.array([26, 26, 26]), places, cell)
    data = density_of(frame, [((8.0, 0.7),), ((8.0, 0.7),), ((14.0, 0.9),)], (32, 32, 32))
    vasp.write(tmp_path / "CHGCAR", data)
    text = (tmp_path / "CHGCAR").read_text().split("\n")
    text[5:7] = ["  Fe   Fe", "   2   1"]
    (tmp_path / "CHGCAR").write_text("\n".join(text))
    entry = "TITEL  = PAW_PBE {}\n POMASS = 55.8; ZVAL   = {:8.3f}\n"
    (tmp_path / "POTCAR").write_text(entry.format("Fe", 8) + entry.format("Fe_pv", 14))
    (report,) = run_basins([tmp_path / "CHGCAR"])
    assert report.valence_source == "POTCAR"
    assert report.columns["valence"].tolist() == [8.0, 8.0, 14.0]
    # control: the other order does not have as many electrons
    (tmp_path / "POTCAR").write_text(entry.format("Fe_pv", 14) + entry.format("Fe", 8))
    (report,) = run_basins([tmp_path / "CHGCAR"])
    assert report.valence_source is None
    assert said(report, "the POTCAR gives 36 in all")


def with_ends(values, axes=(0, 1, 2)):
    return np.pad(values, [(0, int(axis in axes)) for axis in range(3)], mode="wrap")


@pytest.mark.parametrize("axes", [(0, 1, 2), (2,)])
@pytest.mark.parametrize("exponent", [0.7, 8.0])  # smooth, and steep as an all-electron core
def test_repeated_end_planes_are_mended_and_said(judged, tmp_path, axes, exponent):
    data = salt()
    sharp = density_of(data.frame, [((9.0, exponent),), ((7.0, 0.7),)], data.grid.shape, [9, 7])
    values = with_ends(sharp.first, axes)
    steps = np.array(values.shape) / np.array(data.grid.shape)
    tau = changed(sharp, 2.0 * values, cell=data.grid.cell * steps[:, None])
    repeated = changed(sharp, values, cell=tau.grid.cell)
    cube.write(tmp_path / "tau.cube", tau)
    report = judged(repeated, integrate=[f"tau={tmp_path / 'tau.cube'}@1/bohr^3"])
    control = judged(sharp)
    doubled = 2.0 * control.columns["population"]
    np.testing.assert_allclose(report.columns["tau_integral_e"], doubled, rtol=1e-8)
    np.testing.assert_allclose(
        report.columns["population"], control.columns["population"], rtol=1e-8
    )
    assert report.valence_source == "charge column of the cube file"
    assert said(report, "repeats the first")
    assert not said(control, "repeats the first")


@pytest.mark.parametrize("shift", [0.0, 0.5, 0.3])
def test_control_mirror_planes_are_no_repeated_planes(judged, shift):
    data = salt()
    step = 7.8 / 24
    moved = replace(data.frame, positions=data.frame.positions + shift * step)
    report = judged(density_of(moved, [((9.0, 0.7),), ((7.0, 0.7),)], data.grid.shape))
    assert report.grid_shape == data.grid.shape
    assert report.remarks == ()


def test_images_that_a_file_lists_too_are_left_out(judged):
    data = salt()
    images = np.vstack([data.frame.positions, [[7.8, 0, 0], [0, 7.8, 7.8]]])
    listed = replace(data.frame, atomic_numbers=np.array([55, 17, 55, 55]), positions=images)
    report = judged(changed(data, frame=listed))
    assert report.elements == ("Cs", "Cl")
    assert said(report, "atoms 2, 3 are periodic images")
    two = replace(
        data.frame,
        atomic_numbers=np.array([55, 37, 17]),
        positions=data.frame.positions[[0, 0, 1]],
    )
    with pytest.raises(FileFormatError, match=r"atoms 0 and 1 \(Z = 55 and 37\) are at one place"):
        judged(changed(data, frame=two))


def test_a_window_that_cuts_the_density_is_said_or_refused(judged):
    data = water()
    assert not said(judged(data), "cut off")  # control: a wide box
    narrow = data.first[:, 12:36, :]  # 3 bohr instead of 6 beside the oxygen
    cell = data.grid.cell.copy()
    cell[1] *= 0.5
    shifted = replace(data.frame, positions=WATER - [0.0, 3.0, 0.0])
    report = judged(changed(data, narrow, cell=cell, frame=shifted))
    assert said(report, "cut off at the faces along b")
    cell[1] *= 14 / 24
    with pytest.raises(FileFormatError, match="lies outside the grid along b"):
        judged(changed(data, data.first[:, 12:26, :], cell=cell, frame=shifted))


def test_dips_without_a_reference_are_said(judged, tmp_path):
    data = water(oxygen=DIPPED)
    assert said(judged(data), "basins dips at 1 of 3 nuclei, atoms 0 (O)")
    write_volumetric(tmp_path / "ref.cube", water())
    report = judged(data, reference=[str(tmp_path / "ref.cube")])
    assert not said(report, "dips")  # controls: with a reference, and without a dip
    assert not said(judged(water()), "dips")


def test_a_non_nuclear_maximum_is_shared_by_equal_neighbours_and_said(judged):
    cell = np.diag([12.0, 12.0, 18.0])
    nuclei = np.array([[6.0, 6, 6.43], [6, 6, 11.53], [6.0, 6.0, 8.98]])
    frame = Frame(np.array([3, 3, 3]), nuclei, cell)
    atom, middle = ((2.64, 1.0),), ((0.72, 0.6),)
    data = density_of(frame, [atom, atom, middle], (48, 48, 72))
    report = judged(changed(data, frame=Frame(np.array([3, 3]), nuclei[:2], cell)))
    assert said(report, "the highest one at (3.175, 3.175,")
    assert report.attractors["n_non_nuclear"] == 1
    assert report.attractors["non_nuclear"][0]["atoms"] == [0, 1]
    np.testing.assert_allclose(report.columns["population"], 3.0, atol=0.01)


def merged_hydrogen():
    """Water in which the hydrogens have no maximum of their own."""
    frame = Frame(np.array([8, 1, 1]), WATER, SIDE * np.eye(3))
    return density_of(frame, [((7.8, 0.2),), ((0.1, 0.2),), ((0.1, 0.2),)], (48, 48, 48))


def test_a_frame_without_a_maximum_is_flagged_and_costs_no_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for i, data in enumerate((water(), merged_hydrogen(), water())):
        cube.write(Path(f"rho_{i}.cube"), data)
    names = [f"rho_{i}.cube" for i in range(3)]
    reports = run_basins(names, output=Path("t.csv"))
    assert [said(r, "Not divided") for r in reports] == [False, True, False]
    assert [bool(np.isnan(r.columns["population"]).all()) for r in reports] == [0, 1, 0]
    assert len(Path("t.csv").read_text().splitlines()) == 10
    run_basins(names, output=Path("t.extxyz"))
    again = run_basins(names, output=Path("t.json"))
    assert json.loads(Path("t.json").read_text())["frames"][1] == again[1].to_dict()
    with pytest.raises(EmptyBasinError, match="--allow-empty"):
        run_basins(["rho_1.cube"])  # control: a single one is refused
    (report,) = run_basins(["rho_1.cube"], allow_empty=True)
    assert report.columns["population"][1:].tolist() == [0.0, 0.0]
    assert said(report, "2 of 3 atoms have no maximum")


def test_vacuum_is_a_row_of_its_own_when_asked(judged, tmp_path):
    data = water()
    full = judged(data)
    assert full.vacuum is None
    report = judged(data, vacuum=1e-3, output=tmp_path / "t.csv")
    assert report.vacuum is not None
    for key in ("population", "volume"):
        total = report.totals[key]
        assert abs(total["difference"]) < 1e-10 * total["grid_total"]
        parts = report.columns[key].sum() + report.vacuum[key]
        assert parts == pytest.approx(full.columns[key].sum(), rel=1e-12)
    is_thin = data.first < 1e-3 * ANGSTROM**-3
    volume = is_thin.sum() * data.grid.voxel_volume * ANGSTROM**-3
    assert report.vacuum["volume"] == pytest.approx(volume, rel=1e-9)
    lines = (tmp_path / "t.csv").read_text().splitlines()
    assert lines[-1].split(",")[2:4] == ["", "vacuum"]


def test_the_table_of_pseudopotentials_has_those_in_use():
    known = {1: 1, 3: 3, 6: 4, 8: 6, 11: 9, 12: 8, 17: 7, 18: 8, 22: 12, 26: 14, 27: 9, 29: 11,
             30: 12, 36: 8, 47: 11, 48: 12, 50: 14, 52: 6, 55: 9, 57: 11, 64: 9, 72: 10, 78: 10,
             79: 11, 82: 14, 83: 15, 92: 14}  # fmt: skip
    assert [z for z, v in known.items() if v not in common_valences(z)] == []
    assert 7 not in common_valences(8)  # control
    assert common_sums(np.array([8, 1, 1])).tolist() == [8, 10]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(common_sums(np.arange(1, 104))) > 100  # any mixture, at once
