"""QTAIM atomic energies of liquids, and how well machine-learned potentials know them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zeroflux.calculator import Calculator as Calculator
    from zeroflux.frames import Frame as Frame
    from zeroflux.grids import UniformGrid as UniformGrid
    from zeroflux.labels import BasinTerms as BasinTerms
    from zeroflux.labels import Label as Label
    from zeroflux.partition import Partition as Partition
    from zeroflux.partition import basins as basins

# Imported on first use, so that `zeroflux --help` answers at once and JAX stays optional.
_HOMES = {
    "BasinTerms": "labels",
    "Calculator": "calculator",
    "Frame": "frames",
    "Label": "labels",
    "Partition": "partition",
    "UniformGrid": "grids",
    "basins": "partition",
}
__all__ = ["BasinTerms", "Calculator", "Frame", "Label", "Partition", "UniformGrid", "basins"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("zeroflux")
    if name in _HOMES:
        return getattr(import_module(f"zeroflux.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'zeroflux' has no attribute {name!r}")
