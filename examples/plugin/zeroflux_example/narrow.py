"""An architecture: a frozen dataclass with the members of `registry.Architecture`."""

from dataclasses import dataclass
from typing import ClassVar

from zeroflux.potentials.bpnn import BehlerParrinello


@dataclass(frozen=True)
class Narrow(BehlerParrinello):
    """Behler and Parrinello's perceptron with three hidden layers in place of two."""

    name: ClassVar[str] = "narrow"
    depth: int = 3
