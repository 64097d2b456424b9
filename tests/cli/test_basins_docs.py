"""The how-to on Bader charges does what it says, and the program speaks as documented."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "bader-charges.md").read_text()
DENSITY = ROOT / "tests" / "unit" / "volumetric" / "data" / "cp2k_ar4_density.cube.xz"


@pytest.fixture
def program(monkeypatch, capsys):
    """The installed program: exit status, output and errors."""
    main = pytest.importorskip("zeroflux.cli").main

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["zeroflux", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        output = capsys.readouterr()
        return stop.value.code or 0, output.out, output.err

    return run


def test_the_program_ends_with_0_and_a_table(program):
    code, out, err = program("basins", DENSITY, "--valence", "Ar=8", "--electrons", 32)
    assert code == 0
    assert "32.00000" in out
    assert err == ""


def test_a_user_error_is_one_line_and_status_2(program, tmp_path):
    (tmp_path / "rho.cube").write_text("not\na cube\n")
    code, out, err = program("basins", tmp_path / "rho.cube")
    assert (code, out) == (2, "")
    assert re.fullmatch(r"error: \S*rho\.cube:3: the file ends .*\n", err)


def test_remarks_go_to_the_error_stream(program):
    code, out, err = program("basins", DENSITY, "--coarse-check", "--json")
    assert code == 0
    assert out.startswith("{")  # nothing but JSON for the next program
    assert "warning: The coarse-grid check was left out" in err


def test_every_option_of_the_page_exists(program):
    code, out, _ = program("basins", "--help")
    assert code == 0
    options = set(re.findall(r"(?<!\w)--[a-z-]+", PAGE))
    assert options >= {"--reference", "--integrate", "--coarse-check"}
    assert [option for option in options if option not in out] == []


@pytest.mark.slow
def test_the_lines_for_pyscf_give_neutral_atoms():
    """Two helium atoms in a box by PySCF; the three lines of the page are run as they stand."""
    gto = pytest.importorskip("pyscf.pbc.gto")
    from pyscf.gto import charge
    from pyscf.pbc import dft

    from zeroflux import Frame, UniformGrid
    from zeroflux.partition import basins

    cell = gto.Cell(
        a=np.diag([4.0, 4.0, 8.0]), atom="He 1 1 2; He 1 1 6", basis="gth-dzvp", pseudo="gth-pbe",
        ke_cutoff=60, verbose=0,
    ).build()  # fmt: skip
    mf = dft.RKS(cell, xc="pbe")
    mf.kernel()
    block = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert block
    names = dict(
        cell=cell, mf=mf, np=np, charge=charge, Frame=Frame, UniformGrid=UniformGrid, basins=basins
    )
    exec(block[1], names)
    # the atoms are equal by symmetry, so the charges only show the grid's error
    np.testing.assert_allclose(names["charges"], 0.0, atol=1e-6)


def test_the_version_is_printed_without_a_command(program):
    code, out, _ = program("--version")
    assert code == 0
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\n", out)


def test_control_characters_of_a_damaged_file_do_not_reach_the_terminal(program, tmp_path):
    (tmp_path / "rho.cube").write_text("c\nc\n 3\x1b]0;HACKED\x07 0 0 0\n" + " 6 1 0 0\n" * 3)
    code, out, err = program("basins", tmp_path / "rho.cube")
    assert (code, out) == (2, "")
    assert "\\x1b]0;HACKED\\x07" in err
    assert "\x1b" not in err
