"""Ending early: SIGINT and SIGTERM end a command within seconds and leave nothing behind."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

EXIT_STATUS = 130
"""What shells give for a command that Ctrl-C ended."""
MESSAGE = "interrupted; what is finished is kept, run again to go on"
GRACE_S = 2.0
"""Time that the orderly way out may take before the process leaves by the short one (s)."""
PATIENCE_S = 0.8
"""Time that a child process has between SIGTERM and SIGKILL (s)."""
SIGNALS = (signal.SIGINT, signal.SIGTERM)

_PART = re.compile(r"\.(?:(\d+)-.+|.+\.(\d+)\.(?:part|tmp|npz))")
"""Names of files that are being written; they hold the number of the writing process."""

# Signals belong to the whole process, and so does what has to be cleaned up after one.
_folders: list[tuple[Path, bool]] = []
_ended: set[int] = set()
_shields: list[None] = []
_waiting: list[int] = []


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn the first SIGINT or SIGTERM into `KeyboardInterrupt`, and end with status 130.

    Compiled code may not return to Python for minutes. A thread therefore watches, too: two
    seconds after the signal it ends all child processes and this one. More signals change nothing.

    Raises
    ------
    SystemExit
        With status 130, after one line on stderr, if the interruption was no signal.
    """
    watch = _Watch()
    try:
        with watch.installed():
            yield
    except (KeyboardInterrupt, SystemExit) as end:
        # typer makes a SystemExit of a KeyboardInterrupt
        if isinstance(end, SystemExit) and end.code != EXIT_STATUS and not watch.is_signalled:
            raise
    except BaseException:  # whatever a library made of it
        if not watch.is_signalled:
            raise
    else:
        if not watch.is_signalled:
            return
    watch.say()
    if watch.is_signalled:
        # What is left of it, such as the ranks of an ended mpirun; but not who frees semaphores.
        tracker = getattr(resource_tracker, "_resource_tracker", None)
        kill(set(watch.family) - {getattr(tracker, "_pid", None)})
        # Python's own way out may crash under compiled threads (XLA), join what hangs, or end by
        # SIGINT instead of with a status.
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        os._exit(EXIT_STATUS)
    sys.exit(EXIT_STATUS)


class _Watch:
    """Handlers of the signals, and the thread that sees to it that they have their effect."""

    def __init__(self) -> None:
        self.is_signalled = False
        self.family: list[int] = []
        self._is_said = False

    @contextmanager
    def installed(self) -> Iterator[None]:
        # Signals are the main thread's; Windows has no others than Python's own Ctrl-C.
        if os.name != "posix" or threading.current_thread() is not threading.main_thread():
            yield
            return
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        # A signal that is ignored from outside (background jobs of a script) stays ignored.
        numbers = [n for n in SIGNALS if signal.getsignal(n) is not signal.SIG_IGN]
        before = {n: signal.signal(n, self._handle) for n in numbers}
        descriptor = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        thread = threading.Thread(target=self._wait, args=(reading,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            signal.set_wakeup_fd(descriptor)
            for n in numbers:
                signal.signal(n, signal.SIG_IGN if self.is_signalled else before[n])
            os.close(writing)
            if not self.is_signalled:
                thread.join()  # the closed pipe ends it

    def say(self) -> None:
        """Print the line, once."""
        if not self._is_said:
            self._is_said = True
            with suppress(OSError, ValueError):
                print(MESSAGE, file=sys.stderr, flush=True)  # noqa: T201  the command's output

    def _handle(self, number: int, frame: Any) -> None:
        if self.is_signalled:
            return
        self.is_signalled = True
        self.family = descendants(os.getpid())
        quieten()
        if _shields:
            _waiting.append(number)
        else:
            raise KeyboardInterrupt

    def _wait(self, reading: int) -> None:
        while number := os.read(reading, 1):
            if number[0] in SIGNALS:
                time.sleep(GRACE_S)
                self._leave()
        os.close(reading)

    def _leave(self) -> None:
        """End here and now; another thread is in code that cannot be interrupted."""
        children = descendants(os.getpid())
        kill(children)
        _ended.update(children)
        for folder, is_deep in _folders:
            remove_parts(folder, is_deep=is_deep)
        if not self._is_said:
            # Not by sys.stderr, whose lock another thread may hold; shows the cursor again.
            clear = "\r\x1b[2K\x1b[?25h" if os.isatty(2) else ""
            with suppress(OSError):
                os.write(2, f"{clear}{MESSAGE}\n".encode())
        os._exit(EXIT_STATUS)


def quieten() -> None:
    """Say nothing more of what fails because the process ends."""
    logging.disable(logging.CRITICAL)
    sys.unraisablehook = lambda unraisable: None
    threading.excepthook = lambda args: None


@contextmanager
def shielded_children() -> Iterator[None]:
    """Processes and threads started within this context do not see SIGINT.

    A terminal sends Ctrl-C to all processes of a command; only the first one decides what to do.
    Signals are blocked, not ignored: none that arrives here is lost, and children inherit it. What
    `interruptible` raises waits, too, so that no process is left half started.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    _shields.append(None)
    resource_tracker.ensure_running()  # else it would be started below, and lift the block
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        _shields.pop()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if _waiting:
        _waiting.clear()
        raise KeyboardInterrupt


def end_processes(processes: Iterable[BaseProcess]) -> None:
    """End child processes and all that they started: by SIGTERM, then by SIGKILL."""
    processes = [p for p in processes if p.is_alive()]
    family = [pid for p in processes if p.pid for pid in descendants(p.pid)]
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + PATIENCE_S
    left = [p.sentinel for p in processes]
    while left and (time_left := deadline - time.monotonic()) > 0:
        gone = wait(left, time_left)
        left = [sentinel for sentinel in left if sentinel not in gone]
    for process in processes:
        process.kill()
    kill(family)
    note_ended(processes)


def note_ended(processes: Iterable[BaseProcess]) -> None:
    """Remember processes that did not end by themselves: their files are not complete."""
    _ended.update(p.pid for p in processes if p.pid)


def descendants(pid: int) -> list[int]:
    """Processes that a process started, and those that they started; none without ``/proc``."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found = [pid]
    for one in found:  # grows meanwhile
        found += children.get(one, [])
    return found[1:]


def kill(pids: Iterable[int]) -> None:
    """End processes at once, those that are there."""
    for pid in pids:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)


@contextmanager
def working_folder(folder: Path, *, is_deep: bool = True) -> Iterator[None]:
    """Remove incomplete files of this process and its ended workers from a folder afterwards.

    ``is_deep``: from the folders in it, too.
    """
    entry = (Path(folder), is_deep)
    _folders.append(entry)
    try:
        yield
    except BaseException:
        remove_parts(folder, is_deep=is_deep)
        raise
    else:
        if _ended:
            remove_parts(folder, is_deep=is_deep)
    finally:
        _folders.remove(entry)


def remove_parts(folder: Path, *, is_deep: bool = True) -> None:
    """Remove files that this process or an ended worker has begun and not finished."""
    writers = {os.getpid(), *_ended}
    paths: list[Path] = []
    with suppress(OSError):  # the folder may be gone
        paths = list(Path(folder).glob("**/.*" if is_deep else ".*"))
    for path in paths:
        match = _PART.fullmatch(path.name)
        if match and int(match[1] or match[2]) in writers:
            if path.is_dir():
                import shutil  # slow to import, and seldom needed

                shutil.rmtree(path, ignore_errors=True)
            else:
                with suppress(OSError):
                    path.unlink()
