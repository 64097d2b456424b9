"""Per-atom energies of any ASE calculator as a file. Needs ASE and NumPy, not zeroflux.

Copy this one file into the environment of a model (``zeroflux predict --script > predict.py``):

    python predict.py DATA.extxyz MODEL -o predicted.extxyz

MODEL is ``package.module:callable``, with options as ``?key=value&key=value``, or a short name of
`KNOWN` with options. DATA may be compressed (.gz, .xz). The configurations are written as they are
read, with the calculator's ``energy`` and ``energies`` (eV); ``zeroflux score DATA
predicted.extxyz`` scores them in any other environment. Nothing is downloaded.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import importlib
import itertools
import lzma
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes

PER_ATOM_NAMES = ("energies", "local_energy", "node_energy", "atomic_energies", "atom_energies")
"""Names under which programs give per-atom energies, in the order they are tried."""
COMMITTEE_NAMES = ("energy_var", "forces_comm", "energy_comm")
"""Results that tell ``energies`` to be the totals of a committee, as MACE has them."""
FLAGS = {"CHGNetCalculator": "return_site_energies=True"}
"""What a calculator has to be made with before it gives per-atom energies."""

MAX_BLANK = 1000
"""Empty lines that may end a file."""


class PredictError(Exception):
    """A model or file that cannot be used; the message is one line."""


class LennardJones(Calculator):
    """Textbook Lennard-Jones of the noble gases, cut and shifted, half a pair term to each atom.

    Parameters of unlike pairs are the arithmetic mean of σ and the geometric mean of ε.

    References
    ----------
    Hirschfelder, Curtiss, Bird, *Molecular Theory of Gases and Liquids*, Wiley (1954), table I-A.
    """

    implemented_properties = ["energy", "energies"]  # noqa: RUF012  as ASE has it
    SIGMA = {2: 2.556, 10: 2.749, 18: 3.405, 36: 3.60, 54: 4.10}  # noqa: RUF012  Å
    EPSILON_KELVIN = {2: 10.22, 10: 35.60, 18: 119.8, 36: 171.0, 54: 221.0}  # noqa: RUF012

    def __init__(self, *, cutoff: float = 12.0) -> None:
        super().__init__()
        self.cutoff = cutoff

    def calculate(
        self, atoms: Any = None, properties: Any = ("energy",), system_changes: Any = all_changes
    ) -> None:
        """Energies in eV."""
        from ase.neighborlist import neighbor_list
        from ase.units import kB

        super().calculate(atoms, properties, system_changes)
        unknown = sorted({int(z) for z in atoms.numbers} - set(self.SIGMA))
        if unknown:
            raise PredictError(f"lj knows noble gases only, found atomic numbers {unknown}")
        first, second, distance = neighbor_list("ijd", atoms, self.cutoff)
        sigma = np.array([self.SIGMA[int(z)] for z in atoms.numbers])
        epsilon = kB * np.array([self.EPSILON_KELVIN[int(z)] for z in atoms.numbers])
        size = 0.5 * (sigma[first] + sigma[second])
        depth = np.sqrt(epsilon[first] * epsilon[second])

        def pair(r: Any) -> Any:
            return 4.0 * depth * ((size / r) ** 12 - (size / r) ** 6)

        half = 0.5 * (pair(distance) - pair(self.cutoff))
        energies = np.bincount(first, weights=half, minlength=len(atoms))
        self.results = {"energy": float(energies.sum()), "energies": energies}


def chgnet(**options: Any) -> Any:
    """CHGNet with the weights of its package, with site energies."""
    from chgnet.model.dynamics import CHGNetCalculator

    return CHGNetCalculator(**{"return_site_energies": True, **options})


def sevennet_0(*, model: str = "7net-0", **options: Any) -> Any:
    """SevenNet-0 with the weights of its package, or weights of a file."""
    from sevenn.calculator import SevenNetCalculator

    if model not in ("7net-0", "7net-l3i5") and not Path(model).is_file():
        raise PredictError(
            f"sevennet-0 has no weights {model} in its package; nothing is downloaded. Name "
            "7net-0, 7net-l3i5 or a file."
        )
    return SevenNetCalculator(model=model, **options)


def mace_mp(*, model: str = "", **options: Any) -> Any:
    """MACE-MP from a file of weights, which its package does not hold."""
    from mace.calculators import MACECalculator

    if not model or not Path(model).is_file():
        raise PredictError(
            f"mace-mp has no weights in its package and found {model or 'no file'}; nothing is "
            "downloaded. Name the file: mace-mp?model=PATH"
        )
    given = {"device": "cpu", "default_dtype": "float64", **options}
    return MACECalculator(model_paths=model, **given)


def gfn2(**options: Any) -> Any:
    """GFN2-xTB of tblite."""
    from tblite.ase import TBLite

    return TBLite(**{"method": "GFN2-xTB", "verbosity": 0, **options})


KNOWN = {
    "chgnet": chgnet,
    "sevennet-0": sevennet_0,
    "mace-mp": mace_mp,
    "gfn2": gfn2,
    "lj": LennardJones,
}
"""Short names; packages add their own by entry points of the group ``zeroflux.models``."""
INSTALL = {
    "chgnet": "pip install chgnet",
    "sevenn": "pip install sevenn",
    "mace": "pip install mace-torch",
    "tblite": "pip install tblite",
}
"""Command that installs a package."""


def named(model: str) -> tuple[str, str]:
    """A name and the rest of ``NAME=MODEL``; the name is empty if none is given."""
    name, sign, rest = model.partition("=")
    is_name = sign and rest and not any(mark in name for mark in "?:/\\")
    return (name, rest) if is_name and not Path(model).exists() else ("", model)


def parsed(target: str) -> tuple[str, dict[str, Any]]:
    """What comes before ``?`` and the options behind it; numbers and true/false are values."""
    entry, _, query = target.partition("?")
    options = {}
    for part in filter(None, query.split("&")):
        key, sign, text = part.partition("=")
        if not sign or not key.isidentifier():
            raise PredictError(
                f"{target}: found the option {part!r}; expected key=value&key=value behind the '?'."
            )
        options[key] = _value(text)
    return entry, options


def _value(text: str) -> Any:
    if text.lower() in ("true", "false", "none"):
        return {"true": True, "false": False, "none": None}[text.lower()]
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return value if isinstance(value, (int, float, str)) else text


def known_models() -> dict[str, Any]:
    """Callables by short name, those of installed packages included."""
    from importlib.metadata import entry_points

    found = {point.name: point.load for point in entry_points(group="zeroflux.models")}
    return {**{name: load for name, load in found.items() if name not in KNOWN}, **KNOWN}


def calculator_of(target: str) -> Any:
    """ASE calculator that a short name or ``package.module:callable``, with options, names.

    Raises
    ------
    PredictError
        If it cannot be imported or made.
    """
    entry, options = parsed(target)
    known = known_models()
    if entry not in known and ":" not in entry:
        raise PredictError(
            f"{target}: found neither a file nor package.module:callable; expected one of these or "
            f"a name of {', '.join(known)}. Check the path or the name."
        )
    try:
        factory = known[entry] if entry in KNOWN else None
        if factory is None:
            factory = known[entry]() if entry in known else _imported(entry)
    except (Exception, SystemExit) as error:
        raise PredictError(
            f"{target}: cannot be imported ({one_line(error)}); expected package.module:callable. "
            f"{_install(error)}"
        ) from error
    if not callable(factory):
        raise PredictError(
            f"{target}: is a {type(factory).__name__}; expected a function that returns an ASE "
            "calculator. Name the function."
        )
    try:
        calculator = factory(**options)
    except ModuleNotFoundError as error:
        raise PredictError(f"{target}: {one_line(error)}. {_install(error)}") from error
    except PredictError as error:
        raise PredictError(f"{target}: {error}") from error
    except (Exception, SystemExit) as error:
        raise PredictError(
            f"{target}: the factory failed ({one_line(error)}); expected an ASE calculator. Call "
            "it in Python to see where."
        ) from error
    if not hasattr(calculator, "get_potential_energy"):
        raise PredictError(
            f"{target}: the factory returned {type(calculator).__name__}; expected an ASE "
            "calculator. Return one from it."
        )
    return calculator


def _imported(entry: str) -> Any:
    module, _, name = entry.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:  # like `python -m`: a factory may live in the working folder
        sys.path.insert(0, here)
    return getattr(importlib.import_module(module), name)


def _install(error: BaseException) -> str:
    """How to get a package that is missing."""
    package = (getattr(error, "name", None) or "").partition(".")[0]
    if isinstance(error, ModuleNotFoundError) and package in INSTALL:
        return f"Install it with: {INSTALL[package]}"
    return "Install the package into this environment or start in the folder that holds the module."


def evaluated(calculator: Any, atoms: Any, where: str) -> dict[str, Any]:
    """Everything a calculator gives for atoms (eV); ``energies`` are asked for.

    Raises
    ------
    PredictError
        If the calculator fails.
    """
    atoms.calc = calculator
    try:
        asked = _asked_for(calculator, atoms)
        energy = atoms.get_potential_energy()
    except (Exception, SystemExit) as error:
        raise PredictError(
            f"{where}: the calculator failed ({one_line(error)}); expected an energy. Try it on "
            "this configuration in Python."
        ) from error
    return {**getattr(calculator, "results", {}), **asked, "energy": energy}


def _asked_for(calculator: Any, atoms: Any) -> dict[str, Any]:
    """``energies`` where a calculator gives them only to who asks (QUIP, GAP, metatomic)."""
    if "energies" not in (getattr(calculator, "implemented_properties", None) or ()):
        return {}
    try:
        energies = calculator.get_property("energies", atoms)
    except (PropertyNotImplementedError, NotImplementedError, AttributeError):
        return {}
    return {} if energies is None else {"energies": np.array(energies)}


def per_atom(results: Any, n_atoms: int, where: str, *, flag: str = "") -> np.ndarray:
    """Per-atom energies under whichever name they go, in the precision they have.

    Raises
    ------
    PredictError
        If there are none, or not a finite number for each atom.
    """
    shapes = []
    is_committee = any(name in results for name in COMMITTEE_NAMES)
    for name in PER_ATOM_NAMES:
        if results.get(name) is None or (is_committee and name == "energies"):
            continue
        values = np.asarray(results[name])
        if values.dtype.kind not in "fiu":
            found = one_line(results[name])
            raise PredictError(f"{where}: `{name}` are not numbers ({found}); expected {n_atoms}.")
        if values.shape in ((n_atoms,), (n_atoms, 1), (1, n_atoms)):
            return finite(values.ravel(), f"{where}: `{name}`")
        shapes.append(f"`{name}` of shape {values.shape}")
    if shapes:
        raise PredictError(
            f"{where}: found {', '.join(shapes)}; expected a number for each of {n_atoms} atoms. "
            "Of a committee, give the mean over its members."
        )
    advice = (
        f"Make the calculator with {flag}."
        if flag
        else "A model that gives totals only cannot be scored on local energies."
    )
    raise PredictError(
        f"{where}: found {', '.join(sorted(results)) or 'nothing'}, but no per-atom energies; "
        f"expected one of {', '.join(PER_ATOM_NAMES)}. {advice}"
    )


def total(energy: Any, where: str) -> float:
    """The energy of a frame (eV); an array of one number is that number."""
    try:
        value = np.asarray(energy, dtype=np.float64)
    except (TypeError, ValueError):
        value = np.empty(0)
    if value.size != 1:
        raise PredictError(
            f"{where}: `energy` is {one_line(energy)}; expected one number. Write it with enough "
            "digits, or leave it out."
        )
    return float(finite(value.reshape(1), f"{where}: `energy`")[0])


def finite(values: np.ndarray, what: str) -> np.ndarray:
    """The values, if all are numbers."""
    n_bad = int((~np.isfinite(values)).sum())
    if n_bad:
        raise PredictError(
            f"{what}: {n_bad} of {values.size} not finite (NaN or infinity); expected numbers. "
            "Find out why the model fails there, or leave it out."
        )
    return values


def one_line(what: Any) -> str:
    """An error or a value in one short line."""
    text = str(what) or type(what).__name__
    if isinstance(what, BaseException) and not isinstance(what, PredictError):
        text = f"{type(what).__name__}: {text}"
    text = " ".join(text.split())
    return text if len(text) <= 200 else text[:200] + " …"


def read_frames(path: Path) -> list[Any]:
    """Configurations of an extended XYZ file, plain, .gz or .xz."""
    from ase.io import read

    opener = {".gz": gzip.open, ".xz": lzma.open}.get(path.suffix, open)
    try:
        with opener(path, "rt") as handle:
            _check_form(path, handle)
            handle.seek(0)
            images = read(handle, index=":", format="extxyz")
    except PredictError:
        raise
    except Exception as error:  # whatever a damaged file makes of ASE's reader
        raise PredictError(
            f"{path}: cannot be read as extended XYZ ({one_line(error)})."
        ) from error
    if not images:
        raise PredictError(f"{path}: holds no configurations; expected at least one.")
    return images


def _check_form(path: Path, lines: Any) -> None:
    """Refuse headers and rows that do not fit together, on which a reader hangs or shifts columns.

    Counts are held against the rows that follow, and the columns of ``Properties`` against the
    words of each row, before anything is allocated.
    """
    numbered = enumerate(lines, 1)
    n_frames = 0
    for line, text in numbered:
        if not text.strip():
            if any(rest.strip() for _, rest in itertools.islice(numbered, MAX_BLANK)):
                raise PredictError(
                    f"{path}:{line}: found an empty line; expected a number of atoms."
                )
            if next(numbered, None) is not None:
                raise PredictError(
                    f"{path}:{line}: {MAX_BLANK} empty lines follow; expected an end."
                )
            break
        if not re.fullmatch(r"0*[1-9][0-9]{0,8}", text.strip()):
            raise PredictError(
                f"{path}:{line}: found {one_line(text)[:60]!r}; expected a number of atoms."
            )
        n_atoms, header = int(text), next(numbered, (line, ""))[1]
        n_columns = _n_columns(header, f"{path}:{line + 1}")
        for k in range(n_atoms):
            row = next(numbered, (0, ""))[1].split()
            if not row or (n_columns and len(row) != n_columns):
                raise PredictError(
                    f"{path}:{line + 2 + k}: found {len(row)} words in row {k + 1} of {n_atoms}; "
                    f"expected {n_columns or 'at least 4'}."
                )
        n_frames += 1
    if not n_frames:
        raise PredictError(f"{path}: holds no configurations; expected at least one.")


def _n_columns(header: str, where: str) -> int:
    """Words in a row by ``Properties``; 0 if the header does not say."""
    found = re.search(r"Properties\s*=\s*[\"']?([^\s\"']+)", header, re.IGNORECASE)
    if found is None:
        return 0
    counts = found[1].split(":")[2::3]
    if not all(re.fullmatch(r"[0-9]{1,4}", count) for count in counts):
        raise PredictError(
            f"{where}: the columns of Properties are {', '.join(counts)[:60]}; expected counts "
            "below 10000."
        )
    return sum(map(int, counts))


def write_predictions(path: Path, images: Any, energies: Any, totals: Any) -> None:
    """Configurations with ``energy`` and ``energies``; the file appears whole or not at all."""
    from ase import Atoms
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.io import write

    frames = []
    for atoms, own, energy in zip(images, energies, totals, strict=True):
        bare = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        results = {"energies": own} if energy is None else {"energies": own, "energy": energy}
        bare.calc = SinglePointCalculator(bare, **results)
        frames.append(bare)
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8") as handle:
        write(handle, frames, format="extxyz")
    part.replace(path)


def check_output(path: Path) -> None:
    """Refuse a place that cannot be written, before anything is computed."""
    if not path.parent.is_dir() or path.is_dir():
        raise PredictError(f"{path}: expected the name of a file in a folder that exists.")
    if not path.name.endswith((".xyz", ".extxyz")):
        raise PredictError(f"{path}: expected a name that ends in .extxyz.")


def main(arguments: list[str] | None = None) -> int:
    """Predict a file; errors are one line and exit status 2."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="extended XYZ (.gz, .xz)")
    parser.add_argument("model", help="package.module:callable?key=value, or " + ", ".join(KNOWN))
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args(arguments)
    try:
        check_output(given.output)
        images = read_frames(given.data)
        target = named(given.model)[1]
        calculator = calculator_of(target)
        flag = FLAGS.get(type(calculator).__name__, "")
        energies, totals = [], []
        for index, atoms in enumerate(images):
            where = f"{target} on frame {index}"
            bare = atoms.copy()
            bare.info, bare.constraints = {}, []
            results = evaluated(calculator, bare, where)
            energies.append(per_atom(results, len(atoms), where, flag=flag))
            totals.append(total(results["energy"], where))
        write_predictions(given.output, images, energies, totals)
    except PredictError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write(f"{given.output}: {len(images)} configurations\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
