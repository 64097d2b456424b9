"""Run directories: made from a configuration, opened again, and labels outside of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from zeroflux.config import Config, load_config
from zeroflux.errors import ArtifactError, ConfigError
from zeroflux.stages.label import label_all
from zeroflux.stages.machinery import Progress, Run, replace_text
from zeroflux.stages.sample import read_structures

CONFIG = "config.yaml"


def new_run(
    config: Path,
    out: Path | None,
    *,
    say: Callable[[str], None],
    progress: Progress,
) -> Run:
    """Run of a configuration file in a directory, which keeps a copy of the file."""
    loaded = load_config(config)
    folder = out or Path("runs") / config.stem
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; expected a directory for the artifacts (--out).")
    folder.mkdir(parents=True, exist_ok=True)
    text = config.read_text(encoding="utf-8")
    kept = folder / CONFIG
    if loaded.sample.from_file is not None or loaded.label.reuse:
        # The copy lies elsewhere: relative paths in it have to stay right.
        text = _with_absolute_paths(text, loaded)
    if not kept.exists() or kept.read_text(encoding="utf-8") != text:
        replace_text(kept, text)
    return Run(config=loaded, out=folder, say=say, progress=progress)


def _with_absolute_paths(text: str, config: Config) -> str:
    import yaml

    tree = yaml.safe_load(text)
    if config.sample.from_file is not None:
        tree["sample"]["from_file"] = str(config.sample.from_file.resolve())
    if config.label.reuse:
        tree["label"]["reuse"] = [str(path.resolve()) for path in config.label.reuse]
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)


def open_run(folder: Path) -> Run:
    """Run that was started in a directory before.

    Raises
    ------
    ArtifactError
        If there is no run.
    """
    if not (folder / CONFIG).exists():
        raise ArtifactError(
            f"{folder} holds no {CONFIG}; expected a directory made by `zeroflux run`. Check the "
            "path."
        )
    return Run(config=load_config(folder / CONFIG), out=folder)


def label_file(
    config: Path,
    structures: Path,
    out: Path | None,
    *,
    say: Callable[[str], None],
    progress: Progress,
) -> Path:
    """Label structures outside a run directory; finished labels are kept beside the result."""
    settings = load_config(config).label
    target = out or structures.with_name(f"{structures.stem}_labels.extxyz")
    if not any(target.name.endswith(s) for s in (".extxyz", ".xyz", ".extxyz.gz", ".extxyz.xz")):
        raise ConfigError(
            f"--out names {target}; expected a file ending in .extxyz (or .extxyz.xz) for labels."
        )
    frames = read_structures(structures)
    parts = target.with_name(f".{target.name}.frames")
    labels = label_all(frames, settings, folder=parts, out=target, progress=progress)
    failed = sum(not label.is_converged for label in labels)
    say(f"{target}: {len(labels)} labels" + (f", {failed} not converged" if failed else ""))
    return target
