"""Rounded cells, electron counts, valences, and files that do not belong together."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from zeroflux.errors import ConfigError, FileFormatError, PartitionError, RepairWarning
from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.partition import basins
from zeroflux.volumetric import (
    VolumetricData,
    check_same_grid,
    cube,
    electron_count,
    find_valence,
    read_volumetric,
    with_cell,
    with_electron_count,
    write_volumetric,
)
from zeroflux.volumetric.cells import check_density, rounding_complaint


def uniform_density(n_electrons=8.0, length=10.123456789, n=30):
    """A constant density, whose integral is exact on any grid."""
    cell = np.eye(3) * length
    grid = UniformGrid(cell=cell, shape=(n, n, n))
    frame = Frame(np.array([18]), np.array([[0.1, 0.2, 0.3]]), cell)
    return VolumetricData(grid, {"rho": np.full(grid.shape, n_electrons / length**3)}, frame)


@pytest.fixture
def rounded(tmp_path):
    """The same after a trip through a header of four decimals."""
    cube.write(tmp_path / "rounded.cube", uniform_density(), digits=14, header_decimals=4)
    return read_volumetric(tmp_path / "rounded.cube")


def test_a_rounded_cell_is_noticed_and_cured(rounded):
    exact = uniform_density()
    wrong = abs(electron_count(rounded) - 8.0)
    assert wrong > 1e-4  # the disease
    remark = rounding_complaint(rounded)
    assert remark is not None
    assert "--electrons 8" in remark
    for cured in (with_cell(rounded, exact.grid.cell), with_electron_count(rounded, 8.0)):
        assert abs(electron_count(cured) - 8.0) < 1e-10
        assert rounding_complaint(cured) is None
        assert cured.frame is not None
        assert rounded.frame is not None
        np.testing.assert_array_equal(cured.frame.positions, rounded.frame.positions)
        np.testing.assert_allclose(cured.grid.cell, exact.grid.cell, atol=1e-8)


def test_a_count_that_rounding_does_not_explain_is_blamed_on_something_else():
    data = uniform_density(n_electrons=7.93)
    assert rounding_complaint(data) is None  # 7.93 may be the truth
    remark = rounding_complaint(data, n_valence=8.0)
    assert remark is not None
    assert "-0.07" in remark
    assert "do not explain" in remark
    assert rounding_complaint(uniform_density(7.0), n_valence=8.0) is None  # a cation


def test_other_cells_and_counts_are_refused(rounded):
    with pytest.raises(FileFormatError, match=r"differs from the file's by 0\.0[45]"):
        with_cell(rounded, rounded.grid.cell * 1.05)
    with pytest.raises(FileFormatError, match="9 were announced"):
        with_electron_count(rounded, 9.0)


def test_a_field_of_both_signs_is_no_density():
    data = uniform_density()
    values = data.first.copy()
    check_density(data)
    values[1, 2, 3] = -1e-3 * data.first[0, 0, 0]
    check_density(replace(data, fields={"rho": values}))  # 4e-8 of the electrons: a ripple
    values[1, 2, 3] = -0.5
    with pytest.raises(FileFormatError, match=r"lowest -0\.5 e/bohr³ at point \(1, 2, 3\)"):
        check_density(replace(data, fields={"rho": values}))
    with pytest.raises(FileFormatError, match="expected an electron density"):
        check_density(replace(data, fields={"rho": np.zeros_like(values)}))


def test_valences_come_from_the_first_source_that_fits(tmp_path):
    data = uniform_density()
    frame = data.frame
    assert frame is not None
    assert find_valence(data, frame, n_electrons=8.0) is None
    given = find_valence(data, frame, n_electrons=8.0, given={"Ar": 8.0})
    assert given is not None
    assert (given.charges.tolist(), given.source) == ([8.0], "given")
    with pytest.raises(ConfigError, match="also Ar"):
        find_valence(data, frame, n_electrons=8.0, given={"Kr": 8.0})
    column = replace(data, effective_charges=np.array([8.0]))
    found = find_valence(column, frame, n_electrons=8.0)
    assert found is not None
    assert "charge column" in found.source
    # a column of atomic numbers beside a valence density is not taken for valences
    all_electron = replace(data, effective_charges=np.array([18.0]))
    with pytest.warns(RepairWarning, match="gives 18 in all"):
        assert find_valence(all_electron, frame, n_electrons=8.0) is None
    write_volumetric(tmp_path / "CHGCAR", data)
    (tmp_path / "POTCAR").write_text(
        "TITEL  = PAW_PBE Ar 07Sep2000\n POMASS = 39.9; ZVAL   =    8.000    mass and valenz\n"
    )
    from_file = read_volumetric(tmp_path / "CHGCAR")
    found = find_valence(from_file, frame, n_electrons=8.0)
    assert found is not None
    assert (found.charges.tolist(), found.source) == ([8.0], "POTCAR")


def test_files_that_do_not_belong_together_are_refused():
    data = uniform_density()
    check_same_grid(data, data)
    assert data.frame is not None
    cell = data.grid.cell
    moved = replace(data.frame, positions=data.frame.positions + 0.01)
    image = replace(data.frame, positions=data.frame.positions + cell[0] - 2 * cell[1])
    krypton = replace(data.frame, atomic_numbers=np.array([36]))
    check_same_grid(data, replace(data, frame=image))  # a periodic image is the same atom
    check_same_grid(data, replace(data, frame=None))
    for other, complaint in [
        (uniform_density(n=28), "28 x 28 x 28"),
        (uniform_density(length=10.2), "cell differs"),
        (replace(data, frame=moved), "atom 0 is 0.0173 bohr away"),
        (replace(data, frame=krypton), "other elements"),
        (replace(data, grid=replace(data.grid, origin=np.full(3, 0.1))), "origin"),
    ]:
        with pytest.raises(FileFormatError, match=complaint):
            check_same_grid(data, other)


def test_cp2k_density_and_potential_belong_together():
    folder = Path(__file__).parent / "data"
    density = read_volumetric(folder / "cp2k_ar4_density.cube.xz")
    potential = read_volumetric(folder / "cp2k_ar4_v_hartree.cube.xz")
    check_same_grid(density, potential)
    # CP2K writes minus the potential: its value is lowest (most negative) at the ions' electrons
    assert potential.first[density.first > 0.1].mean() < potential.first.mean()


@pytest.mark.parametrize(
    ("where", "depth", "is_accepted"),
    [("nucleus", 0.3, True), ("bond", 0.3, False), ("nucleus", 30.0, False)],
)
def test_a_density_may_be_negative_at_nuclei_only_where_a_reference_defines_the_basins(
    where, depth, is_accepted
):
    cell = np.diag([6.0, 6.0, 9.0])
    grid = UniformGrid(cell, (12, 12, 18), origin=np.array([0.0, 0.0, -1.0]))
    frame = Frame(np.array([30]), np.array([[0.1, 0.1, 8.6]]), cell)  # beside point (0, 0, 1)
    values = np.full(grid.shape, 0.03)
    values[(0, 0, 1) if where == "nucleus" else (6, 6, 9)] = -depth
    data = VolumetricData(grid, {"total": values}, frame)
    with pytest.raises(FileFormatError, match="with --reference"):
        check_density(data)
    if is_accepted:
        check_density(data, cores=frame)
    else:
        with pytest.raises(FileFormatError, match="with --reference"):
            check_density(data, cores=frame)


def test_negative_values_at_a_nucleus_leave_the_basins_of_a_reference_as_they_are():
    cell = np.diag([6.0, 6.0, 12.0])
    grid = UniformGrid(cell, (12, 12, 24))
    frame = Frame(np.array([30, 30]), np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 6.0]]), cell)
    box = cell.diagonal()
    steps = [(grid.points() - site + box / 2) % box - box / 2 for site in frame.positions]
    distance = np.linalg.norm(steps, axis=-1)
    reference = np.exp(-distance).sum(axis=0)
    density = (distance**2 * np.exp(-distance)).sum(axis=0)
    dipped = density.copy()
    dipped[0, 0, 0] -= 0.9
    with pytest.warns(RepairWarning, match="the reference defines the basins"):
        found = basins(dipped, grid, frame, reference=reference)
    plain = basins(density, grid, frame, reference=reference)
    np.testing.assert_allclose(found.volume, plain.volume)
    change = found.population - plain.population
    np.testing.assert_allclose(change, [-0.9 * grid.voxel_volume, 0.0], atol=1e-12)
    with pytest.raises(PartitionError, match="negative"):
        basins(dipped, grid, frame)
