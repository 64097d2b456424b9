"""Run directories: made from a configuration, opened again, and labels outside of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from zeroflux.config import Config, LabelConfig
from zeroflux.config_file import load_config
from zeroflux.errors import ArtifactError, ConfigError
from zeroflux.stages.keep import CONFIG
from zeroflux.stages.label import FRAMES, engine_of, label_all, say_closure, symbols_of
from zeroflux.stages.machinery import Progress, Run
from zeroflux.stages.sample import STRUCTURES, read_structures


def new_run(
    config: Path,
    out: Path | None,
    *,
    say: Callable[[str], None],
    progress: Progress,
    is_forced: bool = False,
) -> Run:
    """Run of a configuration file in a directory, which will keep a copy of the file.

    Nothing is written before `zeroflux.stages.run_stages` holds the directory.
    """
    loaded = load_config(config)
    folder = out or Path("runs") / config.stem
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; expected a directory for the artifacts (--out).")
    text = config.read_text(encoding="utf-8")
    # The copy lies elsewhere: relative paths in it have to stay right.
    text = _with_absolute_paths(text, loaded) or text
    return Run(loaded, folder, say=say, progress=progress, config_text=text, is_forced=is_forced)


def _with_absolute_paths(text: str, config: Config) -> str | None:
    """The configuration with absolute paths, or None if it names no files."""
    import yaml

    tree = yaml.safe_load(text)
    if config.sample is not None and config.sample.from_file is not None:
        tree["sample"]["from_file"] = str(config.sample.from_file.resolve())
    elif config.data is not None:
        tree["data"]["files"] = {k: str(p.resolve()) for k, p in config.data.files.items()}
    elif not config.label.reuse:
        return None
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


def export_labels(folder: Path, target: Path, *, update: bool = False) -> int:
    """Write the labels that a run has finished, complete or not, to one file; their number.

    Parameters
    ----------
    folder
        Directory of the run.
    target
        File to write.
    update
        Keep labels that the file holds of configurations which the run has not finished, such as
        those without forces while a run that adds forces goes on.

    Raises
    ------
    ArtifactError
        If there is no run, or no label is finished.
    """
    from zeroflux.artifacts.extxyz import read_labels, write_labels
    from zeroflux.labelling.keys import content_key
    from zeroflux.labelling.run import label_paths

    _check_name(target)
    run = open_run(folder)
    source = run.folder("sample") / STRUCTURES
    frames = [frame for frame, _ in read_structures(source)] if source.exists() else []
    settings = run.config.label
    paths = label_paths(
        frames,
        engine_of(settings, symbols=symbols_of(frames)),
        run.folder("label") / FRAMES,
        settings.partition,
        settings.dispersion,
    )
    labels = [label for path in paths if path.exists() for label in read_labels(path)]
    if not labels:
        raise ArtifactError(
            f"{folder} holds no finished label of its {len(frames)} configurations; expected at "
            "least one. Label them first: zeroflux label CONFIG --out RUN_DIR"
        )
    if update and target.exists():
        known = {content_key(label.frame, {}): label for label in read_labels(target)}
        known |= {content_key(label.frame, {}): label for label in labels}
        order = [key for frame in frames if (key := content_key(frame, {})) in known]
        labels = [known[key] for key in dict.fromkeys([*order, *known])]
    write_labels(target, labels)
    return len(labels)


def label_file(
    settings: LabelConfig,
    structures: Path,
    out: Path | None,
    *,
    say: Callable[[str], None],
    progress: Progress,
) -> Path:
    """Label structures outside a run directory.

    While it works, finished labels are in a folder ``NAME.frames`` beside the result, so that an
    interrupted call goes on; labels that the result holds already are not computed again.
    """
    target = out or structures.with_name(f"{structures.stem}_labels.extxyz")
    _check_name(target)
    frames = read_structures(structures)
    if target.exists():
        settings = settings.model_copy(update={"reuse": [*settings.reuse, target]})
    parts = target.with_name(f"{target.name}.frames")
    is_whole = False
    try:
        labels = label_all(frames, settings, folder=parts / FRAMES, out=target, progress=progress)
        is_whole = not settings.keep_orbitals
    finally:
        if is_whole or not any(parts.glob("*/*")):
            shutil.rmtree(parts, ignore_errors=True)
    failed = sum(not label.is_converged for label in labels)
    say(f"{target}: {len(labels)} labels" + (f", {failed} not converged" if failed else ""))
    say_closure(labels, say)
    return target


def _check_name(target: Path) -> None:
    endings = (".extxyz", ".xyz", ".extxyz.gz", ".extxyz.xz")
    if not target.name.endswith(endings):
        raise ConfigError(
            f"Labels would be written to {target}; expected a name that ends in one of "
            f"{', '.join(endings)}."
        )
