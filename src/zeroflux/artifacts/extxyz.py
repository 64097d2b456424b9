"""Labels as extended XYZ that `ase.io.read` opens as is: eV, Å and e, not atomic units."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroflux.errors import ArtifactError
from zeroflux.frames import Frame
from zeroflux.labels import BASIN_FIELDS, TERMS, BasinTerms, Label
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
        If something is missing, or the basin energies do not sum to the energy. ``where`` names
        the frame in the message.
    """
    missing = [f"basin_{n}" for n in BASIN_FIELDS if f"basin_{n}" not in atoms.arrays]
    if missing or atoms.calc is None or "energy" not in atoms.calc.results:
        missing += [] if atoms.calc and "energy" in atoms.calc.results else ["energy"]
        raise ArtifactError(
            f"{where}: {', '.join(missing)} missing; expected a frame labelled by zeroflux. "
            "Label the structures with `zeroflux label`."
        )
    info = {k: _plain(v) for k, v in atoms.info.items()}
    info.pop("closure_ev", None)
    is_converged = bool(info.pop("is_converged", True))
    terms = BasinTerms(
        **{
            n: np.asarray(atoms.arrays[f"basin_{n}"], dtype=float) * FIELD_UNITS[n]
            for n in BASIN_FIELDS
        }
    )
    forces = atoms.calc.results.get("forces")
    label = Label(
        frame=Frame.from_ase(atoms),
        total_energy=float(atoms.calc.results["energy"]) * ELECTRONVOLT,
        terms=terms,
        is_converged=is_converged,
        forces=None if forces is None else np.asarray(forces) * (ELECTRONVOLT / ANGSTROM),
        info=info,
    )
    if is_converged:
        _check_sum(atoms, where)
    return label


def _check_sum(atoms: Atoms, where: str) -> None:
    energy = atoms.calc.results["energy"]  # type: ignore[union-attr]
    gap = (atoms.arrays["basin_energy"].sum() - energy) / len(atoms)
    if not math.isfinite(gap) or abs(gap) > CLOSURE_TOLERANCE_EV:
        raise ArtifactError(
            f"{where}: basin energies sum to the energy less {gap:.3g} eV per atom; expected less "
            f"than {CLOSURE_TOLERANCE_EV:g}. The file was changed; label the structure again."
        )


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def write_labels(path: Path, labels: Iterable[Label]) -> None:
    """Write labels as extended XYZ; the file appears whole or not at all."""
    from ase.io import write

    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with open_text(part, path.suffix, "w") as handle:
        write(handle, [label_to_atoms(label) for label in labels], format="extxyz")
    part.replace(path)


def read_labels(path: Path, *, only_converged: bool = True) -> list[Label]:
    """Read labels from extended XYZ, plain or compressed with gzip or xz.

    Raises
    ------
    ArtifactError
        If the file is missing, damaged or not labelled.
    """
    from ase.io import read

    path = Path(path)
    try:
        with open_text(path, path.suffix, "r") as handle:
            images = read(handle, index=":", format="extxyz")
    except (OSError, ValueError, KeyError, IndexError, EOFError) as error:
        raise ArtifactError(
            f"{path}: cannot be read as extended XYZ ({error}); expected a file written by "
            "`zeroflux label`. Check the path or label again."
        ) from error
    if not isinstance(images, list):
        images = [images]
    labels = [label_from_atoms(a, where=f"{path} frame {i}") for i, a in enumerate(images)]
    return [label for label in labels if label.is_converged] if only_converged else labels


def open_text(path: Path, suffix: str, mode: str) -> Any:
    """Open a text file by its suffix: gzip, xz or plain."""
    if suffix == ".gz":
        import gzip

        return gzip.open(path, mode + "t")
    if suffix == ".xz":
        import lzma

        return lzma.open(path, mode + "t")
    return path.open(mode)
