"""NumPy, HDF5 and Zarr files."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

from zeroflux.errors import FileFormatError
from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.units import ANGSTROM, ELECTRONVOLT
from zeroflux.volumetric import (
    VolumetricData,
    arrays,
    electron_count,
    find_valence,
    read_volumetric,
    write_volumetric,
)
from zeroflux.volumetric.cells import check_density

h5py = pytest.importorskip("h5py")
zarr = pytest.importorskip("zarr")

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


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_charges_that_we_wrote_are_read_back(tmp_path, suffix):
    path = tmp_path / f"out{suffix}"
    write_volumetric(path, replace(sample(), effective_charges=np.array([8.0, 7.5])))
    found = read_volumetric(path)
    assert found.effective_charges is not None
    assert found.effective_charges.tolist() == [8.0, 7.5]
    assert found.frame is not None
    valence = find_valence(found, found.frame, n_electrons=15.5)
    assert valence is not None
    assert valence.source == "effective_charges of the file"


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "change",
    [
        {"effective_charges": np.ones(3)},
        {"effective_charges": np.array([np.nan, 1.0])},
        {"effective_charges": np.array(["8", "8"], dtype="S1")},
        {"effective_charges": np.ones((2, 2, 2, 2, 2))},
        {"atomic_numbers": np.array([18.5, 36.0])},
        {"atomic_numbers": np.array([18, 1 << 40])},
        {"atomic_numbers": np.array(18)},
        {"cell_bohr": np.full((3, 3), 1e300)},
        {"density": np.full((4, 5, 6), 1e308)},
    ],
    ids=str,
)
def test_arrays_of_another_type_or_shape_are_refused(tmp_path, suffix, change):
    values = next(iter(change.values()))
    if suffix == ".zarr" and (values.ndim == 0 or values.dtype.kind == "S"):
        pytest.skip("zarr itself refuses to write them")
    path = tmp_path / f"out{suffix}"
    data = replace(sample(), effective_charges=np.array([8.0, 8.0]))
    replace_arrays(path, data, change)
    with pytest.raises(FileFormatError, match=f"out{suffix}: "):
        check_density(read_volumetric(path, only_first=True))


def replace_arrays(path, data, change):
    """Write data with some of its arrays exchanged."""
    write_volumetric(path, data)
    if path.suffix == ".npz":
        with np.load(path) as archive:
            items = {**archive, **change}
        np.savez(path, **items)
        return
    file = h5py.File(path, "a") if path.suffix == ".h5" else zarr.open_group(str(path))
    for name, values in change.items():
        del file[name]
        file[name] = values
    if path.suffix == ".h5":
        file.close()


def test_a_field_that_is_announced_but_not_stored_is_refused(tmp_path):
    write_volumetric(tmp_path / "a.h5", sample())
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file.create_dataset("huge", shape=(20000, 20000, 20000), chunks=(64, 64, 64), dtype="f8")
    with pytest.raises(FileFormatError, match=r"'huge' of shape .* has 64000000000000 bytes"):
        read_volumetric(tmp_path / "a.h5::huge")
    assert read_volumetric(tmp_path / "a.h5::density").grid.shape == (4, 5, 6)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file.create_dataset("many", shape=(1 << 40, 1, 1, 1), chunks=(1, 1, 1, 1), dtype="f8")
    with pytest.raises(FileFormatError, match=r"a\.h5: found 1099511627776 frames"):
        arrays.count_frames(tmp_path / "a.h5", name="many")
    write_volumetric(tmp_path / "a.zarr", sample())
    group = zarr.open_group(str(tmp_path / "a.zarr"))
    group.create_array("huge", shape=(20000, 20000, 20000), chunks=(64, 64, 64), dtype="f8")
    with pytest.raises(FileFormatError, match=r"'huge' of shape .* has 64000000000000 bytes"):
        read_volumetric(f"{tmp_path / 'a.zarr'}::huge")


def test_a_damaged_heap_of_strings_is_refused_before_hdf5_follows_it(tmp_path):
    path = tmp_path / "a.h5"
    write_volumetric(path, sample())
    raw = bytearray(path.read_bytes())
    at = raw.index(b"GCOL")
    raw[at + 16 + 24 + 8] ^= 0x40  # the size of the second string, seven bytes, becomes 71
    path.write_bytes(raw)
    with pytest.raises(FileFormatError, match=f"heap of strings at byte {at} is damaged"):
        read_volumetric(path)


@pytest.mark.parametrize("where", ["filters", "consolidated", "codecs"])
def test_a_zarr_store_with_pickled_objects_is_refused_and_its_code_not_run(tmp_path, where):
    path = tmp_path / "a.zarr"
    write_volumetric(path, sample())
    assert read_volumetric(path).grid.shape == (4, 5, 6)
    array = path / "bad"
    array.mkdir()
    codec = {"id": "pickle", "protocol": 5}
    old = {"zarr_format": 2, "shape": [1, 1, 1], "chunks": [1, 1, 1], "dtype": "|O", "order": "C"}
    old |= {"compressor": None, "fill_value": 0, "filters": [codec]}
    if where == "filters":
        (array / ".zarray").write_text(json.dumps(old))
    elif where == "consolidated":
        (path / ".zmetadata").write_text(json.dumps({"metadata": {"bad/.zarray": old}}))
    else:
        new = json.loads((path / "density" / "zarr.json").read_text())
        new["codecs"] = [{"name": "numcodecs.pickle", "configuration": {}}]
        # the name may hide behind escapes of JSON
        text = json.dumps(new).replace("pickle", "\\u0070ickle")
        (array / "zarr.json").write_text(text)
    (array / "0.0.0").write_bytes(pickle.dumps(Touch(tmp_path / "code_ran")))
    with pytest.raises(FileFormatError, match=r"pickle', which runs code"):
        read_volumetric(path)
    assert not (tmp_path / "code_ran").exists()


class Touch:
    """An object whose unpickling leaves a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (type(self.path).touch, (self.path,))


def vaspwave(path, *, n_components=1, structure="structure/positions", structure_file=None):
    """Two atoms of one group and one of another; values by index, so that axes show."""
    values = np.arange(n_components * 24, dtype=float).reshape(n_components, 4, 3, 2)
    with h5py.File(path, "w") as file:
        file["charge/charge"] = values
        file["charge/grid"] = [2, 3, 4]
    with h5py.File(structure_file or path, "a") as file:
        group = file.create_group(structure)
        group["scale"] = 2.0
        group["lattice_vectors"] = np.diag([2.0, 2.5, 3.0])
        group["position_ions"] = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.0, 0.0, 0.5]])
        group["ion_types"] = np.array([b"H ", b"O_s"])
        group["number_ion_types"] = np.array([2, 1])
    return values


@pytest.mark.parametrize(("n_components", "names"), [(1, 1), (2, 2), (4, 4)])
def test_the_hdf5_file_of_vasp_is_read_as_a_chgcar_is(tmp_path, n_components, names):
    path = tmp_path / "vaspwave.h5"
    values = vaspwave(path, n_components=n_components)
    found = read_volumetric(path)
    assert next(iter(found.fields)) == "total"
    assert len(found.fields) == names
    volume = 4.0 * 5.0 * 6.0 * ANGSTROM**3
    np.testing.assert_allclose(found.first[1, 2, 3], values[0, 3, 2, 1] / volume)
    assert electron_count(found) == pytest.approx(values[0].mean())
    assert found.frame is not None
    assert found.frame.atomic_numbers.tolist() == [1, 1, 8]
    np.testing.assert_allclose(found.frame.positions[2], [0.0, 0.0, 3.0 * ANGSTROM])
    assert found.group_sizes == (2, 1)
    assert list(read_volumetric(path, only_first=True).fields) == ["total"]
    if n_components == 2:
        moments = read_volumetric(f"{path}::magnetization").first
        np.testing.assert_allclose(moments[0, 1, 2], values[1, 2, 1, 0] / volume)


def test_the_structure_of_vaspwave_may_be_in_vaspout_beside_it(tmp_path):
    path = tmp_path / "vaspwave.h5"
    vaspwave(path, structure="results/positions", structure_file=tmp_path / "vaspout.h5")
    frame = read_volumetric(path).frame
    assert frame is not None
    assert frame.n_atoms == 3
    (tmp_path / "vaspout.h5").unlink()
    with pytest.raises(FileFormatError, match=r"without a structure.*vaspout\.h5"):
        read_volumetric(path)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("charge/charge", np.ones((3, 2, 2, 2))),
        ("charge/charge", np.ones((2, 2, 2))),
        ("charge/charge", np.full((1, 2, 2, 2), np.nan)),
        ("structure/positions/number_ion_types", np.array([2, 5])),
        ("structure/positions/number_ion_types", np.array([-2, 5])),
        ("structure/positions/ion_types", np.array([b"H", b"Qq"])),
        ("structure/positions/ion_types", np.array([1, 8])),
        ("structure/positions/lattice_vectors", np.zeros((3, 3))),
        ("structure/positions/position_ions", np.ones(3)),
        ("structure/positions/scale", np.array(np.inf)),
        ("structure/positions/scale", np.ones(3)),
    ],
)
def test_damaged_hdf5_files_of_vasp_are_refused(tmp_path, name, values):
    path = tmp_path / "vaspwave.h5"
    vaspwave(path)
    with h5py.File(path, "a") as file:
        del file[name]
        file[name] = values
    with pytest.raises(FileFormatError, match=r"vaspwave\.h5: "):
        read_volumetric(path)
