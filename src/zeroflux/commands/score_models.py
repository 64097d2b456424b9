"""Models of any origin as per-atom energies on given frames (hartree)."""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
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
COMMITTEE_NAMES = ("energy_var", "forces_comm", "energy_comm")
"""Results that tell ``energies`` to be the totals of a committee, as MACE has them."""
FLAGS = {"CHGNetCalculator": "return_site_energies=True"}
"""What a calculator has to be made with before it gives per-atom energies."""
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
    rounding: float = 0.0
    """Relative precision of the numbers, 0 for double."""
    step: float = 0.0
    """Last decimal of the numbers (hartree) where they come from a text; 0 if unknown."""


Predict = Callable[[], Predictions]


def row_names(models: Sequence[str], *, taken: Sequence[str] = ()) -> list[str]:
    """A name for each model that no other has: the stem of a file where that is enough.

    Files of one stem go by their paths, and what is given twice is numbered.
    """
    names = [_stem(model) for model in models]
    clash = {name for name, count in Counter([*names, *taken]).items() if count > 1}
    names = [given if name in clash else name for given, name in zip(models, names, strict=True)]
    seen = Counter(taken)
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return unique


def _stem(model: str) -> str:
    """Name of a file without the endings of its kind; anything else as it is."""
    path = Path(model)
    for suffix in sorted(STRUCTURE_SUFFIXES, key=len, reverse=True):
        if path.name.endswith(suffix):
            return path.name.removesuffix(suffix)
    return path.stem if path.is_file() else model


def opened(model: str, frames: Sequence[Frame]) -> Predict:
    """A model given as a user gives it, ready to predict the frames.

    What can be wrong is found here, and not after other models have been computed for hours: a
    file is read and compared, a checkpoint loaded, a calculator made and tried on one frame.

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
        found = _from_file(path, frames)
        return lambda: found
    if path.is_file():
        return _from_checkpoint(path, frames)
    if ":" in model:
        return _from_factory(model, frames)
    raise ModelError(
        f"{model}: found neither a file nor package.module:factory; expected a zeroflux "
        "checkpoint, an extended XYZ file with `energies`, or a factory of an ASE calculator. "
        "Check the path."
    )


def _from_checkpoint(path: Path, frames: Sequence[Frame]) -> Predict:
    """Energies by a zeroflux model."""
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
        energies = np.concatenate(local).astype(np.float64)
        return Predictions(
            architecture=str(model.metadata.get("architecture", model.architecture.name)),
            n_parameters=model.n_parameters,
            seed=seed if isinstance(seed, int) else 0,
            energies=_finite(energies, f"{path}: the per-atom energies"),
            total=np.array([float(e.sum()) for e in local]),
        )

    return predict


def _from_file(path: Path, frames: Sequence[Frame]) -> Predictions:
    """Energies that are already in a file."""
    from ase.io import read

    from zeroflux.artifacts.extxyz import open_text

    try:
        with open_text(path, path.suffix, "r") as handle:
            images = read(handle, index=":", format="extxyz")
    except Exception as error:  # whatever a damaged file makes of ASE's reader
        raise ModelError(
            f"{path}: cannot be read as extended XYZ ({_line(error)}); expected predicted "
            "energies. Check the path and the file."
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
        energies.append(_per_atom(results, frame.n_atoms, where))
        if "energy" in results:
            total.append(_total(results["energy"], where))
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
        rounding=_rounding_of_text(values),
        step=_last_decimal(values) * ELECTRONVOLT,
    )


def _from_factory(model: str, frames: Sequence[Frame]) -> Predict:
    """Energies by an ASE calculator from a Python entry."""
    factory = _imported(model)
    try:
        calculator = factory()
    except (Exception, SystemExit) as error:
        raise ModelError(
            f"{model}: the factory failed ({_line(error)}); expected an ASE calculator. Call it "
            "in Python to see where."
        ) from error
    if not hasattr(calculator, "get_potential_energy"):
        raise ModelError(
            f"{model}: the factory returned {type(calculator).__name__}; expected an ASE "
            "calculator. Return one from it."
        )
    _of_calculator(calculator, frames[0], f"{model} on frame 0")

    def predict() -> Predictions:
        found = [
            _of_calculator(calculator, frame, f"{model} on frame {index}")
            for index, frame in enumerate(frames)
        ]
        return Predictions(
            architecture=type(calculator).__name__,
            n_parameters=0,
            seed=0,
            energies=np.concatenate([energies for energies, _, _ in found]) * ELECTRONVOLT,
            total=np.array([total for _, total, _ in found]) * ELECTRONVOLT,
            rounding=max(rounding for _, _, rounding in found),
        )

    return predict


def _imported(model: str) -> Callable[[], Any]:
    """The callable that ``package.module:name`` names."""
    module_name, _, factory_name = model.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:  # like `python -m`: a factory may live in the working folder
        sys.path.insert(0, here)
    try:
        factory = getattr(importlib.import_module(module_name), factory_name)
    except (Exception, SystemExit) as error:
        raise ModelError(
            f"{model}: cannot be imported ({_line(error)}); expected package.module:factory. "
            "Install the package into this environment or start in the folder that holds the "
            "module."
        ) from error
    if not callable(factory):
        raise ModelError(
            f"{model}: is a {type(factory).__name__}; expected a function that returns an ASE "
            "calculator. Name the function."
        )
    return factory


def _of_calculator(calculator: Any, frame: Frame, where: str) -> tuple[np.ndarray, float, float]:
    """Per-atom energies and total (eV) of one frame, and their relative precision."""
    atoms = frame.to_ase()
    atoms.calc = calculator
    try:
        asked = _asked_for(calculator, atoms)
        energy = atoms.get_potential_energy()
    except (Exception, SystemExit) as error:
        raise ModelError(
            f"{where}: the calculator failed ({_line(error)}); expected an energy. Try it on this "
            "configuration in Python."
        ) from error
    results = {**getattr(calculator, "results", {}), **asked}
    flag = FLAGS.get(type(calculator).__name__, "")
    energies = _per_atom(results, frame.n_atoms, where, flag=flag)
    return energies, _total(energy, where), _rounding(results, energies)


def _asked_for(calculator: Any, atoms: Any) -> dict[str, Any]:
    """``energies`` where a calculator gives them only to who asks (QUIP, GAP, metatomic)."""
    if "energies" not in (getattr(calculator, "implemented_properties", None) or ()):
        return {}
    from ase.calculators.calculator import PropertyNotImplementedError

    try:
        energies = calculator.get_property("energies", atoms)
    except (PropertyNotImplementedError, NotImplementedError, AttributeError):
        return {}
    return {} if energies is None else {"energies": np.array(energies)}


def _per_atom(
    results: Mapping[str, Any], n_atoms: int, where: str, *, flag: str = ""
) -> np.ndarray:
    """Per-atom energies under whichever name they go (eV)."""
    shapes = []
    is_committee = any(name in results for name in COMMITTEE_NAMES)
    for name in PER_ATOM_NAMES:
        if results.get(name) is None or (is_committee and name == "energies"):
            continue
        try:
            values = np.asarray(results[name], dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ModelError(
                f"{where}: `{name}` are not numbers ({_line(error)}); expected {n_atoms}."
            ) from error
        if values.shape in ((n_atoms,), (n_atoms, 1), (1, n_atoms)):
            return _finite(values.ravel(), f"{where}: `{name}`")
        shapes.append(f"`{name}` of shape {values.shape}")
    if shapes:
        raise ModelError(
            f"{where}: found {', '.join(shapes)}; expected a number for each of {n_atoms} atoms. "
            "Of a committee, give the mean over its members."
        )
    advice = (
        f"Make the calculator with {flag}."
        if flag
        else "A model that gives totals only cannot be scored on local energies."
    )
    raise ModelError(
        f"{where}: found {', '.join(sorted(results)) or 'nothing'}, but no per-atom energies; "
        f"expected one of {', '.join(PER_ATOM_NAMES)}. {advice}"
    )


def _total(energy: Any, where: str) -> float:
    """The energy of a frame (eV); an array of one number is that number."""
    try:
        value = np.asarray(energy, dtype=np.float64)
    except (TypeError, ValueError):
        value = np.empty(0)
    if value.size != 1:
        raise ModelError(
            f"{where}: `energy` is {_line(energy)}; expected one number. Write it with enough "
            "digits, or leave it out."
        )
    return float(_finite(value.reshape(1), f"{where}: `energy`")[0])


def _finite(values: np.ndarray, what: str) -> np.ndarray:
    """The values, if all are numbers."""
    n_bad = int((~np.isfinite(values)).sum())
    if n_bad:
        raise ModelError(
            f"{what}: {n_bad} of {values.size} not finite (NaN or infinity); expected numbers. "
            "Find out why the model fails there, or leave it out."
        )
    return values


def _rounding(results: Mapping[str, Any], energies: np.ndarray) -> float:
    """Relative precision of a calculator's numbers: of their type, or of what they fit into."""
    types = {
        value.dtype
        for name in PER_ATOM_NAMES
        if isinstance(value := results.get(name), np.ndarray) and value.dtype.kind == "f"
    }
    single = float(np.finfo(np.float32).eps)
    coarsest = max((float(np.finfo(kind).eps) for kind in types), default=0.0)
    fits = bool((energies.astype(np.float32) == energies).all())
    return max(coarsest, single) if fits or coarsest >= single else 0.0


def _rounding_of_text(values: np.ndarray) -> float:
    """Single precision if every number of a text is a single-precision number as far as shown."""
    single = values.astype(np.float32).astype(np.float64)
    # Spacing of single-precision numbers has to be coarser than the digits for this to say much.
    shown = 0.51 * max(_last_decimal(values), 1e-12)
    spacing = np.spacing(np.abs(values).max(initial=0.0).astype(np.float32))
    is_single = spacing > 10 * shown and bool((np.abs(single - values) <= shown).all())
    return float(np.finfo(np.float32).eps) if is_single else 0.0


def _last_decimal(values: np.ndarray) -> float:
    """Power of ten, 1e-3 to 1e-8, of which all values are multiples; 0 if there is none."""
    for digits in range(3, 9):
        scaled = values * 10.0**digits
        if (np.abs(scaled - np.round(scaled)) <= 1e-3).all():
            return 10.0**-digits
    return 0.0


def _line(what: Any) -> str:
    """An error or a value in one short line."""
    text = str(what) or type(what).__name__
    if isinstance(what, BaseException) and not isinstance(what, ModelError):
        text = f"{type(what).__name__}: {text}"
    text = " ".join(text.split())
    return text if len(text) <= 200 else text[:200] + " …"


def _check_same(atoms: Any, frame: Frame, where: str) -> None:
    """Refuse a frame that is not the one it should be."""
    if len(atoms) != frame.n_atoms or (atoms.numbers != frame.atomic_numbers).any():
        raise ModelError(
            f"{where}: other atoms than the data; expected the same configurations in the same "
            "order, atoms in the same order. Predict the data file as it is."
        )
    if not atoms.pbc.all():
        raise ModelError(
            f"{where}: pbc is {' '.join('FT'[int(x)] for x in atoms.pbc)}, the data are periodic "
            "(T T T); without it atoms at the faces lose their neighbours. Predict the data file "
            "as it is, with its cell and pbc."
        )
    strain = np.abs(atoms.cell.array * ANGSTROM - frame.cell).max()
    if not strain <= SAME_PLACE:
        raise ModelError(
            f"{where}: lattice vectors differ by up to {strain / ANGSTROM:.3g} Å from those of "
            "the data; expected the same to 0.001 Å. Predict the data file as it is."
        )
    fractional = np.linalg.solve(frame.cell.T, (atoms.positions * ANGSTROM - frame.positions).T).T
    moved = (fractional - np.round(fractional)) @ frame.cell
    if not np.abs(moved).max() <= SAME_PLACE:
        raise ModelError(
            f"{where}: atoms lie up to {np.abs(moved).max() / ANGSTROM:.3g} Å from those of the "
            "data; expected the same positions to 0.001 Å. Predict the data file as it is."
        )
