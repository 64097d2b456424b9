"""Text files as lines and long runs of numbers, decompressed on the way."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import cast

import numpy as np
from jaxtyping import Float

from zeroflux.errors import FileFormatError, RepairWarning, printable
from zeroflux.volumetric import _kernels as kernels
from zeroflux.volumetric.header import real

CHUNK = 1 << 21
"""Bytes parsed at a time and per thread: more than a line, less than the cache."""
LONGEST_TOKEN = 4096
LONGEST_LINE = 1 << 16
MOST_BLANK_LINES = 1000
"""Blank lines and remarks in a row, and for each number `LONGEST_TOKEN` bytes: a little gzip
unfolds to gigabytes of blanks, and nobody writes them."""
ByteStream = io.RawIOBase | io.BufferedIOBase
_DECOMPRESSORS = {b"\x1f\x8b": gzip.GzipFile, b"\xfd7zXZ\x00": lzma.LZMAFile, b"BZh": bz2.BZ2File}
READ_ERRORS = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError)


def open_decompressed(path: Path) -> ByteStream:
    """Open a plain, gzip, xz or bzip2 file; the contents decide, not the name.

    Raises
    ------
    FileFormatError
        If the file cannot be opened or is empty.
    """
    try:
        with path.open("rb") as plain:
            magic = plain.read(6)
        if not magic:
            raise FileFormatError(
                f"{path}:1: the file is empty; expected volumetric data. Was the calculation "
                "interrupted, or the disk full?"
            )
        for prefix, opener in _DECOMPRESSORS.items():
            if magic.startswith(prefix):
                return cast("ByteStream", opener(path, "rb"))
        return path.open("rb", buffering=0)
    except OSError as error:
        raise FileFormatError(
            f"{path}: cannot be opened ({error.strerror or error}); expected a file with "
            "volumetric data. Check the path."
        ) from error


class TextSource:
    """A text file read from front to back, either line by line or number by number.

    ``line`` is the number of the line that is read next; errors name it. Memory is one buffer of
    a few megabytes, however long the file is.
    """

    def __init__(self, path: Path, *, n_threads: int = 1) -> None:
        self.path = path
        self.line = 1
        self.n_threads = max(1, n_threads)
        self._stream = open_decompressed(path)
        # A plain file of B bytes cannot hold more than B/2 numbers; a compressed one may.
        is_plain = isinstance(self._stream, io.FileIO)
        self._size = path.stat().st_size if is_plain else None
        self._buffer = np.empty(CHUNK * self.n_threads + 1, dtype=np.uint8)
        self._scratch = [np.empty(0)] * self.n_threads  # kept: fresh memory costs page faults
        self._start = self._stop = 0
        self._at_end = False
        self._n_read = self._n_blank_lines = 0

    def __enter__(self) -> TextSource:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.close()

    def error(self, message: str, *, line: int | None = None) -> FileFormatError:
        """Error whose message starts with ``path:line``; by default the line just read."""
        return FileFormatError(
            f"{self.path}:{max(1, self.line - 1) if line is None else line}: {message}"
        )

    def readline(self) -> str | None:
        """Next line without its end, or None at the end of the file."""
        while True:
            held = self._buffer[self._start : self._stop]
            newline = held[:128].tobytes().find(b"\n")  # most lines are short
            if newline < 0:
                newline = held[:LONGEST_LINE].tobytes().find(b"\n")
            if newline < 0 and held.size >= LONGEST_LINE:
                raise self.error(
                    f"a line is longer than {LONGEST_LINE} bytes; expected a text file with short "
                    "header lines. Is this a binary file?",
                    line=self.line,
                )
            if newline < 0 and not self._at_end:
                self._fill()
                continue
            if newline < 0 and not held.size:
                return None
            stop = self._start + newline if newline >= 0 else self._stop
            text = self._buffer[self._start : stop].tobytes().decode("utf-8", errors="replace")
            self._start = min(stop + 1, self._stop)
            self.line += 1
            is_empty = not text.strip() or text.startswith("#")
            self._n_blank_lines = self._n_blank_lines + 1 if is_empty else 0
            if self._n_blank_lines > MOST_BLANK_LINES:
                raise self._too_many_blanks()
            return text.rstrip("\r")

    def expect_line(self, what: str) -> str:
        """Next line.

        Raises
        ------
        FileFormatError
            If the file ends here.
        """
        line = self.readline()
        if line is None:
            raise self.error(
                f"the file ends where {what} should stand. It is truncated: write it again.",
                line=self.line,
            )
        return line

    def numbers(
        self, n_values: int, *, what: str, out: Float[np.ndarray, " n"] | None = None
    ) -> Float[np.ndarray, " n"]:
        """Next ``n_values`` numbers, wherever lines break.

        Fortran's forms are read too: ``1.0D-10`` and ``1.0-100``. Exactly rounded.

        Raises
        ------
        FileFormatError
            If the file ends before, or a token is not a finite number.

        Warns
        -----
        RepairWarning
            If the file may have lost digits of its last number.
        """
        values = self.allocate(n_values, what) if out is None else out
        n_done, n_read = 0, self._n_read
        with ThreadPoolExecutor(self.n_threads) as pool:
            while n_done < n_values:
                stop = self._whole_tokens()
                if self._n_read - n_read > 2 * len(self._buffer) + LONGEST_TOKEN * n_done:
                    raise self._too_many_blanks()
                if stop == self._start:
                    raise self.error(
                        f"the file ends after {n_done} of {n_values} numbers ({what}). It is "
                        "truncated, or its header announces another grid: write it again.",
                        line=self.line,
                    )
                n_done += self._parse(stop, values[n_done:n_values], pool)
        self._warn_of_cut()
        return values

    def expect_end(self) -> None:
        """Refuse anything but white space up to the end of the file.

        Raises
        ------
        FileFormatError
            If something is left.
        """
        while (line := self.readline()) is not None:
            if line.strip():
                raise self.error(
                    f"found '{_shorten(line)}' after the last value; expected the end of the file. "
                    "The header announces fewer values than there are: check the grid's shape."
                )

    def _warn_of_cut(self) -> None:
        """Warn if the last number touches the end of the file and is shorter than its neighbour.

        The count is right then, but digits may be missing, which nothing else would show.
        """
        if not self._at_end or self._start < self._stop:
            return
        tail = self._buffer[max(0, self._stop - LONGEST_TOKEN) : self._stop].tobytes().split()
        lengths = [len(token.lstrip(b"+-")) for token in tail[-2:]]
        if len(lengths) == 2 and lengths[1] < lengths[0]:
            token = tail[-1].decode("latin-1")
            warnings.warn(
                f"{self.path}:{self.line}: the file ends in its last number, '{_shorten(token)}', "
                "without a line end; expected digits as in the other numbers. It may be truncated: "
                "compare with the original.",
                RepairWarning,
                stacklevel=2,
            )

    def _too_many_blanks(self) -> FileFormatError:
        return self.error(
            "found blank lines or remarks without end; expected numbers or a keyword. The file "
            "is damaged: copy it again."
        )

    def allocate(self, n_values: int, what: str) -> np.ndarray:
        if self._size is not None and 2 * n_values > self._size + 1:
            raise self.error(
                f"the header announces {n_values} numbers ({what}), but the file has only "
                f"{self._size} bytes. It is truncated, or the header is wrong: write it again."
            )
        try:
            return np.empty(n_values)
        except (MemoryError, ValueError) as error:
            raise self.error(
                f"the header announces {n_values} numbers ({what}), more than memory holds. "
                "Check the header."
            ) from error

    def _fill(self) -> None:
        """Move what is left to the front of the buffer and read behind it."""
        n_held = self._stop - self._start
        self._buffer[:n_held] = self._buffer[self._start : self._stop].copy()
        self._start, self._stop = 0, n_held
        try:
            while self._stop < len(self._buffer) - 1:
                room = self._buffer[self._stop : -1].data
                n_read = self._stream.readinto(room)
                if not n_read:
                    self._at_end = True
                    break
                self._stop += n_read
                self._n_read += n_read
        except READ_ERRORS as error:
            raise self.error(
                f"cannot be read further ({error}); expected a complete file. It is damaged or "
                "truncated: copy it again.",
                line=self.line,
            ) from error
        self._buffer[self._stop] = 10  # the parser may look one byte ahead

    def _whole_tokens(self) -> int:
        """Fill up if little is left; end of the part of the buffer that ends between tokens."""
        if not self._at_end and self._stop - self._start <= LONGEST_TOKEN:
            self._fill()
        if self._at_end:
            return self._stop
        return self._boundary(self._stop, lowest=self._start)

    def _boundary(self, stop: int, *, lowest: int) -> int:
        """The last place up to stop that follows white space."""
        tail = self._buffer[max(lowest, stop - LONGEST_TOKEN) : stop].tobytes()
        last = max(tail.rfind(blank) for blank in (b" ", b"\n", b"\t", b"\r", b"\v", b"\f"))
        if last < 0:
            raise self.error(
                f"found {len(tail)} bytes without a blank among the numbers; expected numbers "
                "separated by blanks. Is the file damaged?",
                line=self.line,
            )
        return stop - len(tail) + last + 1

    def _parse(self, stop: int, values: np.ndarray, pool: ThreadPoolExecutor) -> int:
        """Parse the buffer up to stop into values, on all threads; the number of values."""
        if self.n_threads == 1 or stop - self._start < 1 << 16:
            return self._parse_here(stop, values)
        cuts = np.linspace(self._start, stop, self.n_threads + 1).astype(int).tolist()
        edges = [cuts[0], *(self._boundary(c, lowest=self._start) for c in cuts[1:-1]), cuts[-1]]
        parts = list(pool.map(self._parse_apart, range(self.n_threads), edges[:-1], edges[1:]))
        n_done = 0
        for edge, (found, n_lines, status) in zip(edges[1:], parts, strict=True):
            if status != kernels.DONE or n_done + len(found) > len(values):
                return n_done + self._parse_here(edge, values[n_done:])
            values[n_done : n_done + len(found)] = found
            n_done += len(found)
            self.line += n_lines
            self._start = edge
        return n_done

    def _parse_apart(self, thread: int, start: int, stop: int) -> tuple[np.ndarray, int, int]:
        values = self._scratch[thread]
        if len(values) < (stop - start + 1) // 2:  # as many numbers as there may be
            values = self._scratch[thread] = np.empty((stop - start + 1) // 2)
        n, _, n_lines, status = kernels.parse_numbers(
            self._buffer, start, stop, values, values.view(np.uint64), len(values)
        )
        return values[:n], n_lines, status

    def _parse_here(self, stop: int, values: np.ndarray) -> int:
        n_done = 0
        while True:
            rest = values[n_done:]
            n, self._start, n_lines, status = kernels.parse_numbers(
                self._buffer, self._start, stop, rest, rest.view(np.uint64), len(rest)
            )
            n_done += n
            self.line += n_lines
            if status == kernels.DONE:
                return n_done
            token = self._token(stop)
            if status != kernels.NEEDS_PYTHON:
                raise self.error(_COMPLAINTS[status].format(_shorten(token)), line=self.line)
            values[n_done] = real(token)
            n_done += 1
            self._start += len(token)

    def _token(self, stop: int) -> str:
        text = self._buffer[self._start : stop].tobytes()[:LONGEST_TOKEN]
        return (text.split(maxsplit=1) or [b""])[0].decode("latin-1")


_COMPLAINTS = {
    kernels.NOT_A_NUMBER: "found '{}'; expected a number. The file is damaged, or its header "
    "announces more values than there are: write it again.",
    kernels.OVERFLOW: "found '{}', which no double precision number can hold; expected a finite "
    "number. Write the field again.",
    kernels.NOT_FINITE: "found '{}'; expected a finite number. The calculation that wrote it "
    "failed: repeat it.",
    kernels.STARS: "found '{}': a number too wide for its Fortran format; expected a number. "
    "Write the field again with a wider format or smaller values.",
}


def _shorten(text: str, n: int = 40) -> str:
    text = text.strip()
    return printable(text[:n]) + ("..." if len(text) > n else "")
