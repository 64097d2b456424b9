"""Files that appear whole or not at all, also through a crash of the machine."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from zeroflux.errors import ArtifactError

_REMEDIES = {
    errno.ENOSPC: "Make room on the disk",
    errno.EDQUOT: "Make room in your quota",
    errno.EROFS: "Choose a directory that can be written to",
    errno.EACCES: "Choose a directory that can be written to",
    errno.EPERM: "Choose a directory that can be written to",
    errno.ENOTDIR: "Choose a directory; a file is in its place",
    errno.EEXIST: "Choose a directory; a file is in its place",
    errno.EISDIR: "Choose the name of a file; a directory is in its place",
    errno.EMFILE: "Allow more open files (ulimit -n)",
}


def cannot_write(path: Path, error: OSError) -> ArtifactError:
    """The one line for a file or directory that the system did not let us use."""
    remedy = _REMEDIES.get(error.errno or 0, "Look at the disk, the path and the permissions")
    return ArtifactError(
        f"{path}: cannot be used ({error.strerror or error}); expected a place to read and write. "
        f"{remedy}; what is finished is kept."
    )


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Name of a part file that takes the place of ``path`` when its writing went well.

    The data reach the disk before the name does, and the name before this returns.

    Raises
    ------
    ArtifactError
        If the system refuses; the part file is removed and the old file stays.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        with part.open("rb+") as handle:
            os.fsync(handle.fileno())
        part.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def replace_text(path: Path, text: str) -> Path:
    """Write a text file whole or not at all."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
    return path


def make_folder(path: Path) -> Path:
    """A directory and those above it, or one clear line why not."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error
    return path


def _sync_folder(folder: Path) -> None:
    """Bring the names in a directory to the disk, where the system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
