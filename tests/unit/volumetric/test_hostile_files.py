"""Bytes that no program wrote: refused with one line, before they reach a kernel or memory."""

import gzip
import re

import numpy as np
import pytest

from zeroflux.errors import FileFormatError, RepairWarning, printable
from zeroflux.grids import UniformGrid
from zeroflux.volumetric import read_volumetric
from zeroflux.volumetric.cells import check_density

CUBE = [
    "title",
    "second title",
    "    1    0.0 0.0 0.0",
    "    2    1.0 0.0 0.0",
    "    2    0.0 1.0 0.0",
    "    2    0.0 0.0 1.0",
    "    8    6.0 0.5 0.5 0.5",
    "1.0 2.0 3.0 4.0 5.0 6.0 7.0 8.0",
]
CHGCAR = ["Slab", "1.0", "3.0 0 0", "0 3.0 0", "0 0 3.0", "Ne", "1", "Direct", "0 0 0", "", "2 2 2"]
CHGCAR += ["1.0 2.0 3.0 4.0 5.0 6.0 7.0 8.0"]
XSF = ["CRYSTAL", "PRIMVEC", "3.0 0 0", "0 3.0 0", "0 0 3.0", "PRIMCOORD", "1 1", "Ne 0 0 0"]
XSF += ["BEGIN_BLOCK_DATAGRID_3D", "name", "BEGIN_DATAGRID_3D_rho", "2 2 2", "0 0 0", "3.0 0 0"]
XSF += ["0 3.0 0", "0 0 3.0", "1 1 1 1 1 1 1 1", "END_DATAGRID_3D", "END_BLOCK_DATAGRID_3D"]


def read_lines(tmp_path, lines, name="a.cube", change=None):
    """Read lines of which some, by number from 1, are replaced."""
    lines = list(lines)
    for number, text in (change or {}).items():
        lines[number - 1] = text
    path = tmp_path / name
    path.write_text("\n".join(lines) + "\n")
    return read_volumetric(path)


@pytest.mark.parametrize(
    ("lines", "name"), [(CUBE, "a.cube"), (CHGCAR, "CHGCAR"), (XSF, "a.xsf")], ids=str
)
def test_the_unchanged_files_are_read(tmp_path, lines, name):
    assert read_lines(tmp_path, lines, name).grid.n_points in (1, 8)


@pytest.mark.parametrize(
    ("lines", "name", "number", "text"),
    [
        (CUBE, "a.cube", 4, "    2    1.0 0.0 9223372036854775808"),
        (CUBE, "a.cube", 4, "    2    1.0 0.0 1e300"),
        (CUBE, "a.cube", 3, "    1    0.0 0.0 1e30"),
        (CUBE, "a.cube", 4, "    2    1.0 0.0 1.0e-" + "0" * 5000 + "1"),
        (CUBE, "a.cube", 7, "    8    6.0 0.5 0.5 1e20"),
        (CUBE, "a.cube", 7, "    8.5  6.0 0.5 0.5 0.5"),
        (CHGCAR, "CHGCAR", 3, "3.0 0 9e18"),
        (CHGCAR, "CHGCAR", 2, "1e200"),
        (XSF, "a.xsf", 3, "3.0 0 9e18"),
        (CUBE, "a.cube", 4, "    1_0    1.0 0.0 0.0"),
        (CUBE, "a.cube", 4, "    2    1_0.0 0.0 0.0"),
        (CUBE, "a.cube", 4, "    2    \u0661.0 0.0 0.0"),
        (CUBE, "a.cube", 4, "    \u0662    1.0 0.0 0.0"),
        (CHGCAR, "CHGCAR", 7, "\u0661"),
        (CHGCAR, "CHGCAR", 9, "0 0 1_0"),
        (XSF, "a.xsf", 12, "2 2 0_2"),
        (CUBE, "a.cube", 4, "    2    1.0 0.0 0.0 0.0"),
        (CUBE, "a.cube", 7, "    8    6.0 6.0 0.5 0.5 0.5"),
        (CUBE, "a.cube", 3, "    1    0.0 0.0 0.0 1 1"),
        (CHGCAR, "CHGCAR", 9, "0 0 0 0"),
        (CHGCAR, "CHGCAR", 3, "3.0 3.0 0 0"),
        (XSF, "a.xsf", 8, "Ne 0 0 0 0"),
        (XSF, "a.xsf", 8, "Ne 0 0 0 0 0 0 0"),
        (XSF, "a.xsf", 14, "3.0 0 0 0"),
    ],
)  # fmt: skip
def test_lengths_digits_and_tokens_beyond_the_format_are_refused_with_their_line(
    tmp_path, lines, name, number, text
):
    with pytest.raises(FileFormatError, match=rf"{name}:\d+: "):
        read_lines(tmp_path, lines, name, {number: text})


@pytest.mark.parametrize(
    ("lines", "name", "number", "text"),
    [
        (CUBE, "a.cube", 3, "    1    0.0 0.0 0.0 1"),
        (CUBE, "a.cube", 7, "    8    6.D0 +.5 5. 5.0E-1"),
        (CHGCAR, "CHGCAR", 9, "0 0 0 Ne"),
        (CHGCAR, "CHGCAR", 9, "0 0 0 T T F"),
        (XSF, "a.xsf", 8, "10 0 0 0 0.1 -0.2 0.3"),
    ],
)  # fmt: skip
def test_what_formats_allow_after_a_number_is_read(tmp_path, lines, name, number, text):
    frame = read_lines(tmp_path, lines, name, {number: text}).frame
    assert frame is not None
    assert frame.n_atoms == 1


def test_grids_beyond_any_crystal_are_refused_and_a_slab_of_one_layer_is_not():
    slab = UniformGrid(cell=np.diag([4.0, 4.0, 60.0]), shape=(80, 80, 1))
    assert slab.n_points == 6400
    sheared = np.array([[7.0, 0.0, 0.0], [0.1, 8.0, 9e6], [0.2, -0.3, 9.0]])
    for cell, shape in (
        (np.diag([1e9, 1.0, 1.0]), (2, 2, 2)),
        (np.diag([np.nan, 1.0, 1.0]), (2, 2, 2)),
        (sheared, (6, 5, 4)),
    ):
        with pytest.raises(ValueError, match="grid cell"):
            UniformGrid(cell=cell, shape=shape)


def test_a_density_whose_sum_overflows_is_refused(tmp_path):
    data = read_lines(tmp_path, CUBE, change={8: "1e308 " * 8})
    with pytest.raises(FileFormatError, match="largest density is 1e"):
        check_density(data)
    check_density(read_lines(tmp_path, CUBE, change={8: "1e5 " * 8}))


def test_control_characters_of_a_file_do_not_reach_the_terminal(tmp_path):
    with pytest.raises(FileFormatError) as caught:
        read_lines(tmp_path, CUBE, change={3: " 3\x1b]0;HACKED\x07\x1b[31mX\u202e 0 0 0"})
    assert re.search(r"3\\x1b\]0;HACKED\\x07\\x1b\[31mX\\u202e", str(caught.value))
    assert "\x1b" not in str(RepairWarning("a\x1b[2J"))
    assert printable("3.1 Å, Σ\nnext") == "3.1 Å, Σ\nnext"


@pytest.mark.parametrize("after", [6, 7, 8])
def test_endless_blank_lines_are_refused_early(tmp_path, after):
    text = "\n".join(CUBE[:after]) + "\n"
    path = tmp_path / "a.cube"
    path.write_bytes(
        gzip.compress((text + "\n" * 500 + "\n".join(CUBE[after:]) + "\n").encode(), 1)
    )
    if after > 6:  # a few are no harm where they are allowed
        assert read_volumetric(path).grid.n_points == 8
    bomb = text.encode() + b"\n" * (1 << 23) + "\n".join(CUBE[after:]).encode()
    path.write_bytes(gzip.compress(bomb, 1))
    with pytest.raises(
        FileFormatError, match=r"blank lines or remarks without end|found '' as an atom"
    ):
        read_volumetric(path)
