"""Models of any origin as per-atom energies on given frames (hartree)."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from zeroflux.errors import ModelError
from zeroflux.frames import Frame
from zeroflux.units import ANGSTROM, ELECTRONVOLT

STRUCTURE_SUFFIXES = (".xyz", ".extxyz", ".xyz.gz", ".extxyz.gz", ".xyz.xz", ".extxyz.xz")
PER_ATOM_NAMES = ("energies", "local_energy", "node_energy", "atomic_energies", "atom_energies")
"""Names under which programs give per-atom energies, in the order they are tried."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a model says of the frames (hartree)."""

    name: str
    architecture: str
    n_parameters: int
    """0 if unknown."""
    seed: int
    energies: Float[np.ndarray, " n_atoms"]
    """Per atom, frames one after the other, as the model gives them."""
    total: Float[np.ndarray, " n_frames"]
    """Per frame, as the model gives it."""


def predict(model: str, frames: Sequence[Frame]) -> Predictions:
    """Energies by a model given as a user gives it.

    Parameters
    ----------
    model
        A checkpoint of zeroflux, a file of extended XYZ with ``energies``, or
        ``package.module:factory``, where ``factory()`` returns an ASE calculator.
    frames
        Configurations; a file has to hold the same ones in the same order.

    Raises
    ------
    ModelError
        If it is none of these, cannot be loaded, or gives no per-atom energies.
    """
    path = Path(model)
    if path.name.endswith(STRUCTURE_SUFFIXES):
        return _from_file(path, frames)
    if path.exists():
        return _from_checkpoint(path, frames)
    if ":" in model:
        return _from_factory(model, frames)
    raise ModelError(
        f"{model}: found neither a file nor package.module:factory; expected a zeroflux "
        "checkpoint, an extended XYZ file with `energies`, or a factory of an ASE calculator. "
        "Check the path."
    )


def _from_checkpoint(path: Path, frames: Sequence[Frame]) -> Predictions:
    """Energies by a zeroflux model."""
    from zeroflux.training.checkpoints import load_model

    model = load_model(path)
    unknown = sorted({int(z) for f in frames for z in f.atomic_numbers} - set(model.species))
    if unknown:
        raise ModelError(
            f"{path}: was trained for atomic numbers {list(model.species)}, the data also hold "
            f"{unknown}. Score it on data of its own elements."
        )
    local = model.local_energies(frames)
    return Predictions(
        name=path.stem,
        architecture=str(model.metadata.get("architecture", type(model.architecture).__name__)),
        n_parameters=model.n_parameters,
        seed=int(model.metadata.get("seed", 0)),
        energies=np.concatenate(local).astype(np.float64),
        total=np.array([float(e.sum()) for e in local]),
    )


def _from_file(path: Path, frames: Sequence[Frame]) -> Predictions:
    """Energies that are already in a file."""
    from ase.io import read

    from zeroflux.artifacts.extxyz import open_text

    try:
        with open_text(path, path.suffix, "r") as handle:
            images = read(handle, index=":", format="extxyz")
    except (OSError, ValueError, KeyError, IndexError, EOFError) as error:
        raise ModelError(
            f"{path}: cannot be read as extended XYZ ({error}); expected predicted energies. "
            "Check the path and the file."
        ) from error
    images = images if isinstance(images, list) else [images]
    if len(images) != len(frames):
        raise ModelError(
            f"{path}: holds {len(images)} configurations, the data {len(frames)}; expected the "
            "same ones in the same order. Predict the data file as it is."
        )
    energies, total = [], []
    for index, (atoms, frame) in enumerate(zip(images, frames, strict=True)):
        where = f"{path} frame {index}"
        _check_same(atoms, frame, where)
        results: dict[str, Any] = dict(atoms.calc.results) if atoms.calc is not None else {}
        results = {**atoms.info, **atoms.arrays, **results}
        own = _per_atom(results, where)
        energies.append(own)
        # A file without a total leaves nothing to check; the sum is then all there is.
        total.append(float(results.get("energy", own.sum())))
    return Predictions(
        name=path.name.split(".")[0],
        architecture="file",
        n_parameters=0,
        seed=0,
        energies=np.concatenate(energies) * ELECTRONVOLT,
        total=np.array(total) * ELECTRONVOLT,
    )


def _from_factory(model: str, frames: Sequence[Frame]) -> Predictions:
    """Energies by an ASE calculator from a Python entry."""
    module_name, _, factory_name = model.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:  # like `python -m`: a factory may live in the working folder
        sys.path.insert(0, here)
    try:
        factory = getattr(importlib.import_module(module_name), factory_name)
    except (ImportError, AttributeError) as error:
        raise ModelError(
            f"{model}: cannot be imported ({error}); expected package.module:factory. Install the "
            "package into this environment or start in the folder that holds the module."
        ) from error
    calculator = factory()
    energies, total = [], []
    for index, frame in enumerate(frames):
        atoms = frame.to_ase()
        atoms.calc = calculator
        total.append(float(atoms.get_potential_energy()))
        energies.append(_per_atom(calculator.results, f"{model} on frame {index}"))
    return Predictions(
        name=model,
        architecture=type(calculator).__name__,
        n_parameters=0,
        seed=0,
        energies=np.concatenate(energies) * ELECTRONVOLT,
        total=np.array(total) * ELECTRONVOLT,
    )


def _per_atom(results: dict[str, Any], where: str) -> np.ndarray:
    """Per-atom energies under whichever name they go (eV)."""
    for name in PER_ATOM_NAMES:
        if name in results and results[name] is not None:
            return np.asarray(results[name], dtype=np.float64).ravel()
    raise ModelError(
        f"{where}: found {', '.join(sorted(results)) or 'nothing'}, but no per-atom energies; "
        f"expected one of {', '.join(PER_ATOM_NAMES)}. A model that gives totals only cannot be "
        "scored on local energies."
    )


def _check_same(atoms: Any, frame: Frame, where: str) -> None:
    """Refuse a frame that is not the one it should be."""
    if len(atoms) != frame.n_atoms or (atoms.numbers != frame.atomic_numbers).any():
        raise ModelError(
            f"{where}: other atoms than the data; expected the same configurations in the same "
            "order, atoms in the same order. Predict the data file as it is."
        )
    fractional = np.linalg.solve(frame.cell.T, (atoms.positions * ANGSTROM - frame.positions).T).T
    moved = (fractional - np.round(fractional)) @ frame.cell
    if np.abs(moved).max() > 1e-3 * ANGSTROM:
        raise ModelError(
            f"{where}: atoms lie up to {np.abs(moved).max() / ANGSTROM:.3g} Å from those of the "
            "data; expected the same positions to 0.001 Å. Predict the data file as it is."
        )
