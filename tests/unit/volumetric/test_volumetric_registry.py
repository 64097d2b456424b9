"""Recognising formats."""

import gzip
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from zeroflux.errors import FileFormatError, RepairWarning
from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.volumetric import VolumetricData, read_volumetric, write_volumetric
from zeroflux.volumetric.registry import format_by_contents, format_by_name

NAMES = {
    "a.cube": "cube", "a.cub.gz": "cube", "CHGCAR": "vasp", "CHGCAR_007.xz": "vasp",
    "AECCAR2": "vasp", "EDM_Ta": "vasp", "LOCPOT": "vasp", "PARCHG.0001": "vasp", "a.vasp": "vasp",
    "a.xsf": "xsf", "a.XSF.bz2": "xsf", "a.npz": "arrays", "a.h5": "arrays",
}  # fmt: skip


@pytest.fixture
def data():
    cell = np.diag([5.0, 6.0, 7.0])
    grid = UniformGrid(cell=cell, shape=(3, 4, 5))
    frame = Frame(np.array([18]), np.array([[1.0, 2.0, 3.0]]), cell)
    values = np.random.default_rng(7).random(grid.shape)
    return VolumetricData(grid, {"total": values}, frame)


@pytest.mark.parametrize(("name", "expected"), NAMES.items())
def test_names_tell_the_format(name, expected):
    found = format_by_name(Path(name))
    assert found is not None
    assert found.name == expected


@pytest.mark.parametrize("name", ["a.cube", "a.cube.gz", "CHGCAR", "a.xsf.xz", "a.npz", "a.h5"])
def test_contents_tell_the_format_of_a_file_with_a_meaningless_name(tmp_path, data, name):
    write_volumetric(tmp_path / name, data)
    shutil.move(tmp_path / name, tmp_path / "density.dat")
    found = format_by_contents(tmp_path / "density.dat")
    expected = format_by_name(Path(name))
    assert found is not None
    assert expected is not None
    assert found.name == expected.name
    np.testing.assert_allclose(
        read_volumetric(tmp_path / "density.dat").first, data.first, rtol=1e-6
    )  # six decimals of the cell in a CHGCAR


def test_contents_win_over_the_name(tmp_path, data):
    write_volumetric(tmp_path / "a.cube", data)
    shutil.move(tmp_path / "a.cube", tmp_path / "CHGCAR")
    np.testing.assert_allclose(read_volumetric(tmp_path / "CHGCAR").first, data.first, rtol=1e-11)


def test_a_blank_comment_line_does_not_hide_a_cube(tmp_path, data):
    write_volumetric(tmp_path / "a.cube", data)
    lines = (tmp_path / "a.cube").read_text().splitlines()
    (tmp_path / "a.dat").write_text("\n".join(["", "", *lines[2:]]))
    assert read_volumetric(tmp_path / "a.dat").grid.shape == (3, 4, 5)


def test_what_is_unknown_is_refused(tmp_path, data):
    (tmp_path / "notes.txt").write_text("no density in here\n")
    with pytest.raises(FileFormatError, match=r"notes\.txt:1: found neither a known format"):
        read_volumetric(tmp_path / "notes.txt")
    with pytest.raises(FileFormatError, match="no such file"):
        read_volumetric(tmp_path / "missing.cube")
    (tmp_path / "empty.cube").touch()
    with pytest.raises(FileFormatError, match=r"empty\.cube:1: the file is empty"):
        read_volumetric(tmp_path / "empty.cube")
    with pytest.raises(FileFormatError, match="belongs to no known format"):
        write_volumetric(tmp_path / "out.txt", data)
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileFormatError, match="neither a known format"):
        read_volumetric(tmp_path / "folder")
    write_volumetric(tmp_path / "a.cube", data)
    with pytest.raises(FileFormatError, match="found the fields value; expected 'rho'"):
        read_volumetric(f"{tmp_path / 'a.cube'}::rho")


def test_an_interrupted_write_leaves_the_old_file(tmp_path, data, monkeypatch):
    path = tmp_path / "a.cube"
    write_volumetric(path, data)
    before = path.read_bytes()

    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr("zeroflux.volumetric.cube.write_rows", fail)
    with pytest.raises(OSError, match="disk full"):
        write_volumetric(path, data)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_damaged_gzip_header_is_named(tmp_path):
    path = tmp_path / "a.cube.gz"
    path.write_bytes(gzip.compress(b"hello" * 1000)[:12])
    with pytest.raises(FileFormatError, match=r"a\.cube\.gz:1: "):
        read_volumetric(path)


def test_fields_must_have_the_shape_of_the_grid(data):
    with pytest.raises(ValueError, match="the grid has"):
        VolumetricData(data.grid, {"x": np.zeros((3, 4, 6))})
    with pytest.raises(ValueError, match="no field"):
        VolumetricData(data.grid, {})


def test_one_of_several_fields_is_chosen_by_its_name(tmp_path, data):
    fields = {"total": data.first, "magnetization": data.first - 0.5}
    write_volumetric(tmp_path / "CHGCAR", replace(data, fields=fields))
    write_volumetric(tmp_path / "two.cube", replace(data, fields=fields))
    for name in ("CHGCAR::magnetization", "two.cube::value_2"):
        found = read_volumetric(tmp_path / name, only_first=True)
        assert list(found.fields) == [name.partition("::")[2]]
        # six decimals of the cell in a CHGCAR
        np.testing.assert_allclose(found.first, fields["magnetization"], rtol=1e-6)
    with pytest.warns(RepairWarning, match=r"first of 2 data sets; .*two\.cube::value_2"):
        read_volumetric(tmp_path / "two.cube", only_first=True)


@pytest.mark.parametrize(
    "title", ["Slab", "Molecule", "Crystal of Ar", "ATOMS", "slab 1", "PRIMVEC"]
)
@pytest.mark.parametrize("name", ["CHGCAR", "a.cube"])
def test_a_title_that_is_a_keyword_of_xsf_does_not_make_an_xsf_file(tmp_path, data, name, title):
    path = tmp_path / name
    write_volumetric(path, data)
    lines = path.read_text().split("\n")
    path.write_text("\n".join([title, *lines[1:]]))
    shutil.move(path, tmp_path / "density.dat")
    found = read_volumetric(tmp_path / "density.dat")
    np.testing.assert_allclose(found.first, data.first, rtol=1e-6)


@pytest.mark.parametrize(
    "start",
    ["", "# remark\n\n", "DIM-GROUP\n 3 1\n", "dim-group 3 1\n", "CRYSTAL\nDIM-GROUP\n3 1\n"],
)
def test_an_xsf_file_is_known_by_two_of_its_lines(tmp_path, data, start):
    write_volumetric(tmp_path / "a.xsf", data)
    text = (tmp_path / "a.xsf").read_text()
    (tmp_path / "density.dat").write_text(start + (text[8:] if "DIM" in start.upper() else text))
    found = read_volumetric(tmp_path / "density.dat")
    np.testing.assert_allclose(found.first, data.first, rtol=1e-10)
    assert found.frame is not None
