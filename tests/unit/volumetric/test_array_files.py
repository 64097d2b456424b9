"""NumPy, HDF5 and Zarr files."""

import numpy as np
import pytest

from zeroflux.errors import FileFormatError
from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.units import ANGSTROM, ELECTRONVOLT
from zeroflux.volumetric import VolumetricData, arrays, read_volumetric, write_volumetric

CELL = np.array([[7.0, 0.0, 0.0], [1.3, 6.5, 0.0], [-0.4, 0.9, 8.1]])
SUFFIXES = [".npz", ".h5", ".zarr"]


def sample():
    rng = np.random.default_rng(6)
    grid = UniformGrid(cell=CELL, shape=(4, 5, 6), origin=np.array([0.1, 0.2, 0.3]))
    frame = Frame(np.array([18, 36]), rng.random((2, 3)) @ CELL, CELL)
    fields = {"density": rng.random(grid.shape), "tau": rng.random(grid.shape)}
    units = {"density": "1/bohr^3", "tau": "hartree/bohr^3"}
    return VolumetricData(grid, fields, frame, units=units)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_written_arrays_are_read_back_to_the_last_bit(tmp_path, suffix):
    path, data = tmp_path / f"out{suffix}", sample()
    for _ in range(2):  # an existing file or folder is replaced
        write_volumetric(path, data)
    found = read_volumetric(path)
    assert list(found.fields) == ["density", "tau"]
    for name, values in data.fields.items():
        np.testing.assert_array_equal(found.fields[name], values)
    np.testing.assert_array_equal(found.grid.cell, CELL)
    np.testing.assert_array_equal(found.grid.origin, data.grid.origin)
    assert found.frame is not None
    assert data.frame is not None
    np.testing.assert_array_equal(found.frame.positions, data.frame.positions)
    if suffix != ".npz":  # an archive of plain arrays has no attributes
        assert found.units == data.units
    assert list(read_volumetric(path, only_first=True).fields) == ["density"]
    assert list(read_volumetric(f"{path}::tau").fields) == ["tau"]
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_npy_file_needs_a_cell(tmp_path):
    data = sample()
    write_volumetric(tmp_path / "rho.npy", data)
    with pytest.raises(FileFormatError, match=r"rho\.npy: found no cell.*--cell"):
        read_volumetric(tmp_path / "rho.npy")
    found = read_volumetric(tmp_path / "rho.npy", cell=CELL)
    np.testing.assert_array_equal(found.first, data.first)


def test_lengths_may_be_in_angstrom(tmp_path):
    np.savez(
        tmp_path / "a.npz",
        rho=np.ones((2, 2, 2), dtype=np.float32),
        cell_angstrom=np.eye(3) * 4.0,
        positions_angstrom=np.array([[1.0, 1.0, 1.0]]),
        atomic_numbers=np.array([18]),
    )
    found = read_volumetric(tmp_path / "a.npz")
    np.testing.assert_allclose(found.grid.cell, np.eye(3) * 4.0 * ANGSTROM)
    assert found.frame is not None
    np.testing.assert_allclose(found.frame.positions, ANGSTROM)
    assert found.first.dtype == np.float64


def trajectory(path, suffix, n_frames=3):
    """Frames with their own cells and positions, a unit that is no atomic unit."""
    density = np.arange(n_frames * 8.0).reshape(n_frames, 2, 2, 2)
    items = {
        "density": density,
        "cell_bohr": np.eye(3) * (5.0 + np.arange(n_frames))[:, None, None],
        "positions_bohr": np.arange(n_frames * 3.0).reshape(n_frames, 1, 3),
        "atomic_numbers": np.array([18]),
    }
    if suffix == ".h5":
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, "w") as file:
            for name, values in items.items():
                file[name] = values
            file["density"].attrs["unit"] = "eV/angstrom^3"
    else:
        group = pytest.importorskip("zarr").open_group(str(path), mode="w")
        for name, values in items.items():
            group[name] = values
        group["density"].attrs["unit"] = "eV/angstrom^3"
    return density


@pytest.mark.parametrize("suffix", [".h5", ".zarr"])
def test_frames_of_a_trajectory_are_read_one_by_one(tmp_path, suffix):
    path = tmp_path / f"run{suffix}"
    density = trajectory(path, suffix)
    assert arrays.count_frames(path) == 3
    for i in range(3):
        found = read_volumetric(path, frame_index=i)
        np.testing.assert_allclose(found.first, density[i] * ELECTRONVOLT / ANGSTROM**3)
        assert found.first_unit == "hartree/bohr^3"
        assert found.grid.cell[0, 0] == 5.0 + i
        assert found.frame is not None
        assert found.frame.positions[0, 0] == 3.0 * i
    with pytest.raises(FileFormatError, match="found 3 frames; expected frame 3"):
        read_volumetric(path, frame_index=3)


def test_one_frame_is_not_a_trajectory(tmp_path):
    write_volumetric(tmp_path / "one.h5", sample())
    assert arrays.count_frames(tmp_path / "one.h5") is None


@pytest.mark.parametrize(
    ("items", "complaint"),
    [
        ({"cell_bohr": np.eye(3)}, "no array of three dimensions"),
        ({"rho": np.ones((2, 2, 2))}, "found no cell"),
        ({"rho": np.ones((2, 2, 2)), "cell_bohr": np.zeros((3, 3))}, "no volume"),
        ({"rho": np.ones((2, 2, 2)), "cell_bohr": np.ones(3)}, r"shape \(3,\); expected \(3, 3\)"),
        ({"rho": np.full((2, 2, 2), np.nan), "cell_bohr": np.eye(3)}, "8 values.*not finite"),
        ({"rho": np.ones((2, 2, 2), complex), "cell_bohr": np.eye(3)}, "complex128"),
        ({"rho": np.ones((0, 2, 2)), "cell_bohr": np.eye(3)}, "expected three positive"),
        (
            {"a": np.ones((2, 2, 2)), "b": np.ones((3, 2, 2)), "cell_bohr": np.eye(3)},
            "different shapes",
        ),
        (
            {
                "rho": np.ones((2, 2, 2)),
                "cell_bohr": np.eye(3),
                "atomic_numbers": np.array([18, 18]),
                "positions_bohr": np.zeros((1, 3)),
            },
            "for 2 atoms",
        ),
    ],
)
def test_incomplete_archives_are_refused(tmp_path, items, complaint):
    np.savez(tmp_path / "bad.npz", **items)
    with pytest.raises(FileFormatError, match=rf"bad\.npz.*({complaint})"):
        read_volumetric(tmp_path / "bad.npz")


def test_one_of_several_fields_must_be_named(tmp_path):
    path = tmp_path / "two.npz"
    np.savez(path, a=np.ones((2, 2, 2)), b=np.ones((2, 2, 2)), cell_bohr=np.eye(3))
    with pytest.raises(FileFormatError, match=r"fields a, b.*two\.npz::NAME"):
        read_volumetric(path, only_first=True)
    with pytest.raises(FileFormatError, match="expected the field 'c'"):
        read_volumetric(f"{path}::c")


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".h5"])
def test_truncated_files_are_refused(tmp_path, suffix):
    path = tmp_path / f"out{suffix}"
    write_volumetric(path, sample())
    content = path.read_bytes()
    for n in (9, 100, len(content) // 2, len(content) - 10):
        path.write_bytes(content[:n])
        with pytest.raises(FileFormatError, match=r"out\.(npy|npz|h5)"):
            read_volumetric(path, cell=CELL)
