"""Stage label of a run on data that exist: pools of labels joined in one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from zeroflux.artifacts.extxyz import read_labels, write_labels
from zeroflux.config import OWN_POOL, Config
from zeroflux.errors import ConfigError
from zeroflux.labels import Label, mixed_settings, require_closed
from zeroflux.stages.label import LABELS
from zeroflux.stages.machinery import Run, Stage

POOL = "pool"
"""Key of a label's header that names its pool."""


def pools_of(labels: Sequence[Label]) -> dict[str, list[int]]:
    """Indices of the labels of each pool; labels of a run's own are one pool."""
    pools: dict[str, list[int]] = {}
    for k, label in enumerate(labels):
        pools.setdefault(str(label.info.get(POOL, OWN_POOL)), []).append(k)
    return pools


def _files(config: Config) -> Mapping[str, Path]:
    if config.data is None:
        raise ConfigError(
            "The configuration has no section `data`; expected one with `files` to gather labels "
            "from. Label the run's own configurations instead."
        )
    return {
        name: path / "label" / LABELS if path.is_dir() else path
        for name, path in config.data.files.items()
    }


def _work(run: Run, folder: Path) -> Sequence[Path]:
    labels: list[Label] = []
    for pool, path in _files(run.config).items():
        own = read_labels(path)
        if not own:
            raise ConfigError(
                f"{path} holds no converged label; expected some for the pool '{pool}'. Leave the "
                "pool out of data.files, or export it again."
            )
        require_closed(own, where=str(path))
        run.say(f"  {len(own)} labels of {pool}")
        labels += [replace(label, info={**label.info, POOL: pool}) for label in own]
    if mixed := mixed_settings(labels):
        run.say(
            f"  warning: the pools were not labelled alike ({mixed}); their totals have different "
            "zeros, and atoms of one are no reference for the other. Take pools of one version."
        )
    write_labels(folder / LABELS, labels)
    return [folder / LABELS]


GATHER = Stage(
    name="label",
    help="Gather labelled data",
    settings=lambda config: {"pools": list(_files(config))},
    inputs=lambda run: {f"pool '{name}'": path for name, path in _files(run.config).items()},
    work=_work,
    remedy="Correct data.files, or leave the pool out; pools are made with `zeroflux run` and "
    "`zeroflux export`.",
)
