"""VASP's grid files."""

import gzip
import lzma
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.calculators.vasp import VaspChargeDensity
from ase.units import Bohr

from zeroflux.errors import FileFormatError, RepairWarning
from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.units import ANGSTROM, ELECTRONVOLT
from zeroflux.volumetric import (
    VolumetricData,
    find_valence,
    read_volumetric,
    vasp,
    write_volumetric,
)
from zeroflux.volumetric.vasp import contents_of

CELL = np.array([[4.0, 0.0, 0.0], [0.5, 5.0, 0.0], [0.0, 0.3, 6.0]])  # Å
SHAPE = (2, 3, 4)


def block(factor=1.0, per_line=5):
    """Values factor · (a + 10 b + 100 c + 1), a fastest."""
    values = [
        factor * (a + 10 * b + 100 * c + 1) for c in range(4) for b in range(3) for a in range(2)
    ]
    texts = [f"{v:.11E}" for v in values]
    lines = [" ".join(texts[i : i + per_line]) for i in range(0, len(texts), per_line)]
    return "  2 3 4\n" + "\n".join(lines) + "\n"


def header(
    *, scale="1.0", symbols="Ar Kr\n", counts="1 2", mode="Direct\n", unit=1.0, comment="test"
):
    cell = "\n".join(" ".join(str(x / unit) for x in row) for row in CELL)
    positions = np.array([[0.1, 0.2, 0.3], [0.5, 0.5, 0.5], [0.9, 0.1, 0.8]])
    if "artesian" in mode:
        positions = positions @ CELL / unit
    flags = " T T F" if mode.startswith("S") else ""
    rows = "\n".join(" ".join(str(x) for x in row) + flags for row in positions)
    return f"{comment}\n{scale}\n{cell}\n{symbols}{counts}\n{mode}{rows}\n\n"


def read_text(tmp_path, text, name="CHGCAR", **options):
    path = tmp_path / name
    path.write_text(text)
    return read_volumetric(path, **options)


VOLUME = float(np.linalg.det(CELL))


def expected_density():
    a, b, c = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij")
    return (a + 10 * b + 100 * c + 1) / (VOLUME * ANGSTROM**3)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"mode": "Cartesian\n"},
        {"mode": "Selective dynamics\nDirect\n"},
        {"mode": "Selective dynamics\ncartesian\n"},
        {"scale": "2.0", "unit": 2.0},
        {"scale": "2.0", "unit": 2.0, "mode": "Cartesian\n"},
        {"scale": str(-VOLUME), "unit": 3.0},
        {"scale": str(-VOLUME), "unit": 3.0, "mode": "Cartesian\n"},
        {"symbols": "", "comment": "Ar Kr"},
        {"symbols": "Ar_GW Kr/1a2b\n"},
    ],
    ids=str,
)
def test_every_form_of_the_header_gives_the_same_density(tmp_path, options):
    data = read_text(tmp_path, header(**options) + block())
    np.testing.assert_allclose(data.first, expected_density(), rtol=1e-10)
    np.testing.assert_allclose(data.grid.cell, CELL * ANGSTROM, rtol=1e-12)
    assert data.frame is not None
    assert data.frame.atomic_numbers.tolist() == [18, 36, 36]
    np.testing.assert_allclose(data.frame.fractional_positions[0], [0.1, 0.2, 0.3], atol=1e-12)
    assert data.first_unit == "1/bohr^3"


def test_ase_reads_the_same_density(tmp_path):
    data = read_text(tmp_path, header() + block())
    theirs = VaspChargeDensity(str(tmp_path / "CHGCAR"))
    np.testing.assert_allclose(data.first, theirs.chg[0] * Bohr**3, rtol=1e-7)
    np.testing.assert_allclose(data.grid.cell, theirs.atoms[0].cell[:] / Bohr, rtol=1e-7)


def test_elements_of_a_vasp_4_file_come_from_the_caller_or_a_potcar(tmp_path):
    text = header(symbols="", comment="unknown system") + block()
    assert read_text(tmp_path, text).frame is None
    given = read_text(tmp_path, text, symbols=["Ne", "Xe"])
    assert given.frame is not None
    assert given.frame.atomic_numbers.tolist() == [10, 54, 54]
    with pytest.raises(FileFormatError, match="found 2 groups of atoms"):
        read_text(tmp_path, text, symbols=["Ne"])
    titles = "   TITEL  = PAW_PBE Ar 07Sep2000\n   TITEL  = PAW_PBE Kr_GW 07Sep2000\n"
    (tmp_path / "POTCAR").write_text(titles)
    found = read_text(tmp_path, text)
    assert found.frame is not None
    assert found.frame.atomic_numbers.tolist() == [18, 36, 36]


AUGMENTATION = "".join(
    f"augmentation occupancies {i + 1} 7\n 0.1 0.2 0.3 0.4 0.5\n 0.6 0.7\n" for i in range(3)
)


@pytest.mark.parametrize("moments", ["", " 0.1 0.2 0.3\n"])
@pytest.mark.parametrize(
    ("n_blocks", "names"),
    [
        (1, ["total"]),
        (2, ["total", "magnetization"]),
        (4, ["total", "magnetization_x", "magnetization_y", "magnetization_z"]),
    ],
)
def test_spin_blocks_are_found_behind_one_centre_terms(tmp_path, n_blocks, names, moments):
    parts = [block(factor=i + 1.0) + AUGMENTATION for i in range(n_blocks)]
    data = read_text(tmp_path, header() + moments.join(parts))
    assert list(data.fields) == names
    for i, values in enumerate(data.fields.values()):
        np.testing.assert_allclose(values, (i + 1) * expected_density(), rtol=1e-10)
    first = read_volumetric(tmp_path / "CHGCAR", only_first=True)
    assert list(first.fields) == ["total"]


@pytest.mark.parametrize(
    ("name", "unit", "factor"),
    [
        ("CHGCAR", "1/bohr^3", 1.0 / (VOLUME * ANGSTROM**3)),
        ("AECCAR0.gz", "1/bohr^3", 1.0 / (VOLUME * ANGSTROM**3)),
        ("EDM_CHDEN", "1/bohr^3", 1.0 / (VOLUME * ANGSTROM**3)),
        ("EDM_Ta_tot", "hartree/bohr^3", ELECTRONVOLT / (VOLUME * ANGSTROM**3)),
        ("EDM_VnCAR", "hartree/bohr^3", ELECTRONVOLT / (VOLUME * ANGSTROM**3)),
        ("EDM_VCCCAR", "hartree", ELECTRONVOLT / VOLUME),
        ("LOCPOT", "hartree", ELECTRONVOLT),
        ("ELFCAR", "unknown", 1.0),
    ],
)
def test_the_name_tells_unit_and_factor(tmp_path, name, unit, factor):
    data = read_text(tmp_path, header() + block(), name=name)
    assert data.first_unit == unit
    np.testing.assert_allclose(data.first[1, 2, 3], 322 * factor, rtol=1e-10)


@pytest.mark.parametrize("name", ["CHGCAR", "LOCPOT.xz", "EDM_exc", "rho.vasp"])
def test_a_written_file_is_read_back(tmp_path, name):
    rng = np.random.default_rng(4)
    grid = UniformGrid(cell=CELL * ANGSTROM, shape=(11, 9, 10))  # more planes than one tile
    frame = Frame(np.array([18, 36, 18]), rng.random((3, 3)) @ grid.cell, grid.cell)
    values = rng.normal(size=grid.shape)
    data = VolumetricData(grid, {"total": values}, frame)
    vasp.write(tmp_path / name, data, header_decimals=16)
    found = read_volumetric(tmp_path / name, n_threads=2)
    np.testing.assert_allclose(found.first, values, rtol=6e-12, atol=0)  # 12 digits
    assert found.frame is not None
    assert found.frame.atomic_numbers.tolist() == [18, 36, 18]
    np.testing.assert_allclose(found.frame.positions, frame.positions, atol=1e-12)
    assert contents_of(tmp_path / name)[0] != "unknown"


def test_a_header_has_the_columns_of_vasp(tmp_path):
    """Programs that read 3F13.6 (Henkelman's bader) or 1X,3F12.6 find the same numbers."""
    cell = np.array([[12.3456789, -0.5, 0.0], [-3.25, 101.0, 0.125], [0.0, -7.7777777, 9.0]])
    grid = UniformGrid(cell=cell * ANGSTROM, shape=(4, 5, 6))
    sites = np.array([[0.25, 0.9999999, 0.0], [0.1234567, -0.5, 0.75]])
    frame = Frame(np.array([18, 18]), sites @ grid.cell, grid.cell)
    values = np.random.default_rng(5).random(grid.shape)
    write_volumetric(tmp_path / "CHGCAR", VolumetricData(grid, {"total": values}, frame))
    lines = (tmp_path / "CHGCAR").read_text().splitlines()
    for line, row in zip(lines[2:5], cell, strict=True):
        for columns in (
            [line[0:13], line[13:26], line[26:39]],
            [line[1:13], line[13:25], line[25:]],
        ):
            np.testing.assert_allclose([float(c) for c in columns], row, atol=5.1e-7)
        assert len(line.split()) == 3
    for line, row in zip(lines[8:10], sites, strict=True):
        np.testing.assert_allclose([float(line[n : n + 10]) for n in (0, 10, 20)], row, atol=5.1e-7)
    found = read_volumetric(tmp_path / "CHGCAR")
    # the rounded cell changes neither the electrons nor, beyond its digits, the values
    electrons = values.mean() * grid.volume
    np.testing.assert_allclose(found.first.mean() * found.grid.volume, electrons, rtol=1e-11)
    np.testing.assert_allclose(found.first, values, rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (header() + block()[:-30], r":\d+: .*after 2[23] of 24"),
        (header() + block() + "1.0\n", r"found 1 or more numbers after the last value"),
        (header() + block().replace("E+00", "E+00 5.0", 1), r"numbers after the last value"),
        (header() + block() + "something else\n", r":\d+: found 'something else'"),
        (header() + block() + AUGMENTATION[:-30], r"augmentation occupancies"),
        (header() + block() + block() + block(), r"found 3 blocks"),
        (header() + block() * 5, r"fifth block"),
        (header(scale="x") + block(), r":2: found 'x' as the scale factor"),
        (header(scale="0.0") + block(), r":5: found a scale factor of 0"),
        (header(scale="1.0 1.0 1.0") + block(), r":2: found 3 scale factors"),
        (header(symbols="Ar Qq\n") + block(), r":6: found 'Qq'"),
        (header(symbols="Ar\n") + block(), r":7: found \[1, 2\]"),
        (header(counts="1 -2") + block(), r":7: found \[1, -2\]"),
        (header(counts="1 3") + block(), r":12: found '' as a position"),
        (header(counts="1 1") + block(), r":11: found '0.9' as the grid's shape"),
        (header(mode="0.1 0.2 0.3\n") + block(), r":8: found '0.1 0.2 0.3'"),
        (header() + block().replace("2 3 4", "2 0 4"), r":13: found a grid of 2 x 0 x 4"),
        (header() + block().replace("2 3 4", "2 3"), r":13: found '2 3' as the grid's shape"),
        (header() + block().replace("3.21", "****", 1), r":1[4-9]: found '\*\*\*\*"),
        (header(), r":13: the file ends where the grid's shape should stand"),
    ],
)
def test_damaged_files_are_refused_with_path_and_line(tmp_path, text, complaint):
    with pytest.raises(FileFormatError, match=rf"CHGCAR:?.*{complaint}"):
        read_text(tmp_path, text)


def test_values_too_many_are_noticed_when_only_the_first_block_is_read(tmp_path):
    for rest in ("1.0\n", "1.0 2.0 3.0 4.0\n" * 100):
        with pytest.raises(FileFormatError, match=r"CHGCAR:\d+: found \d+ or more numbers"):
            read_text(tmp_path, header() + block() + rest, only_first=True)


def potcar(*entries):
    return "".join(
        f"  PAW_PBE {symbol} 06Sep2000\n {valence}\n   TITEL  = PAW_PBE {symbol} 06Sep2000\n"
        f"   POMASS =   10.000; ZVAL   =  {valence:7.3f}    mass and valenz\n End of Dataset\n"
        for symbol, valence in entries
    )


def test_the_potcar_beats_the_comment_of_a_vasp_4_file(tmp_path):
    text = header(symbols="", comment="Kr Ar") + block()
    assert elements(read_text(tmp_path, text)) == [36, 18, 18]  # the only source
    (tmp_path / "POTCAR").write_text(potcar(("Ar", 8), ("Kr_GW", 8)))
    with pytest.warns(RepairWarning, match="comment reads Kr Ar, POTCAR lists Ar Kr"):
        assert elements(read_text(tmp_path, text)) == [18, 36, 36]
    agreeing = header(symbols="", comment="Ar Kr") + block()
    assert elements(read_text(tmp_path, agreeing)) == [18, 36, 36]  # no warning
    assert elements(read_text(tmp_path, text, symbols=["Ne", "Xe"])) == [10, 54, 54]
    for entries in ([("Ga", 3), ("As", 5)], [("Kr", 8)]):
        (tmp_path / "POTCAR").write_text(potcar(*entries))
        with pytest.raises(FileFormatError, match=r"CHGCAR:\d+: .*--symbols"):
            read_text(tmp_path, text)
    (tmp_path / "POTCAR").write_text("no pseudopotential\n")
    assert elements(read_text(tmp_path, text)) == [36, 18, 18]


def elements(data):
    return data.frame.atomic_numbers.tolist()


@pytest.mark.parametrize("name", ["POTCAR", "POTCAR.gz", "POTCAR.xz"])
def test_charges_belong_to_the_entries_of_the_potcar_in_order(tmp_path, name):
    opener = {".gz": gzip.open, ".xz": lzma.open}.get(Path(name).suffix, open)
    with opener(tmp_path / name, "wt") as stream:
        stream.write(potcar(("H", 1.0), ("H1.25", 1.25)))
    data = read_text(tmp_path, header(symbols="H H\n") + block())
    assert data.group_sizes == (1, 2)
    assert data.frame is not None
    found = find_valence(data, data.frame, n_electrons=3.5)
    assert found is not None
    assert (found.charges.tolist(), found.source) == ([1.0, 1.25, 1.25], name)
    # atoms without groups cannot tell two hydrogens apart
    assert find_valence(replace(data, group_sizes=None), data.frame, n_electrons=3.5) is None


def test_a_damaged_or_foreign_potcar_is_named(tmp_path):
    data = read_text(tmp_path, header() + block())
    assert data.frame is not None
    whole = gzip.compress(potcar(("Ar", 8), ("Kr", 8)).encode())
    (tmp_path / "POTCAR.gz").write_bytes(whole[:-20])
    with pytest.raises(FileFormatError, match=r"POTCAR\.gz: cannot be read"):
        find_valence(data, data.frame, n_electrons=24.0)
    (tmp_path / "POTCAR.gz").write_bytes(gzip.compress(potcar(("X\x1by", 8)).encode()))
    with pytest.raises(FileFormatError, match=r"pseudopotential of 'X\\x1by'"):
        find_valence(data, data.frame, n_electrons=24.0)
    (tmp_path / "POTCAR.gz").write_bytes(gzip.compress(potcar(("Ga", 3), ("As", 5)).encode()))
    assert find_valence(data, data.frame, n_electrons=24.0) is None


def test_exponents_without_a_letter_are_read_between_the_blocks(tmp_path):
    text = header() + block() + AUGMENTATION.replace("0.3", "0.123-101")
    text += " 0.1 0.123-101 -.5-120\n" + block(0.5)
    assert list(read_text(tmp_path, text).fields) == ["total", "magnetization"]
    with pytest.raises(FileFormatError, match="magnetic moments"):
        read_text(tmp_path, text.replace("-.5-120", "-.5-12"))
