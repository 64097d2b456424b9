"""What a calculation's folder holds: the density, and what belongs to it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zeroflux.errors import ConfigError

_PACKED = ("", ".gz", ".xz", ".bz2")
_DENSITIES = (
    ("VASP", re.compile(r"(CHGCAR|vaspwave\.h5)(\.gz|\.xz|\.bz2)?")),
    ("CP2K", re.compile(r".*ELECTRON_DENSITY.*\.cube(\.gz|\.xz|\.bz2)?")),
    ("cube or XSF", re.compile(r".*\.(cube|cub|xsf)(\.gz|\.xz|\.bz2)?", re.IGNORECASE)),
)
_SPIN = re.compile(r"spin|magn", re.IGNORECASE)
"""In the order in which they are looked for; a CP2K run also writes cubes of other fields."""


@dataclass(frozen=True)
class Found:
    """What is divided, and by which reference."""

    density: str
    """File of the density."""
    reference: tuple[str, ...]
    """Densities whose sum defines the basins; none means the density itself."""
    spin: str | None
    """Spin density, where it has a file of its own."""
    words: str
    """What was taken, in one line; empty if it is what was named and nothing more."""


@dataclass(frozen=True)
class FoundAll:
    """The same of several densities."""

    densities: list[str]
    reference: tuple[str, ...]
    """Of several densities names, which are looked for beside each."""
    spin: str | None
    words: str


def find_all(given: Sequence[str], *, is_reference_given: bool) -> FoundAll:
    """What belongs to each of several densities; the spin density of an only one.

    Raises
    ------
    ConfigError
        If a folder has no density, or several; or if some densities have a reference beside them
        and others have none, or one of another name, and the caller gives none.
    """
    if len(given) == 1:
        one = find_inputs(given[0])
        return FoundAll([one.density], one.reference, one.spin, one.words)
    densities, names = [], []
    for text in given:
        path = Path(text)
        density = _density_of(path) if _is_folder(path) else path
        densities.append(str(density) if _is_folder(path) else text)
        names.append(tuple(p.name for p in _reference_of(density)))
    if is_reference_given:
        return FoundAll(densities, (), None, "")
    if len(set(names)) > 1:
        odd = next(d for d, own in zip(densities, names, strict=True) if own != names[0])
        raise ConfigError(
            f"Found {' + '.join(names[0]) or 'no reference'} beside {densities[0]}, but not beside "
            f"{odd}; expected the same for all densities. Name --reference, or `none`."
        )
    reference = names[0] if names else ()
    words = f"found reference {' + '.join(reference)} beside each density" if reference else ""
    return FoundAll(densities, reference, None, words)


def find_inputs(given: str) -> Found:
    """The density of a folder, or a named one, with the all-electron densities beside it.

    A folder's density is its CHGCAR, else vaspwave.h5, CP2K's ``ELECTRON_DENSITY`` cube, or the
    only cube or XSF file. AECCAR0 and AECCAR2 (VASP's core and valence density, LAECHG) beside a
    CHGCAR or vaspwave.h5 are its reference. CP2K's ``SPIN_DENSITY`` cube of the same step, or the
    only cube or XSF file beside the density if it has "spin" or "magn" in its name, gives moments.
    The readers find POTCAR and vaspout.h5 themselves.

    Raises
    ------
    ConfigError
        If a folder has no density, or several.
    """
    path = Path(given)
    is_folder = _is_folder(path)
    density = _density_of(path) if is_folder else path
    reference = _reference_of(density)
    spin = _spin_of(density)
    parts = [str(density)] if is_folder else []
    if reference:
        parts.append(f"reference {' + '.join(p.name for p in reference)}")
    if spin:
        parts.append(f"spin density {spin.name}")
    beside = [name for name in ("POTCAR", "POTCAR.gz") if density.with_name(name).is_file()]
    if parts and beside:
        parts.append(beside[0])
    return Found(
        density=str(density) if is_folder else given,
        reference=tuple(map(str, reference)),
        spin=str(spin) if spin else None,
        words=f"found {', '.join(parts)}" if parts else "",
    )


def _is_folder(path: Path) -> bool:
    """Whether a path is a folder and no Zarr store."""
    return path.is_dir() and not any((path / m).exists() for m in ("zarr.json", ".zgroup"))


def _density_of(folder: Path) -> Path:
    files = sorted(p for p in folder.iterdir() if p.is_file() and not _SPIN.search(p.name))
    for kind, pattern in _DENSITIES:
        found = [p for p in files if pattern.fullmatch(p.name)]
        if len(found) > 1 and kind != "VASP":
            raise ConfigError(
                f"{folder}: found {len(found)} files that may be the density ("
                f"{', '.join(p.name for p in found[:5])}); expected one. Name the file."
            )
        if found:
            return found[0]
    raise ConfigError(
        f"{folder}: found no density; expected CHGCAR, vaspwave.h5, a cube or an XSF file. Name "
        "the file, or have the program write it."
    )


def _reference_of(density: Path) -> Sequence[Path]:
    """AECCAR0 and AECCAR2 beside VASP's density, if both are there and not empty."""
    if not _DENSITIES[0][1].fullmatch(density.name):
        return ()
    parts = []
    for name in ("AECCAR0", "AECCAR2"):
        there = [density.with_name(name + packed) for packed in _PACKED]
        there = [p for p in there if p.is_file() and p.stat().st_size]
        if not there:
            return ()
        parts.append(there[0])
    return parts


def _spin_of(density: Path) -> Path | None:
    """The spin density of a cube or XSF file, if one lies beside it that can be no other's."""
    cube = _DENSITIES[2][1]
    if not cube.fullmatch(density.name) or _SPIN.search(density.name) or not density.is_file():
        return None
    if "ELECTRON_DENSITY" in density.name:
        spin = density.with_name(density.name.replace("ELECTRON_DENSITY", "SPIN_DENSITY"))
        return spin if spin.is_file() else None
    beside = [p for p in density.parent.iterdir() if cube.fullmatch(p.name)]
    spins = [p for p in beside if _SPIN.search(p.name) and p.is_file()]
    is_only = len(beside) - len(spins) == 1 and len(spins) == 1
    return spins[0] if is_only else None
