"""Labels as extended XYZ that `ase.io.read` opens as is: eV, Å and e, not atomic units."""

from __future__ import annotations

import io
import lzma
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroflux.artifacts.atomic import replacing
from zeroflux.errors import ArtifactError, StructureError
from zeroflux.frames import Frame
from zeroflux.labels import BASIN_FIELDS, OTHER_PARTITIONS, TERMS, BasinTerms, Label
from zeroflux.units import ANGSTROM, ELECTRONVOLT

if TYPE_CHECKING:
    from ase import Atoms

FIELD_UNITS: dict[str, float] = {
    **dict.fromkeys(TERMS, ELECTRONVOLT),  # eV
    "population": 1.0,  # electrons
    "charge": 1.0,  # e
    "volume": ANGSTROM**3,  # Å³
    "laplacian": ANGSTROM**-2,  # e/Å²
}
"""Unit of each per-atom array in files, as a factor to atomic units."""

CLOSURE_TOLERANCE_EV = 1e-6
"""Largest |Σ basin_energy − energy| per atom that a file may have (eV)."""
LONGEST_LINE = 1 << 20
"""Characters of the longest line that is read: a header has a few thousand."""
MOST_BLANK_LINES = 100
"""Blank lines that a file may end with."""
# What Python takes for a number beyond this, `1_000` or other scripts' digits, nobody writes.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eEdD][+-]?[0-9]+)?|[+-]?(?i:nan|inf)")


def label_to_atoms(label: Label) -> Atoms:
    """ASE atoms with `energy`, the per-atom arrays ``basin_*`` and the provenance."""
    from ase.calculators.singlepoint import SinglePointCalculator

    atoms = label.frame.to_ase()
    atoms.info.update(label.info)
    atoms.info["closure_ev"] = label.closure / ELECTRONVOLT
    atoms.info["is_converged"] = label.is_converged
    atoms.arrays["basin_energy"] = label.basin_energy / ELECTRONVOLT
    for name in BASIN_FIELDS:
        atoms.arrays[f"basin_{name}"] = getattr(label.terms, name) / FIELD_UNITS[name]
    for name, energies in label.other_energies.items():
        atoms.arrays[f"{name}_energy"] = energies / ELECTRONVOLT
    results: dict[str, Any] = {"energy": label.total_energy / ELECTRONVOLT}
    if label.forces is not None:
        results["forces"] = label.forces / (ELECTRONVOLT / ANGSTROM)
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def label_from_atoms(atoms: Atoms, *, where: str) -> Label:
    """Label from ASE atoms read from a file.

    Raises
    ------
    ArtifactError
        If something is missing or no number, or the numbers contradict each other. ``where``
        names the frame in the message.
    """
    names = ["basin_energy", *(f"basin_{n}" for n in BASIN_FIELDS)]
    results = {} if atoms.calc is None else atoms.calc.results
    missing = [name for name in names if name not in atoms.arrays]
    missing += [] if "closure_ev" in atoms.info else ["closure_ev"]
    missing += [] if "energy" in results else ["energy"]
    if missing:
        raise ArtifactError(
            f"{where}: {', '.join(missing)} missing; expected a frame labelled by zeroflux. "
            "Label the structures with `zeroflux label`."
        )
    info = {k: _plain(v) for k, v in atoms.info.items()}
    closure = _number(info.pop("closure_ev"), "closure_ev", where)
    is_converged = info.pop("is_converged", True)
    if not isinstance(is_converged, bool):
        raise ArtifactError(f"{where}: is_converged={is_converged!r}; expected T or F.")
    energy = _number(results["energy"], "energy", where)
    columns = {name: _column(atoms, name, where) for name in names}
    forces = results.get("forces")
    if forces is not None:
        forces = _column(atoms, "forces", where, values=forces, shape=(len(atoms), 3))
    others = {
        name: _column(atoms, f"{name}_energy", where)
        for name in OTHER_PARTITIONS
        if f"{name}_energy" in atoms.arrays
    }
    if is_converged:
        _check_sums(columns, energy, closure, where)
        for name, energies in others.items():
            _check_sum(f"{name}_energy", energies, energy, where)
    try:
        frame = Frame.from_ase(atoms)
    except StructureError as error:
        raise ArtifactError(f"{where}: {error}") from error
    return Label(
        frame=frame,
        total_energy=energy * ELECTRONVOLT,
        terms=BasinTerms(**{n: columns[f"basin_{n}"] * FIELD_UNITS[n] for n in BASIN_FIELDS}),
        is_converged=is_converged,
        other_energies={name: energies * ELECTRONVOLT for name, energies in others.items()},
        forces=None if forces is None else forces * (ELECTRONVOLT / ANGSTROM),
        info=info,
    )


def _number(value: Any, name: str, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        raise ArtifactError(f"{where}: {name}={value!r}; expected one number.")
    return float(value)


def _column(
    atoms: Atoms, name: str, where: str, *, values: Any = None, shape: tuple[int, ...] | None = None
) -> np.ndarray:
    """Numbers of each atom, of the shape that they should have."""
    shape = shape or (len(atoms),)
    found = np.asarray(atoms.arrays[name] if values is None else values)
    if found.shape != shape or found.dtype.kind not in "fi":
        raise ArtifactError(
            f"{where}: {name} has shape {found.shape} and type {found.dtype}; expected real "
            f"numbers of shape {shape}. Label the structure again."
        )
    return found.astype(float)


def _check_sums(columns: dict[str, np.ndarray], energy: float, closure: float, where: str) -> None:
    r"""Refuse a frame unless :math:`\sum_A E_A = E` and :math:`E_A = \sum_t E_{A,t} + c/n` in it.

    The second law, atom by atom, also finds a change of one term, or of two that cancel.
    """
    basin_energy = columns["basin_energy"]
    n_atoms = len(basin_energy)
    _check_sum("basin_energy", basin_energy, energy, where)
    gaps = sum(columns[f"basin_{term}"] for term in TERMS) + closure / n_atoms - basin_energy
    worst = int(np.argmax(np.where(np.isfinite(gaps), np.abs(gaps), np.inf)))
    if not abs(gaps[worst]) <= CLOSURE_TOLERANCE_EV:
        raise ArtifactError(
            f"{where}: the terms of atom {worst} (counted from 0) and its share of the closure sum "
            f"to its basin_energy plus {gaps[worst]:.3g} eV; expected less than "
            f"{CLOSURE_TOLERANCE_EV:g}. The file was changed; label the structure again."
        )


def _check_sum(name: str, energies: np.ndarray, energy: float, where: str) -> None:
    gap = (energies.sum() - energy) / len(energies)
    if not abs(gap) <= CLOSURE_TOLERANCE_EV:
        raise ArtifactError(
            f"{where}: {name} sums to the energy plus {gap:.3g} eV per atom; expected less "
            f"than {CLOSURE_TOLERANCE_EV:g}. The file was changed; label the structure again."
        )


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def write_labels(path: Path, labels: Iterable[Label]) -> None:
    """Write labels as extended XYZ; the file appears whole or not at all."""
    from ase.io import write

    path = Path(path)
    images = [label_to_atoms(label) for label in labels]
    with replacing(path) as part, open_text(part, path.suffix, "w") as handle:
        write(handle, images, format="extxyz")


def read_labels(path: Path, *, only_converged: bool = True) -> list[Label]:
    """Read labels from extended XYZ, plain or compressed with gzip or xz.

    Raises
    ------
    ArtifactError
        If the file is missing, empty, cut short, damaged or not labelled; the message starts with
        ``path:line``.
    """
    path = Path(path)
    labels = []
    for number, (line, text) in enumerate(_frames(path)):
        where = f"{path}:{line}: frame {number}"
        labels.append(label_from_atoms(_parsed(text, where), where=where))
    if not labels:
        raise ArtifactError(
            f"{path}:1: holds no label; expected at least one. Label the structures again."
        )
    return [label for label in labels if label.is_converged] if only_converged else labels


def read_headers(path: Path) -> list[tuple[Counter[str], dict[str, Any]]]:
    """Elements and header of each frame, without its numbers: a glance at a large file.

    Raises
    ------
    ArtifactError
        If the file is not written by zeroflux; its numbers are not checked.
    """
    from ase.io.extxyz import key_val_str_to_dict

    found = []
    try:
        with open_text(path, path.suffix, "r") as handle:
            while count := handle.readline(LONGEST_LINE).strip():
                header = key_val_str_to_dict(handle.readline(LONGEST_LINE))
                lines = [handle.readline(LONGEST_LINE) for _ in range(int(count))]
                found.append((Counter(line.split(None, 1)[0] for line in lines), header))
    except (OSError, EOFError, ValueError, IndexError, zlib.error, lzma.LZMAError) as error:
        raise ArtifactError(
            f"{path}: cannot be read ({error or type(error).__name__}); expected a file written by "
            "`zeroflux label`. Check the path or label again."
        ) from error
    return found


def _frames(path: Path) -> Iterator[tuple[int, str]]:
    """First line and text of each frame, as long as its count and columns say."""
    try:
        with open_text(path, path.suffix, "r") as handle:
            yield from _split(_Lines(path, handle))
    # zlib and lzma raise errors of their own on damaged streams
    except (OSError, EOFError, UnicodeDecodeError, zlib.error, lzma.LZMAError) as error:
        raise ArtifactError(
            f"{path}: cannot be read ({error or type(error).__name__}); expected a file written by "
            "`zeroflux label`. Check the path or label again."
        ) from error


class _Lines:
    """Lines of a file with their number, none longer than a header can be."""

    def __init__(self, path: Path, handle: io.TextIOWrapper) -> None:
        self.path, self.handle, self.number = path, handle, 0

    def next(self) -> str:
        """The next line, empty at the end of the file."""
        line = self.handle.readline(LONGEST_LINE)
        self.number += 1
        if len(line) == LONGEST_LINE:
            raise self.error("a line that does not end", f"at most {LONGEST_LINE} characters")
        return line

    def error(self, found: str, expected: str) -> ArtifactError:
        """Error at the line that was read last."""
        return ArtifactError(
            f"{self.path}:{self.number}: {found}; expected {expected}. The file is damaged or was "
            "cut short: take a whole copy or label again."
        )


def _split(lines: _Lines) -> Iterator[tuple[int, str]]:
    while (count := lines.next()).strip():
        first = lines.number
        if not re.fullmatch(r"[0-9]{1,9}", count.strip()) or int(count) == 0:
            raise lines.error(f"found {count.strip()[:40]!r}", "a number of atoms")
        header = lines.next()
        columns = _columns(header, lines)
        text = [count, header]
        for k in range(int(count)):
            line = lines.next()
            if not line:
                raise lines.error(
                    f"the file ends after {k} atoms of the frame that starts in line {first}",
                    f"{int(count)} atoms",
                )
            words = line.split()
            if len(words) != len(columns):
                raise lines.error(
                    f"{len(words)} values", f"the {len(columns)} that Properties names"
                )
            for word, kind in zip(words, columns, strict=True):
                if kind in "RI" and not _NUMBER.fullmatch(word):
                    raise lines.error(f"{word[:40]!r}", "a number")
            text.append(line)
        yield first, "".join(text)
    for _ in range(MOST_BLANK_LINES):
        if not count:
            return
        if count.strip():
            break
        count = lines.next()
    raise lines.error("blank lines within the file", "one frame after the other")


def _columns(header: str, lines: _Lines) -> str:
    """Kind of each column (S, R, I or L), from the header's Properties."""
    found = re.search(r"""(?:^|\s)Properties=(?:"([^"]*)"|'([^']*)'|(\S+))""", header)
    words = next(filter(None, found.groups()), "").split(":") if found else []
    names, kinds, widths = words[::3], words[1::3], words[2::3]
    is_whole = len(words) % 3 == 0 and len(set(names)) == len(names) > 0
    if not (
        is_whole
        and all(kind in ("S", "R", "I", "L") for kind in kinds)
        and all(re.fullmatch(r"[0-9]{1,4}", width) for width in widths)
    ):
        raise lines.error(
            "the header names no Properties, or not as name:kind:columns each once"
            if header
            else "the file ends after the number of atoms",
            "a header with Properties=species:S:1:pos:R:3:...",
        )
    return "".join(kind * int(width) for kind, width in zip(kinds, widths, strict=True))


def _parsed(text: str, where: str) -> Atoms:
    from ase import Atoms
    from ase.io import read

    try:
        atoms = read(io.StringIO(text), format="extxyz")
    except Exception as error:  # ASE's parser raises whatever it meets in a damaged header
        raise ArtifactError(
            f"{where}: cannot be read as extended XYZ ({type(error).__name__}: {error}); expected "
            "a frame written by `zeroflux label`. Label the structure again."
        ) from error
    if not isinstance(atoms, Atoms):
        raise ArtifactError(f"{where}: holds no structure; expected one. Label it again.")
    return atoms


def open_text(path: Path, suffix: str, mode: str) -> Any:
    """Open a text file by its suffix: gzip, xz or plain."""
    if suffix == ".gz":
        import gzip

        return gzip.open(path, mode + "t")
    if suffix == ".xz":
        import lzma

        return lzma.open(path, mode + "t")
    return path.open(mode)
