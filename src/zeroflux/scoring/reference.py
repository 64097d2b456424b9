"""Per-atom energies of any file as the reference of a score, and per-atom results as a file."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroflux.artifacts.atomic import replacing
from zeroflux.errors import ArtifactError, ModelError
from zeroflux.frames import Frame
from zeroflux.labels import BASIN_FIELDS, BasinTerms, Label
from zeroflux.units import ELECTRONVOLT

if TYPE_CHECKING:
    from zeroflux.scoring.report import ScoreReport


def read_reference(path: Path, key: str) -> list[Label]:
    """Configurations of an extended XYZ file whose array ``key`` holds per-atom energies (eV).

    They come as labels with everything in one term. Σ ``key`` has to be the ``energy``, up to a
    constant per species, which is added; without an ``energy`` the sum is the total.

    Raises
    ------
    ArtifactError
        If the file cannot be read, is not periodic, lacks the array, or the array is no
        decomposition of the energy.
    """
    from zeroflux import predict as standalone
    from zeroflux.evaluation import find_convention
    from zeroflux.scoring.models import rounding_of_text

    try:
        images = standalone.read_frames(path)
        found = [_energies(atoms, key, f"{path} frame {k}") for k, atoms in enumerate(images)]
    except standalone.PredictError as error:
        raise ArtifactError(str(error)) from error
    frames = [Frame.from_ase(atoms) for atoms in images]
    sites, totals = [own for own, _ in found], [total for _, total in found]
    given = np.array([own.sum() if t is None else t for own, t in found])
    if any(t is None for t in totals) and any(t is not None for t in totals):
        raise ArtifactError(
            f"{path}: some configurations have no `energy`; expected all or none. Write it for "
            "every configuration, or leave it out."
        )
    species = np.concatenate([frame.atomic_numbers for frame in frames])
    try:
        convention = find_convention(
            energies=np.concatenate(sites),
            model_total=given,
            reference_total=given,
            species=species,
            configuration=np.repeat(np.arange(len(frames)), [f.n_atoms for f in frames]),
            rounding=rounding_of_text(np.concatenate(sites) / ELECTRONVOLT),
            name=f"{path}, array {key}",
        )
    except ModelError as error:
        raise ArtifactError(str(error)) from error
    return [
        _label(
            frame,
            own + np.array([convention.omitted[int(z)] for z in frame.atomic_numbers]),
            float(energy),
            {"system": str(atoms.info["system"])} if "system" in atoms.info else {},
        )
        for frame, own, energy, atoms in zip(frames, sites, given, images, strict=True)
    ]


def without_dispersion(labels: list[Label], where: str) -> list[Label]:
    """The same without the dispersion term: the reference of models trained on bare functionals.

    Forces hold dispersion and are dropped.

    Raises
    ------
    ArtifactError
        If a label has no dispersion to leave out.
    """
    bare = next((k for k, label in enumerate(labels) if not label.terms.dispersion.any()), None)
    if bare is not None and labels[bare].n_atoms > 1:
        raise ArtifactError(
            f"{where}: label {bare} (counted from 0) holds no dispersion energy; expected one to "
            "leave out. Score without --without-dispersion."
        )
    return [
        replace(
            label,
            total_energy=label.total_energy - float(label.terms.dispersion.sum()),
            terms=replace(label.terms, dispersion=np.zeros(label.n_atoms)),
            other_energies={
                name: energies - label.terms.dispersion
                for name, energies in label.other_energies.items()
            },
            forces=None,
        )
        for label in labels
    ]


def _energies(atoms: Any, key: str, where: str) -> tuple[np.ndarray, float | None]:
    """Per-atom energies and total of a frame (hartree)."""
    from zeroflux import predict as standalone

    results = {**atoms.info, **atoms.arrays, **(atoms.calc.results if atoms.calc else {})}
    if not atoms.pbc.all():
        raise ArtifactError(
            f"{where}: pbc is {' '.join('FT'[int(x)] for x in atoms.pbc)}; expected T T T. Give a "
            "molecule a cell with vacuum around it and pbc."
        )
    if np.shape(results.get(key)) != (len(atoms),):
        arrays = [k for k, v in results.items() if np.shape(v) == (len(atoms),) and k != "numbers"]
        raise ArtifactError(
            f"{where}: found no array {key!r} of {len(atoms)} numbers; expected per-atom energies. "
            f"Name one of: {', '.join(sorted(arrays)) or 'none has one number per atom'}."
        )
    own = standalone.per_atom({"energies": results[key]}, len(atoms), f"{where}, array {key}")
    total = standalone.total(results["energy"], where) if "energy" in results else None
    energies = own.astype(np.float64) * ELECTRONVOLT
    return energies, None if total is None else total * ELECTRONVOLT


def _label(frame: Frame, energies: np.ndarray, total: float, info: dict[str, Any]) -> Label:
    """A label whose one term is the reference."""
    values = {name: np.zeros(frame.n_atoms) for name in BASIN_FIELDS}
    return Label(frame, total, BasinTerms(**{**values, "kinetic": energies}), info=info)


def write_atoms(report: ScoreReport, path: Path) -> None:
    """Configurations with the reference and every model's energies per atom (eV)."""
    from ase.io import write

    ends = np.cumsum([label.n_atoms for label in report.labels])[:-1]
    columns = {"reference_energy": report.target}
    for model in report.models:
        name = re.sub(r"\W+", "_", model.name).strip("_")
        while name in columns:
            name += "_"
        columns[name] = model.local_energy
    split = {name: np.split(energy / ELECTRONVOLT, ends) for name, energy in columns.items()}
    images = []
    for index, label in enumerate(report.labels):
        atoms = label.frame.to_ase()
        atoms.info.update({k: v for k, v in label.info.items() if k == "system"})
        for name, parts in split.items():
            atoms.arrays[name] = parts[index]
        images.append(atoms)
    with replacing(path) as part, part.open("w", encoding="utf-8") as handle:
        write(handle, images, format="extxyz")
