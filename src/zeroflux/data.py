"""The open data set that comes with the package: labelled pools by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeroflux.errors import ArtifactError

if TYPE_CHECKING:
    from zeroflux.labels import Label
    from zeroflux.sampling import PairBenchmark

LICENCE = "CC-BY-4.0"
"""Licence of the data; the code has its own."""
ENDING = ".extxyz.xz"
SETTINGS = (
    *("label_version", "engine", "engine_version", "functional", "basis", "pseudopotential"),
    *("density_cutoff_hartree", "dispersion", "partition"),
)
"""What a label's header says of how it was made."""


@dataclass(frozen=True)
class Pool:
    """What one file of the data set holds."""

    name: str
    path: Path
    n_configurations: int
    n_atoms: int
    """Atoms of all configurations together: per-atom energies."""
    compositions: dict[str, int]
    """Configurations of each system and composition, such as ``argon: Ar17``."""
    temperatures: tuple[float, float] | None
    """Lowest and highest sampling temperature (K), if there was one."""
    settings: dict[str, tuple[Any, ...]]
    """Values that occur of each setting; one each in a sound pool."""
    largest_closure: float
    """Largest closure residual per atom (hartree)."""


def folder() -> Path:
    """Folder of the data: inside the installed package, or of the repository it runs from.

    Raises
    ------
    ArtifactError
        If there is none.
    """
    for found in (Path(__file__).with_name("_data"), Path(__file__).parents[2] / "data"):
        if any(found.glob(f"*{ENDING}")):
            return found
    raise ArtifactError(
        f"The data set is not beside {Path(__file__).parent}; expected it in an installed package "
        "or a clone of the repository. Install zeroflux again."
    )


def card() -> Path:
    """The data card: settings, noise floors, provenance."""
    return folder() / "README.md"


def names() -> tuple[str, ...]:
    """Names of the pools: first those of the set itself, then ``version3/argon`` and the like."""
    root = folder()
    found = (*root.glob(f"*{ENDING}"), *root.glob(f"version*/*{ENDING}"))
    relative = (path.relative_to(root).as_posix().removesuffix(ENDING) for path in found)
    return tuple(sorted(relative, key=lambda name: ("/" in name, name)))


def path(name: str) -> Path:
    """File of a pool.

    Raises
    ------
    ArtifactError
        If there is no pool of that name.
    """
    found = folder() / f"{name}{ENDING}"
    if not found.exists():
        raise ArtifactError(
            f"The data set has no pool '{name}'; expected one of {', '.join(names())}. "
            "See `zeroflux data list`."
        )
    return found


def load(*pools: str) -> list[Label]:
    """Labels of one or more pools, one pool after the other.

    Raises
    ------
    ArtifactError
        If there is no pool of a name.
    """
    from zeroflux.artifacts.extxyz import read_labels

    return [label for name in pools for label in read_labels(path(name))]


def file_or_pool(given: Path, *, folder: Path | None = None) -> Path:
    """The file itself if there is one, else the pool of the data set of that name.

    A relative path starts at ``folder``, by default the working directory. A file in the way,
    ``./argon``, is taken before the pool ``argon``; so with ``version3/argon``.

    Raises
    ------
    ArtifactError
        If a mere name is neither.
    """
    file = given if folder is None else folder / given
    if file.exists() or given.suffix:
        return file
    is_name = len(given.parts) == 1 or given.as_posix() in names()
    return path(given.as_posix()) if is_name else file


def describe(name: str) -> Pool:
    """What a pool holds, read from the headers of its frames."""
    labels = load(name)
    heat = [float(x.info["temperature_kelvin"]) for x in labels if "temperature_kelvin" in x.info]
    return Pool(
        name=name,
        path=path(name),
        n_configurations=len(labels),
        n_atoms=sum(label.n_atoms for label in labels),
        compositions=dict(Counter(map(_composition, labels))),
        temperatures=(min(heat), max(heat)) if heat else None,
        settings={
            key: tuple(dict.fromkeys(x.info[key] for x in labels if key in x.info))
            for key in SETTINGS
        },
        largest_closure=max(abs(x.closure) / x.n_atoms for x in labels),
    )


def contents(name: str) -> tuple[int, int, dict[str, int]]:
    """Configurations and atoms of a pool, and configurations of each composition.

    From the headers alone, for a list of all pools; `describe` reads and checks the labels.
    """
    from ase import Atoms

    from zeroflux.artifacts.extxyz import read_headers

    frames = read_headers(path(name))
    compositions = Counter(
        f"{header.get('system', '-'.join(sorted(elements)))}: "
        + Atoms("".join(f"{s}{n}" for s, n in elements.items())).get_chemical_formula()
        for elements, header in frames
    )
    n_atoms = sum(elements.total() for elements, _ in frames)
    return len(frames), n_atoms, dict(compositions)


def pair_data(pools: Sequence[str] = ("argon",), *, n_frames_each: int, seed: int) -> PairBenchmark:
    """The known-answer data set: liquids whose site energies are those of a pair potential.

    Made on the fly, in any amount, at the state points of the named pools; see
    `zeroflux.sampling.pair_benchmark`.

    Parameters
    ----------
    pools
        Pools whose state points are sampled.
    n_frames_each
        Configurations of each state point.
    seed
        Seed of all random numbers.

    Raises
    ------
    ArtifactError
        If there is no pool of a name, or it was not sampled at state points (clusters, solids).
    """
    from zeroflux.sampling import StatePoint, pair_benchmark

    points: dict[tuple[Any, ...], StatePoint] = {}
    for label in load(*pools):
        if "density_per_angstrom3" not in label.info:
            raise ArtifactError(
                f"Among {', '.join(pools)} are configurations without a state point; expected "
                "liquids. Leave out solids, clusters and dimers."
            )
        composition = dict(Counter(label.frame.to_ase().get_chemical_symbols()))
        heat = float(label.info["temperature_kelvin"])
        density = float(label.info["density_per_angstrom3"])
        key = (*sorted(composition.items()), heat, density)
        points.setdefault(key, StatePoint(composition, heat, density))
    return pair_benchmark([*points.values()], n_frames_each=n_frames_each, seed=seed)


def _composition(label: Label) -> str:
    from zeroflux.labels import system_name

    return f"{system_name(label)}: {label.frame.to_ase().get_chemical_formula()}"
