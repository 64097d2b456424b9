"""What every stage shares: skip if current, lock, run, write the manifest last."""

from __future__ import annotations

import errno
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from zeroflux.artifacts.atomic import cannot_write, make_folder
from zeroflux.artifacts.manifest import (
    NAME,
    Manifest,
    file_hash,
    hashes,
    machine_description,
    package_versions,
    stale_reason,
    utc_now,
    write_manifest,
)
from zeroflux.config import Config
from zeroflux.errors import ArtifactError

logger = logging.getLogger(__name__)

_HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)


@runtime_checkable
class Progress(Protocol):
    """Shows how far a piece of work is."""

    def __call__(self, what: str, n_done: int, n_total: int) -> None: ...


def silent(what: str, n_done: int, n_total: int) -> None:
    """No progress shown."""


@dataclass(frozen=True)
class Run:
    """A configuration, the directory of its artifacts, and how to speak to the user."""

    config: Config
    out: Path
    say: Callable[[str], None] = print
    progress: Progress = silent
    config_text: str | None = None
    """The configuration as a file, to be kept in the directory; None if it is there already."""
    is_forced: bool = False
    """Whether a directory with a run of another configuration may be taken over."""

    def folder(self, stage: str) -> Path:
        """Folder of a stage's artifact."""
        return self.out / stage


@dataclass(frozen=True)
class Stage:
    """One stage of the pipeline."""

    name: str
    help: str
    settings: Callable[[Config], dict[str, Any]]
    """The part of the configuration that its artifact depends on."""
    inputs: Callable[[Run], dict[str, Path]]
    """Files it reads, by a name that does not depend on where the run lies."""
    work: Callable[[Run, Path], Sequence[Path]]
    """Does the work in a folder and returns the files it is responsible for."""
    seed: Callable[[Config], int | None] = lambda config: None
    remedy: str = "Run the earlier stages first: zeroflux run CONFIG --out {out}"
    """What to do if an input is missing."""


@dataclass(frozen=True)
class StageState:
    """Whether a stage is done."""

    name: str
    is_current: bool
    remark: str


def state(stage: Stage, run: Run) -> StageState:
    """Whether a stage's artifact fits the configuration and its inputs."""
    inputs = stage.inputs(run)
    missing = [name for name, path in inputs.items() if not path.exists()]
    if missing:
        return StageState(stage.name, False, f"waits for {', '.join(missing)}")
    reason = stale_reason(
        run.folder(stage.name),
        config=stage.settings(run.config),
        inputs={name: file_hash(path) for name, path in inputs.items()},
    )
    return StageState(stage.name, reason is None, reason or "done")


def run_stage(stage: Stage, run: Run) -> bool:
    """Do one stage unless its artifact is current; returns whether there was work.

    The caller holds the directory; see `lock`.

    Raises
    ------
    ArtifactError
        If an input is missing.
    """
    inputs = stage.inputs(run)
    for name, path in inputs.items():
        if not path.exists():
            raise ArtifactError(
                f"Stage {stage.name} needs {name}, expected at {path}, but it is not there. "
                + stage.remedy.format(out=run.out)
            )
    folder = run.folder(stage.name)
    make_folder(folder)
    settings = stage.settings(run.config)
    input_hashes = {name: file_hash(path) for name, path in inputs.items()}
    reason = stale_reason(folder, config=settings, inputs=input_hashes)
    if reason is None:
        run.say(f"{stage.name}: already done, skipped")
        return False
    run.say(f"{stage.name}: {stage.help[0].lower() + stage.help[1:]} ({reason})")
    (folder / NAME).unlink(missing_ok=True)
    started, clock = utc_now(), time.perf_counter()
    outputs = stage.work(run, folder)
    write_manifest(
        folder,
        Manifest(
            stage=stage.name,
            config=settings,
            inputs=input_hashes,
            outputs=hashes(folder, outputs),
            seed=stage.seed(run.config),
            versions=package_versions(),
            machine=machine_description(),
            started=started,
            wall_s=round(time.perf_counter() - clock, 2),
        ),
    )
    return True


@contextmanager
def lock(out: Path) -> Iterator[None]:
    """Hold a run directory for this process; the system frees it if the process dies."""
    try:
        import fcntl
    except ImportError:  # no such locks on Windows: single files stay atomic there
        yield
        return
    path = make_folder(out) / ".lock"
    try:
        handle = path.open("a+")
    except OSError as error:
        raise cannot_write(path, error) from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _HELD:
                raise ArtifactError(
                    f"{out} is in use by another zeroflux process; expected to be the only one. "
                    "Wait for it, or give another directory with --out."
                ) from error
            # Lustre without -o flock, some NFS: nothing is wrong but that nobody can be kept out.
            logger.warning(
                "%s: the file system has no locks (%s); going on without. Start no second process "
                "on this directory.",
                out,
                error.strerror,
            )
        yield


def empty_folder(folder: Path) -> Path:
    """An empty folder in place of whatever was there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
