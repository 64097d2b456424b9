"""QTAIM atomic energies of liquids, and how well machine-learned potentials know them."""

from importlib.metadata import version

from zeroflux.frames import Frame as Frame
from zeroflux.grids import UniformGrid as UniformGrid
from zeroflux.labels import BasinTerms as BasinTerms
from zeroflux.labels import Label as Label

__version__ = version("zeroflux")
