"""Finished frames of a trajectory, kept on disk: an interrupted run goes on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from zeroflux.analysis.frame_report import SCHEMA, FrameReport


class Journal:
    """Finished frames of a trajectory, one JSON line each, beside the output.

    A line is appended when its frame is done and flushed to the disk. A process killed in between
    leaves at most one incomplete last line, which is dropped when the journal is read again.
    """

    def __init__(self, output: Path) -> None:
        self.path = output.with_name(output.name + ".journal.jsonl")
        self._done: dict[str, dict[str, Any]] = {}
        if self.path.is_file():
            for line in self.path.read_text().splitlines():
                try:
                    entry = json.loads(line)
                    self._done[entry["key"]] = entry["report"]
                except (ValueError, KeyError, TypeError):
                    continue  # cut off by an interruption; the frame is computed again

    def find(self, key: str) -> FrameReport | None:
        """The finished frame of this key, if there is one."""
        record = self._done.get(key)
        return None if record is None else FrameReport.from_dict(record)

    def add(self, key: str, report: FrameReport) -> None:
        """Remember a finished frame on disk."""
        record = report.to_dict()
        self._done[key] = record
        line = json.dumps({"key": key, "report": record}, allow_nan=False)
        with self.path.open("a+b") as stream:
            # an incomplete last line must not swallow this one
            stream.seek(0, os.SEEK_END)
            if stream.tell():
                stream.seek(-1, os.SEEK_END)
                if stream.read(1) != b"\n":
                    stream.write(b"\n")
            stream.write(line.encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())


def frame_key(files: Iterable[Path], settings: object) -> str:
    """Fingerprint of a frame: its files with size and time of change, and all settings."""
    from zeroflux import __version__

    stamp = []
    for path in files:
        status = path.stat()
        stamp.append((str(path.absolute()), status.st_size, status.st_mtime_ns))
    text = repr((SCHEMA, __version__, stamp, settings))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
