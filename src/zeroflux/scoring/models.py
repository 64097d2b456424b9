"""Models of any origin as per-atom energies on given frames (hartree)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from zeroflux import predict as standalone
from zeroflux.errors import ModelError
from zeroflux.frames import Frame
from zeroflux.predict import PER_ATOM_NAMES
from zeroflux.units import ANGSTROM, ELECTRONVOLT

STRUCTURE_SUFFIXES = (".xyz", ".extxyz", ".xyz.gz", ".extxyz.gz", ".xyz.xz", ".extxyz.xz")
SAME_PLACE = 1e-3 * ANGSTROM
"""Largest difference of positions and lattice vectors that passes as rounding (bohr)."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a model says of the frames (hartree)."""

    architecture: str
    n_parameters: int
    """0 if unknown."""
    seed: int
    energies: Float[np.ndarray, " n_atoms"]
    """Per atom, frames one after the other, as the model gives them."""
    total: Float[np.ndarray, " n_frames"] | None
    """Per frame, as the model gives it; None if it gives none."""
    forces: Float[np.ndarray, "n_atoms 3"] | None = None
    """Forces on the atoms (hartree/bohr), if they were asked for and the model has them."""
    rounding: float = 0.0
    """Relative precision of the numbers, 0 for double."""
    step: float = 0.0
    """Last decimal of the numbers (hartree) where they come from a text; 0 if unknown."""


Predict = Callable[[], Predictions]


@dataclass(frozen=True, eq=False)
class NamedCalculator:
    """An ASE calculator in memory, with the name of its row."""

    name: str
    calculator: Any


Model = str | NamedCalculator
"""What can be scored: words that name it, or the calculator itself."""


def row_names(models: Sequence[Model], *, taken: Sequence[str] = ()) -> list[str]:
    """A name for each model that no other has: the stem of a file where that is enough.

    Files of one stem go by their paths, and what is given twice is numbered.
    """
    given_names = [_own_name(model) for model in models]
    names = [name or _stem(str(m)) for name, m in zip(given_names, models, strict=True)]
    clash = {name for name, count in Counter([*names, *taken]).items() if count > 1}
    names = [
        model if name in clash and isinstance(model, str) else name
        for model, name in zip(models, names, strict=True)
    ]
    seen = Counter(taken)
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return unique


def _own_name(model: Model) -> str:
    return model.name if isinstance(model, NamedCalculator) else standalone.named(model)[0]


def _stem(model: str) -> str:
    """Name of a file without the endings of its kind; anything else as it is."""
    path = Path(model)
    for suffix in sorted(STRUCTURE_SUFFIXES, key=len, reverse=True):
        if path.name.endswith(suffix):
            return path.name.removesuffix(suffix)
    return path.stem if path.is_file() else model


def opened(
    model: Model,
    frames: Sequence[Frame],
    *,
    keys: Mapping[str, str] | None = None,
    with_forces: bool = False,
) -> Predict:
    """A model given as a user gives it, ready to predict the frames.

    What can be wrong is found here, and not after other models have been computed for hours: a
    file is read and compared, a checkpoint loaded, a calculator made and tried on one frame.

    Parameters
    ----------
    model
        A checkpoint of zeroflux, a file of extended XYZ with ``energies``,
        ``package.module:callable?key=value&key=value``, where the callable returns an ASE
        calculator, or a name of `zeroflux.predict.KNOWN`; ``NAME=`` before any of them. Or an ASE
        calculator in memory.
    frames
        Configurations; a file has to hold the same ones in the same order.
    keys
        Names in files of ``energy`` and ``energies``.
    with_forces
        Also predict forces, of models that have them.

    Raises
    ------
    ModelError
        If it is none of these, cannot be loaded, or gives no per-atom energies.
    """
    if isinstance(model, NamedCalculator):
        return _from_calculator(model.name, model.calculator, frames, with_forces)
    model = standalone.named(model)[1]
    path = Path(model)
    if path.name.endswith(STRUCTURE_SUFFIXES):
        found = _from_file(path, frames, keys or {})
        return lambda: found
    if path.is_file():
        return _from_checkpoint(path, frames, with_forces)
    with _as_model_error():
        calculator = standalone.calculator_of(model)
    return _from_calculator(model, calculator, frames, with_forces)


def key_names(text: str) -> dict[str, str]:
    """``energy=MACE_energy,energies=MACE_node_energies`` as a mapping.

    Raises
    ------
    ModelError
        If it is not of this form.
    """
    keys = {}
    for part in filter(None, text.split(",")):
        ours, sign, theirs = (word.strip() for word in part.partition("="))
        if not sign or not theirs or ours not in ("energy", "energies"):
            raise ModelError(
                f"Found the key {part!r}; expected energy=NAME,energies=NAME, the names under "
                "which the files hold them."
            )
        keys[ours] = theirs
    return keys


def renamed(results: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, Any]:
    """Results under our names: by ``keys``, else by a common prefix such as ``MACE_``.

    A prefix is understood if it stands before a known per-atom name, only one does, and there is
    no per-atom array without a prefix.
    """
    found = dict(results)
    for ours, theirs in keys.items():
        found.pop(ours, None)
        if theirs in results:
            found[ours] = results[theirs]
    if "energies" in keys or any(found.get(name) is not None for name in PER_ATOM_NAMES):
        if "energies" in keys:
            for name in PER_ATOM_NAMES[1:]:
                found.pop(name, None)
        return found
    endings = (
        "node_energies",
        "local_energies",
        *PER_ATOM_NAMES[1:],
        "energies",
    )  # long ones first
    hits = []
    for name in results:
        end = next((end for end in endings if name.endswith(f"_{end}")), None)
        hits += [] if end is None else [(name, name.removesuffix(end))]
    if len(hits) == 1:
        name, prefix = hits[0]
        found["energies"] = results[name]
        if f"{prefix}energy" in results and "energy" not in keys:
            found["energy"] = results[f"{prefix}energy"]
    return found


def _from_checkpoint(path: Path, frames: Sequence[Frame], with_forces: bool) -> Predict:
    """Energies by a zeroflux model."""
    from zeroflux.calculator import Calculator
    from zeroflux.training.checkpoints import load_model

    model = load_model(path)
    unknown = sorted({int(z) for f in frames for z in f.atomic_numbers} - set(model.species))
    if unknown:
        raise ModelError(
            f"{path}: was trained for atomic numbers {list(model.species)}, the data also hold "
            f"{unknown}. Score it on data of its own elements."
        )
    seed = model.metadata.get("seed", 0)

    def predict() -> Predictions:
        local = model.local_energies(frames)
        with _as_model_error():
            what = f"{path}: the per-atom energies"
            energies = standalone.finite(np.concatenate(local).astype(np.float64), what)
        return Predictions(
            architecture=str(model.metadata.get("architecture", model.architecture.name)),
            n_parameters=model.n_parameters,
            seed=seed if isinstance(seed, int) else 0,
            energies=energies,
            total=np.array([float(e.sum()) for e in local]),
            forces=_forces_of(Calculator(model), frames) if with_forces else None,
        )

    return predict


def _forces_of(calculator: Any, frames: Sequence[Frame]) -> np.ndarray | None:
    """Forces of a calculator on all atoms (hartree/bohr), or None if it has none."""
    found = []
    for frame in frames:
        atoms = frame.to_ase()
        atoms.calc = calculator
        try:
            found.append(np.asarray(atoms.get_forces(), dtype=np.float64))
        except Exception:  # whatever a program says who has no forces; its energies are scored
            return None
    forces = np.concatenate(found) * (ELECTRONVOLT / ANGSTROM)
    return forces if np.isfinite(forces).all() else None


def _from_file(path: Path, frames: Sequence[Frame], keys: Mapping[str, str]) -> Predictions:
    """Energies that are already in a file."""
    with _as_model_error():
        images = standalone.read_frames(path)
    if len(images) != len(frames):
        raise ModelError(
            f"{path}: holds {len(images)} configurations, the data {len(frames)}; expected the "
            "same ones in the same order. Predict the data file as it is."
        )
    energies, total, forces = [], [], []
    for index, (atoms, frame) in enumerate(zip(images, frames, strict=True)):
        where = f"{path} frame {index}"
        _check_same(atoms, frame, where, frames)
        results: dict[str, Any] = dict(atoms.calc.results) if atoms.calc is not None else {}
        results = renamed({**atoms.info, **atoms.arrays, **results}, keys)
        with _as_model_error():
            energies.append(standalone.per_atom(results, frame.n_atoms, where).astype(np.float64))
            if "energy" in results:
                total.append(standalone.total(results["energy"], where))
        if np.shape(results.get("forces")) == (frame.n_atoms, 3):
            forces.append(np.asarray(results["forces"], dtype=np.float64))
    if total and len(total) != len(frames):
        raise ModelError(
            f"{path}: {len(total)} of {len(frames)} configurations have an `energy`; expected all "
            "or none. Write it for every configuration, or leave it out."
        )
    values = np.concatenate(energies)
    return Predictions(
        architecture="file",
        n_parameters=0,
        seed=0,
        energies=values * ELECTRONVOLT,
        total=np.array(total) * ELECTRONVOLT if total else None,
        forces=np.concatenate(forces) * (ELECTRONVOLT / ANGSTROM)
        if len(forces) == len(frames)
        else None,
        rounding=max(rounding_of_text(values), rounding_of_text(np.array(total))),
        step=last_decimal(values) * ELECTRONVOLT,
    )


def _from_calculator(
    model: str, calculator: Any, frames: Sequence[Frame], with_forces: bool
) -> Predict:
    """Energies by an ASE calculator."""
    _of_calculator(calculator, frames[0], f"{model} on frame 0")

    def predict() -> Predictions:
        found = [
            _of_calculator(calculator, frame, f"{model} on frame {index}")
            for index, frame in enumerate(frames)
        ]
        energies = np.concatenate([own for own, _ in found])
        total = np.array([energy for _, energy in found])
        return Predictions(
            architecture=type(calculator).__name__,
            n_parameters=0,
            seed=0,
            energies=energies.astype(np.float64) * ELECTRONVOLT,
            total=total * ELECTRONVOLT,
            forces=_forces_of(calculator, frames) if with_forces else None,
            rounding=max(_rounding(energies), _rounding(total)),
        )

    return predict


def _of_calculator(calculator: Any, frame: Frame, where: str) -> tuple[np.ndarray, float]:
    """Per-atom energies in the precision they have, and total (eV), of one frame."""
    flag = standalone.FLAGS.get(type(calculator).__name__, "")
    with _as_model_error():
        results = standalone.evaluated(calculator, frame.to_ase(), where)
        own = standalone.per_atom(results, frame.n_atoms, where, flag=flag)
        return own, standalone.total(results["energy"], where)


@contextmanager
def _as_model_error() -> Iterator[None]:
    """The errors of the part that runs without zeroflux, as ours."""
    try:
        yield
    except standalone.PredictError as error:
        raise ModelError(str(error)) from error


def _rounding(values: np.ndarray) -> float:
    """Relative precision of a calculator's numbers: of their type, or single if all fit into it."""
    coarsest = float(np.finfo(values.dtype).eps) if values.dtype.kind == "f" else 0.0
    fits = bool((values.astype(np.float32) == values).all())
    return max(coarsest, float(np.finfo(np.float32).eps) if fits else 0.0)


def rounding_of_text(values: np.ndarray) -> float:
    """Single precision if every number of a text is a single-precision number as far as shown."""
    single = values.astype(np.float32).astype(np.float64)
    # Spacing of single-precision numbers has to be coarser than the digits for this to say much.
    shown = 0.51 * max(last_decimal(values), 1e-12)
    spacing = np.spacing(np.abs(values).max(initial=0.0).astype(np.float32))
    is_single = (
        values.size > 0 and spacing > 10 * shown and bool((np.abs(single - values) <= shown).all())
    )
    return float(np.finfo(np.float32).eps) if is_single else 0.0


def last_decimal(values: np.ndarray) -> float:
    """Power of ten, 1e-3 to 1e-8, of which all values are multiples; 0 if there is none."""
    for digits in range(3, 9):
        scaled = values * 10.0**digits
        if (np.abs(scaled - np.round(scaled)) <= 1e-3).all():
            return 10.0**-digits
    return 0.0


def _check_same(atoms: Any, frame: Frame, where: str, frames: Sequence[Frame]) -> None:
    """Refuse a frame that is not the one it should be."""
    what = _mismatch(atoms, frame)
    if what is None:
        return
    other = next((k for k, one in enumerate(frames) if _mismatch(atoms, one) is None), None)
    if other is not None:
        what = f"is configuration {other} of the data (frames are in another order)"
    elif _is_reordered(atoms, frame):
        what = "holds the same atoms in another order"
    raise ModelError(
        f"{where}: {what}; expected the same configurations in the same order, with the same atoms "
        "in the same order. Predict the data file as it is."
    )


def _mismatch(atoms: Any, frame: Frame) -> str | None:
    """What tells a frame from the one it should be, None if nothing does."""
    if len(atoms) != frame.n_atoms or (atoms.numbers != frame.atomic_numbers).any():
        return "other atoms than the data"
    if not atoms.pbc.all():
        return (
            f"pbc is {' '.join('FT'[int(x)] for x in atoms.pbc)}, the data are periodic (T T T), "
            "and without it atoms at the faces lose their neighbours"
        )
    strain = np.abs(atoms.cell.array * ANGSTROM - frame.cell).max()
    if not strain <= SAME_PLACE:
        return (
            f"lattice vectors differ by up to {strain / ANGSTROM:.3g} Å from those of the data "
            "(0.001 Å may be rounding)"
        )
    moved = _nearest_image(atoms.positions * ANGSTROM - frame.positions, frame.cell)
    if not np.abs(moved).max() <= SAME_PLACE:
        return (
            f"atoms lie up to {np.abs(moved).max() / ANGSTROM:.3g} Å from those of the data (0.001 "
            "Å may be rounding)"
        )
    return None


def _is_reordered(atoms: Any, frame: Frame) -> bool:
    """Whether the cell is the same and every atom lies where one of the same element should."""
    strain = np.abs(atoms.cell.array * ANGSTROM - frame.cell).max()
    if len(atoms) != frame.n_atoms or not atoms.pbc.all() or not strain <= SAME_PLACE:
        return False
    for number, position in zip(atoms.numbers, atoms.positions * ANGSTROM, strict=True):
        moved = _nearest_image(position - frame.positions, frame.cell)
        near = np.abs(moved).max(axis=1) <= SAME_PLACE
        if not (near & (frame.atomic_numbers == number)).any():
            return False
    return True


def _nearest_image(difference: np.ndarray, cell: np.ndarray) -> np.ndarray:
    fractional = np.linalg.solve(cell.T, difference.T).T
    return (fractional - np.round(fractional)) @ cell
