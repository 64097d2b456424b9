"""Files changed at random: readers give data or one clear refusal, nothing else."""

import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

from zeroflux.errors import FileFormatError, MissingExtraError, printable
from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.volumetric import VolumetricData, find_valence, read_volumetric, write_volumetric
from zeroflux.volumetric.cells import check_density, electron_count, rounding_complaint

TOKENS = (
    "0", "-1", "1e999", "-1e308", "9223372036854775808", "1_0", "\u0661", "nan", "-inf", "****",
    "1.0-100", "0.5.5", "--1", "1e", "\x1b[2J", "\x00", "\u202e", "x" * 5000, "7", "",
)  # fmt: skip
"""What a damaged or hostile text file may hold in the place of a number."""
NUMBER_OF_MUTATIONS = {
    "a.cube": 120, "CHGCAR": 120, "a.xsf": 120, "a.cube.gz": 30, "a.npz": 40, "a.npy": 40,
    "a.h5": 30, "vaspwave.h5": 20, "a.zarr": 10, "POTCAR": 40,
}  # fmt: skip


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """One small file of each format, with all that it may hold."""
    rng = np.random.default_rng(1)
    cell = np.array([[5.0, 0.0, 0.0], [0.7, 6.0, 0.0], [0.1, -0.5, 7.0]])
    grid = UniformGrid(cell=cell, shape=(3, 4, 5))
    frame = Frame(np.array([18, 18, 36]), rng.random((3, 3)) @ cell, cell)
    fields = {name: rng.random(grid.shape) for name in ("total", "magnetization")}
    charges = np.full(3, 8.0)
    data = VolumetricData(grid, fields, frame, effective_charges=charges)
    folder = tmp_path_factory.mktemp("originals")
    for name in NUMBER_OF_MUTATIONS:
        if name.startswith("a.") or name == "CHGCAR":
            write_volumetric(folder / name, data)
    extra = "augmentation occupancies 1 3\n 0.1 0.2 0.123-101\n 1.0 0.0 0.0\n     3     4     5\n"
    head, *blocks = (folder / "CHGCAR").read_text().split("     3     4     5\n")
    (folder / "CHGCAR").write_text(head + "     3     4     5\n" + extra.join(blocks))
    entry = "   TITEL  = PAW_PBE {} 06Sep2000\n   POMASS = 10.0; ZVAL   =   8.000    mass\n"
    (folder / "POTCAR").write_text(entry.format("Ar") + entry.format("Kr"))
    vaspwave(folder / "vaspwave.h5")
    return folder


def vaspwave(path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file["charge/charge"] = np.ones((2, 5, 4, 3))
        group = file.create_group("structure/positions")
        group["lattice_vectors"] = np.diag([3.0, 4.0, 5.0])
        group["position_ions"] = np.full((3, 3), 0.25) * np.arange(3)
        group["ion_types"] = np.array([b"Ar", b"Kr"])
        group["number_ion_types"] = np.array([2, 1])


def mutated(content: bytes, rng: np.random.Generator, *, is_text: bool) -> bytes:
    """One to three changes: bytes, tokens, lines, the end."""
    for _ in range(rng.integers(1, 4)):
        kind = rng.integers(6 if is_text else 2)
        # most changes near the start, where the header is
        place = int(len(content) * rng.random() ** 3) if len(content) > 1 else 0
        if kind == 0:
            content = content[:place] + rng.bytes(rng.integers(1, 5)) + content[place + 1 :]
        elif kind == 1 and not is_text:
            changed = bytes([content[place] ^ 1 << int(rng.integers(8))]) if content else b""
            content = content[:place] + changed + content[place + 1 :]
        elif kind == 1:
            content = content[: len(content) - place]
        elif kind in (2, 3):
            tokens = content[:4000].split(b" ")
            which = rng.integers(len(tokens))
            token = TOKENS[rng.integers(len(TOKENS))].encode()
            tokens[which] = token + b" " + tokens[which] if kind == 3 else token
            content = b" ".join(tokens) + content[4000:]
        else:
            lines = content.split(b"\n")
            which = rng.integers(min(30, len(lines)))
            lines[which : which + 1] = [] if kind == 4 else [lines[which]] * 2
            content = b"\n".join(lines)
    return content


def result(path: Path) -> VolumetricData | str:
    """What the first steps of `basins` give: data, or a refusal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            cell = np.eye(3) * 5.0 if path.suffix == ".npy" else None
            data = read_volumetric(path, only_first=True, cell=cell)
            check_density(data)
            if data.frame is not None:
                find_valence(data, data.frame, n_electrons=electron_count(data))
            rounding_complaint(data)
        except (FileFormatError, MissingExtraError) as error:
            return str(error)
    return data


def examine(originals, folder, name, rng):
    """Read one mutation of a file."""
    is_text = not name.endswith((".gz", ".npz", ".npy", ".h5", ".zarr"))
    target = folder / name
    if name == "a.zarr":
        shutil.copytree(originals / name, target)
        parts = sorted(p for p in target.rglob("*") if p.is_file())
        part = parts[rng.integers(len(parts))]
        is_text = part.suffix == ".json"
    elif name == "POTCAR":
        part = target
        shutil.copy(originals / "CHGCAR", folder / "CHGCAR")
    else:
        part = target
    source = originals / part.relative_to(folder)
    part.write_bytes(mutated(source.read_bytes(), rng, is_text=is_text))
    found = result(folder / "CHGCAR" if name == "POTCAR" else target)
    if isinstance(found, str):
        assert str(folder) in found
        assert printable(found) == found
        return
    assert np.isfinite(found.first).all()
    assert np.isfinite(electron_count(found))
    assert np.abs(found.grid.cell).max() <= 1e7


@pytest.mark.parametrize("name", NUMBER_OF_MUTATIONS)
def test_the_originals_are_read(originals, name):
    found = result(originals / ("CHGCAR" if name == "POTCAR" else name))
    assert not isinstance(found, str), found
    assert found.grid.shape == (3, 4, 5)


@pytest.mark.parametrize("name", NUMBER_OF_MUTATIONS)
def test_a_mutated_file_gives_data_or_a_refusal_that_names_it(originals, tmp_path, name):
    rng = np.random.default_rng([12, *name.encode()])
    for number in range(NUMBER_OF_MUTATIONS[name]):
        folder = tmp_path / str(number)
        folder.mkdir()
        examine(originals, folder, name, rng)
