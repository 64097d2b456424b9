"""XCrySDen files."""

from io import StringIO
from typing import Any

import numpy as np
import pytest
from ase.io.xsf import read_xsf as ase_read_xsf

from zeroflux.errors import FileFormatError, RepairWarning
from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.units import ANGSTROM
from zeroflux.volumetric import VolumetricData, electron_count, read_volumetric, write_volumetric

SMALL = """# a comment
CRYSTAL
PRIMVEC
 2.0 0.0 0.0
 0.0 3.0 0.0
 0.0 0.5 4.0
PRIMCOORD
 2 1
 Ar 0.1 0.2 0.3
 36 1.0 1.5 2.0 0.0 0.0 0.0
BEGIN_BLOCK_DATAGRID_3D
 density
 BEGIN_DATAGRID_3D_rho
 3 3 2
 0.0 0.0 0.0
 2.0 0.0 0.0
 0.0 3.0 0.0
 0.0 0.5 4.0
 1 2 1 3 4 3 1 2 1
 1 2 1 3 4 3 1 2 1
 END_DATAGRID_3D
END_BLOCK_DATAGRID_3D
"""


def read_text(tmp_path, text):
    path = tmp_path / "small.xsf"
    path.write_text(text)
    return read_volumetric(path)


def test_the_repeated_last_points_are_dropped(tmp_path):
    data = read_text(tmp_path, SMALL)
    assert data.grid.shape == (2, 2, 1)
    assert data.fields["rho"].tolist() == [[[1.0], [3.0]], [[2.0], [4.0]]]  # a runs fastest
    np.testing.assert_allclose(data.grid.cell[2], np.array([0.0, 0.5, 4.0]) * ANGSTROM)
    assert data.frame is not None
    assert data.frame.atomic_numbers.tolist() == [18, 36]


def test_a_molecule_takes_its_cell_from_the_grid(tmp_path):
    text = SMALL[SMALL.index("BEGIN_BLOCK") :]
    data = read_text(tmp_path, "ATOMS\n18 0.1 0.2 0.3\n36 1.0 1.5 2.0\n" + text)
    assert data.frame is not None
    assert data.frame.n_atoms == 2
    np.testing.assert_allclose(data.frame.cell, data.grid.cell)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_written_file_is_read_back_by_us_and_by_ase(tmp_path, suffix):
    rng = np.random.default_rng(5)
    cell = np.array([[7.0, 0.0, 0.0], [1.3, 6.5, 0.0], [-0.4, 0.9, 8.1]])
    grid = UniformGrid(cell=cell, shape=(5, 9, 17))
    frame = Frame(np.array([18, 36]), rng.random((2, 3)) @ cell, cell)
    fields = {"rho": rng.normal(size=grid.shape), "tau": rng.normal(size=grid.shape)}
    path = tmp_path / f"out.xsf{suffix}"
    write_volumetric(path, VolumetricData(grid, fields, frame))
    found = read_volumetric(path, n_threads=2)
    for name, values in fields.items():
        # 12 digits: half a unit of the last one is 5e-12 of a number that starts with 1
        np.testing.assert_allclose(found.fields[name], values, rtol=6e-12)
    np.testing.assert_allclose(found.grid.cell, cell, atol=1e-12)
    assert list(read_volumetric(path, only_first=True).fields) == ["rho"]
    if not suffix:
        theirs: Any = ase_read_xsf(StringIO(path.read_text()), read_data=True)[0]
        np.testing.assert_allclose(theirs[:-1, :-1, :-1], fields["rho"], rtol=6e-12)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (SMALL.replace("1 2 1 3 4 3 1 2 1", "1 2 1 3 4 3 1 2 9", 1), r":19: the last point"),
        (SMALL.replace("4 3 1 2 1\n END", "4 3 1 2 7\n END"), r":19: the last point"),
        (SMALL.replace("3 3 2\n", "3 3 3\n"), r":21: found 'END_DATAGRID_3D'"),
        (SMALL.replace("3 3 2\n", "3 2 2\n"), r"(:19: the last point|END_DATAGRID_3D)"),
        (SMALL.replace("3 3 2\n", "3 1 2\n"), r":14: found a grid"),
        (SMALL.replace(" 2.0 0.0 0.0\n 0.0 3.0", " 2.1 0.0 0.0\n 0.0 3.0", 1), "PRIMVEC"),
        (SMALL.replace(" Ar", " Qq"), r":9: found 'Qq'"),
        ("ANIMSTEPS 2\n" + SMALL, r":1: found ANIMSTEPS"),
        (SMALL[: SMALL.index("BEGIN_BLOCK")], r":11: found no data grid"),
        (SMALL[: SMALL.index(" END_DATAGRID")], r":21: the file ends"),
    ],
)
def test_damaged_files_are_refused_with_path_and_line(tmp_path, text, complaint):
    with pytest.raises(FileFormatError, match=rf"small\.xsf.*{complaint}"):
        read_text(tmp_path, text)


@pytest.mark.parametrize("unit", [1.0, ANGSTROM**3])
@pytest.mark.parametrize(
    ("extra_steps", "width", "is_mended"), [(0, 0.8, True), (1, 0.8, False), (0, 2.5, False)]
)
def test_a_molecule_whose_last_points_do_not_repeat_the_first_keeps_its_electrons(
    tmp_path, unit, extra_steps, width, is_mended
):
    """Eight electrons in N points of N steps, or of N − 1 as the format wants."""
    n, length = 24, 12.0
    step = length / n
    axis = (np.arange(n) * step - length / 2 + 0.1) / width
    gauss = np.exp(-0.5 * axis**2) / (width * np.sqrt(2 * np.pi))
    values = 8.0 * np.einsum("a,b,c->abc", gauss, gauss, gauss) * unit
    if width > 1:  # not decayed: periodic, and the format's last points would repeat the first
        values[-1], values[:, -1], values[:, :, -1] = values[0], values[:, 0], values[:, :, 0]
    span = (length - extra_steps * step) / ANGSTROM
    head = f" {n} {n} {n}\n 0 0 0\n {span:.10f} 0 0\n 0 {span:.10f} 0\n 0 0 {span:.10f}\n"
    text = "MOLECULE\nATOMS\n O 3.1 3.1 3.1\nBEGIN_BLOCK_DATAGRID_3D\n x\n DATAGRID_3D_rho\n" + head
    text += " ".join(f"{v:.8E}" for v in values.ravel(order="F")) + "\nEND_DATAGRID_3D\n"
    path = tmp_path / "a.xsf"
    path.write_text(text)
    if is_mended:
        with pytest.warns(RepairWarning, match="if they do not"):
            data = read_volumetric(path)
    else:
        data = read_volumetric(path)
    if width < 1:
        assert electron_count(data) / unit == pytest.approx(8.0, abs=1e-5)
