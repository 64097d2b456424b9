"""Files that hold fields on a grid."""

from zeroflux.volumetric.cells import electron_count as electron_count
from zeroflux.volumetric.cells import with_cell as with_cell
from zeroflux.volumetric.cells import with_electron_count as with_electron_count
from zeroflux.volumetric.data import UNITS as UNITS
from zeroflux.volumetric.data import VolumetricData as VolumetricData
from zeroflux.volumetric.data import check_same_grid as check_same_grid
from zeroflux.volumetric.registry import read_volumetric as read_volumetric
from zeroflux.volumetric.registry import write_volumetric as write_volumetric
from zeroflux.volumetric.valence import Valence as Valence
from zeroflux.volumetric.valence import find_valence as find_valence
