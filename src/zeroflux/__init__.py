"""QTAIM atomic energies of liquids, and how well machine-learned potentials know them.

Three calls:

    import zeroflux as zf

    result = zf.basins("CHGCAR")        # a file, the folder of a run, pymatgen's Chgcar, an array
    result.charges, result.volumes, result.moments, result.atoms
    result.write("ACF.dat")             # or .csv, .json, .extxyz

    labelled = zf.label(atoms)          # QTAIM energies of ASE structures, by PySCF
    labelled.arrays["basin_energy"]

    scores = zf.score("argon_test", [calculator, "model.safetensors", "predicted.extxyz"])
    scores.table, scores.achieved
    scores.write("score.html")

`help(zf.basins)` and so on tell the arguments; ``zeroflux basins``, ``zeroflux label`` and
``zeroflux score`` do the same from the terminal. Networks trained here are ASE calculators:
`zf.Calculator`. The data set is `zeroflux.data`; `zeroflux.compat` has pymatgen's `BaderAnalysis`.
docs/conventions.md has the names and units of results.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zeroflux.api import Basins as Basins
    from zeroflux.api import Scores as Scores
    from zeroflux.api import basins as basins
    from zeroflux.api import label as label
    from zeroflux.api import score as score
    from zeroflux.calculator import Calculator as Calculator
    from zeroflux.frames import Frame as Frame
    from zeroflux.grids import UniformGrid as UniformGrid
    from zeroflux.labels import BasinTerms as BasinTerms
    from zeroflux.labels import Label as Label
    from zeroflux.partition import Partition as Partition
    from zeroflux.volumetric import read_volumetric as read_volumetric

# Imported on first use, so that `zeroflux --help` answers at once and JAX stays optional.
_HOMES = {
    "BasinTerms": "labels",
    "Basins": "api",
    "Calculator": "calculator",
    "Frame": "frames",
    "Label": "labels",
    "Partition": "partition",
    "Scores": "api",
    "UniformGrid": "grids",
    "basins": "api",
    "label": "api",
    "read_volumetric": "volumetric",
    "score": "api",
}
_MODULES = ("compat", "data")
__all__ = [
    "BasinTerms",
    "Basins",
    "Calculator",
    "Frame",
    "Label",
    "Partition",
    "Scores",
    "UniformGrid",
    "basins",
    "label",
    "read_volumetric",
    "score",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("zeroflux")
    if name in _HOMES:
        value = getattr(import_module(f"zeroflux.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return import_module(f"zeroflux.{name}")
    raise AttributeError(f"module 'zeroflux' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES, "__version__"])
