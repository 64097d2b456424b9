"""What would stop a run hours later, found before anything is computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from zeroflux.config import Config
from zeroflux.errors import EXTRAS, ConfigError, ZerofluxError, missing_extra
from zeroflux.frames import Frame

FEWEST_TO_TRAIN = 4
"""Labels of each system to train on, besides those to test on."""


def require_runnable(config: Config, *, has_labels: bool = False) -> None:
    """Refuse a configuration of which a stage cannot work, with all reasons found.

    Where the labels are there already, what only they need is not asked for.

    Raises
    ------
    ConfigError
        With a line for each reason.
    """
    found = list(problems(config, has_labels=has_labels))
    if found:
        raise ConfigError("\n".join(found))


def problems(config: Config, *, has_labels: bool = False) -> Iterator[str]:
    """What would make a stage fail: files, elements, settings of the engine, packages, counts."""
    needed = _packages(config, has_labels)
    yield from (str(missing_extra(p, EXTRAS[p])) for p in needed if not find_spec(p))
    if has_labels:
        return
    counts: Counter[str] = Counter()
    if config.sample is None:
        yield from _reasons(lambda: counts.update(_labels_in_pools(config)))
    else:
        frames: list[Frame] = []
        yield from _reasons(lambda: counts.update(_structures(config, frames)))
        yield from _label_problems(config, frames)
    yield from _too_few(config, counts)


def _reasons(check: Callable[[], Any]) -> Iterator[str]:
    """The error of a check, if there is one."""
    try:
        check()
    except ZerofluxError as error:
        yield str(error)


def _packages(config: Config, has_labels: bool) -> list[str]:
    """Optional packages that the stages of a configuration import."""
    packages: list[str] = []
    if config.sample is not None and not has_labels:
        packages += ["pyscf"] if config.label.engine == "pyscf" else []
        packages += ["dftd3"] if config.label.dispersion != "none" else []
        packages += ["distributed"] if config.label.workers.kind == "dask" else []
    if config.train is not None:
        packages += ["jax", "optax", "safetensors", "vesin", "jinja2"]
        packages += ["matplotlib"] if config.report.figures else []
        packages += ["distributed"] if config.train.workers.kind == "dask" else []
    return list(dict.fromkeys(packages))


def _structures(config: Config, frames: list[Frame]) -> Counter[str]:
    """Configurations of each system; the frames of a file are added to the list."""
    from zeroflux.stages.sample import read_structures

    assert config.sample is not None  # by the caller
    if config.sample.from_file is None:
        return Counter(
            {
                system.name: sum(point.n_configurations for point in system.state_points)
                for system in config.sample.systems
            }
        )
    structures = read_structures(config.sample.from_file)
    frames += [frame for frame, _ in structures]
    return Counter(str(info["system"]) for _, info in structures)


def _labels_in_pools(config: Config) -> Counter[str]:
    """Usable labels of each pool's systems."""
    from zeroflux.artifacts.extxyz import read_labels
    from zeroflux.labels import require_closed, system_name
    from zeroflux.stages.label import LABELS

    assert config.data is not None  # by the caller
    counts: Counter[str] = Counter()
    for pool, path in config.data.files.items():
        file = path / "label" / LABELS if path.is_dir() else path
        if not file.exists():
            raise ConfigError(
                f"{file}, the pool '{pool}' of data.files, is not there; expected a file of "
                "labels, a run directory or a name of `zeroflux data list`. Correct the path."
            )
        labels = read_labels(file)
        require_closed(labels, where=str(file))
        counts.update(f"{system_name(label)} of {pool}" for label in labels)
    return counts


def _label_problems(config: Config, frames: Sequence[Frame]) -> Iterator[str]:
    from zeroflux.labelling.elements import (
        check_elements,
        check_frames,
        check_overlaps,
        default_basis,
    )
    from zeroflux.labelling.gth_data import semilocal_parts
    from zeroflux.stages.label import symbols_of

    settings = config.label
    for path in settings.reuse:
        if not Path(path).exists():
            yield f"{path}, of label.reuse, is not there; expected a file of labels. Correct it."
    systems = config.sample.systems if config.sample else []
    sampled = {
        symbol
        for system in systems
        for point in system.state_points
        for symbol in point.composition
    }
    if find_spec("pyscf"):
        data = {
            "basis": settings.basis or default_basis(symbols_of(frames) if frames else sampled),
            "pseudopotential_name": settings.pseudopotential,
        }
        yield from _reasons(lambda: semilocal_parts(settings.functional))
        yield from _reasons(
            lambda: check_frames(frames, **data) if frames else check_elements(sampled, **data)
        )
    for frame in frames:
        found = list(_reasons(lambda frame=frame: check_overlaps(frame)))
        if found:
            yield found[0]
            break
    if settings.dispersion != "none" and find_spec("dftd3"):
        yield from _reasons(lambda: _check_dispersion(settings.functional))
    if settings.engine == "cp2k":
        from zeroflux.labelling.cp2k import Cp2kEngine

        yield from _reasons(Cp2kEngine(command=settings.cp2k_command)._program)


def _check_dispersion(functional: str) -> None:
    from dftd3.interface import RationalDampingParam

    try:
        RationalDampingParam(method=functional.lower())
    except (RuntimeError, TypeError) as error:
        raise ConfigError(
            f"Dispersion has no parameters for the functional '{functional}'; expected one such "
            "as PBE. Change `label.functional`, or set `label.dispersion` to none."
        ) from error


def _too_few(config: Config, counts: Counter[str]) -> Iterator[str]:
    from zeroflux.stages.correlate import compared_systems

    for system in compared_systems(list(counts.elements())):
        if counts[system] < 2:
            yield (
                f"System '{system}' has {counts[system]} configuration for "
                f"{config.correlate.n_folds} folds; expected at least 2. Give more configurations."
            )
    if config.train is None:
        return
    for system, n in counts.items():
        n_test = max(1, round(config.train.test_fraction * n))
        if config.data is None and n - n_test < FEWEST_TO_TRAIN:
            yield (
                f"System '{system}' has {n} configurations; expected at least {FEWEST_TO_TRAIN} to "
                f"train on besides {n_test} to test on. Give more configurations."
            )
