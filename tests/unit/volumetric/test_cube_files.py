"""Gaussian cube files."""

import lzma
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from ase.io.cube import read_cube as ase_read_cube
from ase.units import Bohr

from zeroflux.errors import FileFormatError, RepairWarning
from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.units import ANGSTROM
from zeroflux.volumetric import VolumetricData, cube, read_volumetric

DATA = Path(__file__).parent / "data"
HEADER = """comment one
comment two
 {n_atoms} 0.1 0.2 0.3{n_values}
 {sign}2 1.0 0.0 0.0
 {sign}3 0.1 1.1 0.0
 {sign}4 0.0 0.2 1.2
"""
ATOM = " 18 8.0 0.5 0.6 0.7\n"
VALUES = " ".join(str(float(i)) for i in range(24)) + "\n"


def small_cube(n_atoms: int | str = 1, sign="", n_values="", atoms=ATOM, rest=VALUES):
    return HEADER.format(n_atoms=n_atoms, sign=sign, n_values=n_values) + atoms + rest


def read_text(tmp_path, text):
    path = tmp_path / "small.cube"
    path.write_text(text)
    return read_volumetric(path)


def test_the_header_and_the_order_of_values_are_as_in_the_format(tmp_path):
    data = read_text(tmp_path, small_cube())
    assert data.grid.shape == (2, 3, 4)
    assert data.first[1, 2, 3] == 23.0  # the last index runs fastest
    assert data.first[0, 1, 0] == 4.0
    np.testing.assert_allclose(data.grid.cell, [[2, 0, 0], [0.3, 3.3, 0], [0, 0.8, 4.8]])
    np.testing.assert_allclose(data.grid.origin, [0.1, 0.2, 0.3])
    assert data.frame is not None
    np.testing.assert_allclose(data.frame.positions, [[0.5, 0.6, 0.7]])
    assert data.effective_charges is not None
    assert data.effective_charges.tolist() == [8.0]


def test_negative_counts_mean_angstrom(tmp_path):
    in_bohr = read_text(tmp_path, small_cube())
    in_angstrom = read_text(tmp_path, small_cube(sign="-"))
    np.testing.assert_allclose(in_angstrom.grid.cell, in_bohr.grid.cell * ANGSTROM)
    np.testing.assert_allclose(in_angstrom.grid.origin, in_bohr.grid.origin * ANGSTROM)
    assert in_angstrom.frame is not None
    assert in_bohr.frame is not None
    np.testing.assert_allclose(in_angstrom.frame.positions, in_bohr.frame.positions * ANGSTROM)
    np.testing.assert_array_equal(in_angstrom.first, in_bohr.first)


@pytest.mark.parametrize("per_line", [1, 6, 7, 48])
@pytest.mark.parametrize("identifiers", ["2 1 2\n", "2\n1\n2\n"])
def test_several_data_sets_alternate_point_by_point(tmp_path, per_line, identifiers):
    values = [str(float(i)) for i in range(48)]
    lines = [" ".join(values[i : i + per_line]) for i in range(0, 48, per_line)]
    data = read_text(tmp_path, small_cube(n_atoms=-1, rest=identifiers + "\n".join(lines) + "\n"))
    assert list(data.fields) == ["value_1", "value_2"]
    np.testing.assert_array_equal(data.fields["value_1"].ravel(), np.arange(0.0, 48, 2))
    np.testing.assert_array_equal(data.fields["value_2"].ravel(), np.arange(1.0, 48, 2))


def test_several_values_per_point_may_stand_in_the_third_line(tmp_path):
    rest = " ".join(str(float(i)) for i in range(72))
    data = read_text(tmp_path, small_cube(n_values=" 3", rest=rest))
    assert list(data.fields) == ["value_1", "value_2", "value_3"]
    np.testing.assert_array_equal(data.fields["value_3"].ravel(), np.arange(2.0, 72, 3))


def test_ghost_atoms_are_left_out_with_a_warning(tmp_path):
    ghost = " 0 0.0 1.0 1.0 1.0\n"
    with pytest.warns(RepairWarning, match="left out 1 of 2 atoms"):
        data = read_text(tmp_path, small_cube(n_atoms=2, atoms=ghost + ATOM))
    assert data.frame is not None
    assert data.frame.atomic_numbers.tolist() == [18]


def test_a_cube_without_atoms_has_no_frame(tmp_path):
    assert read_text(tmp_path, small_cube(n_atoms=0, atoms="")).frame is None


@pytest.mark.parametrize("name", ["cp2k_ar4_density", "pyscf_ar_fcc_density"])
def test_real_files_are_read_as_ase_reads_them(name):
    path = DATA / f"{name}.cube.xz"
    ours = read_volumetric(path)
    theirs = ase_read_cube(StringIO(lzma.decompress(path.read_bytes()).decode()))
    np.testing.assert_array_equal(ours.first, theirs["data"])
    # units differ in the last digits of the CODATA release
    np.testing.assert_allclose(
        ours.grid.cell, theirs["atoms"].cell.array / Bohr, rtol=1e-7, atol=1e-12
    )
    assert ours.frame is not None
    origin = np.asarray(theirs["origin"]) / Bohr
    shifted = theirs["atoms"].positions / Bohr
    matches = [np.allclose(ours.frame.positions, shifted + s, atol=1e-6) for s in (0, origin)]
    assert any(matches)  # ASE releases differ in whether they move atoms by the origin
    np.testing.assert_array_equal(ours.frame.atomic_numbers, theirs["atoms"].numbers)


@pytest.mark.parametrize(
    ("name", "n_electrons"), [("cp2k_ar4_density", 32.0), ("pyscf_ar_fcc_density", 8.0)]
)
def test_real_files_hold_their_electrons(name, n_electrons):
    data = read_volumetric(DATA / f"{name}.cube.xz")
    found = data.first.sum() * data.grid.voxel_volume
    # values have 5 or 6 digits, the cell 6 decimals
    assert abs(found - n_electrons) < 2e-5 * n_electrons


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz", ".bz2"])
@pytest.mark.parametrize("n_fields", [1, 3])
def test_a_written_cube_is_read_back(tmp_path, suffix, n_fields):
    rng = np.random.default_rng(2)
    cell = np.array([[7.0, 0.1, 0.2], [1.3, 6.5, 0.0], [-0.4, 0.9, 8.1]])
    grid = UniformGrid(cell=cell, shape=(5, 4, 7), origin=np.array([0.3, -0.2, 0.1]))
    frame = Frame(np.array([18, 36]), rng.random((2, 3)) @ cell, cell)
    fields = {f"f{i}": rng.normal(size=grid.shape) * 10.0**-i for i in range(n_fields)}
    data = VolumetricData(grid, fields, frame, effective_charges=np.array([8.0, 8.0]))
    path = tmp_path / f"out.cube{suffix}"
    cube.write(path, data, digits=16)
    found = read_volumetric(path)
    assert (
        path.read_bytes()[:2]
        == {"": b"ze", ".gz": b"\x1f\x8b", ".xz": b"\xfd7", ".bz2": b"BZ"}[suffix]
    )
    for mine, theirs in zip(fields.values(), found.fields.values(), strict=True):
        np.testing.assert_array_equal(mine, theirs)  # 17 digits carry every bit
    np.testing.assert_allclose(found.grid.cell, cell, atol=7 * 1e-12)  # 12 decimals of the step
    np.testing.assert_allclose(found.grid.origin, grid.origin, atol=1e-12)
    assert found.frame is not None
    np.testing.assert_allclose(found.frame.positions, frame.positions, atol=1e-12)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]  # no temporary file is left


def test_the_bound_of_the_cell_error_holds_for_rounded_headers(tmp_path):
    rng = np.random.default_rng(3)
    for _ in range(20):
        cell = np.diag(rng.uniform(8, 12, 3)) + rng.uniform(-1, 1, (3, 3))
        grid = UniformGrid(cell=cell, shape=(40, 40, 40))
        path = tmp_path / "rounded.cube"
        data = VolumetricData(grid, {"f": np.zeros(grid.shape)})
        cube.write(path, data, digits=0, header_decimals=4)
        found = read_volumetric(path)
        error = abs(found.grid.volume / grid.volume - 1.0)
        assert error <= found.relative_cell_error * 1.01
        assert found.relative_cell_error < 0.01  # and it is no empty promise


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (small_cube(rest=VALUES.replace("5.0", "NaN")), r":8: found 'NaN'"),
        (small_cube(rest=VALUES.replace(" 23.0", "")), r":9: .*after 23 of 24"),
        (small_cube(rest=VALUES + "24.0\n"), r":9: found '24.0' after the last value"),
        (small_cube(rest=VALUES.strip() + " 24.0\n"), r":8: found '24.0' after the last value"),
        (small_cube(n_atoms=2), r":8: found '0.0 1.0 .* as an atom|truncated"),
        (small_cube(n_atoms="x"), r":3: found 'x' as the number of atoms"),
        (small_cube().replace(" 3 0.1", " -3 0.1"), r":6: found \[2, -3, 4\]"),
        (small_cube().replace(" 3 0.1", " 0 0.1"), r":6: found \[2, 0, 4\]"),
        (small_cube().replace(" 3 0.1", " 3.0 0.1"), r":5: found '3.0'"),
        (small_cube().replace("0.1 1.1 0.0", "0.1 1.1"), r":5: .*expected 3 numbers"),
        (small_cube().replace("0.1 1.1 0.0", "2.0 0.0 0.0"), r":6: .*no volume"),
        (small_cube(atoms=" 180 8.0 0.5 0.6 0.7\n"), r":7: .*atomic number 180"),
        (small_cube(n_atoms=-1, rest="2 1\n" + VALUES), r":9: .* identifiers"),
        (small_cube(n_atoms=-1, rest="-2 1\n" + VALUES), r":8: found -2 data sets"),
        (small_cube().replace(" 2 1.0", " 99999999999 1.0"), r":4: found '99999999999'"),
        (small_cube().replace(" 2 1.0", " 2000000 1.0"), r":7: .*has only"),
        ("\n".join(small_cube().splitlines()[:5]), r":6: the file ends where"),
    ],
)
def test_damaged_cubes_are_refused_with_path_and_line(tmp_path, text, complaint):
    with pytest.raises(FileFormatError, match=rf"small\.cube{complaint}"):
        read_text(tmp_path, text)
