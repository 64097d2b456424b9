"""The pseudopotentials of a VASP calculation: element and charge of each group of atoms.

References
----------
VASP manual, "POTCAR" (https://www.vasp.at/wiki).
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path

from ase.data import atomic_numbers as NUMBER_OF_SYMBOL

from zeroflux.errors import FileFormatError
from zeroflux.volumetric.text import READ_ERRORS, open_decompressed

NAMES = ("POTCAR", "POTCAR.gz", "POTCAR.xz", "POTCAR.bz2")
LARGEST_SIZE = 1 << 28
"""Bytes of a POTCAR, unpacked; the entry of one element has about 2e5."""


@dataclass(frozen=True)
class PotcarEntry:
    """One pseudopotential; two entries of one element may have different charges."""

    symbol: str
    """Element, without suffixes such as ``_pv``."""
    valence: float | None
    """ZVAL, the charge of the ion (e), if the file has it."""


def find_potcar(path: Path) -> Path | None:
    """The POTCAR beside a file, plain or compressed, if there is one that is not empty."""
    found = (path.with_name(name) for name in NAMES)
    return next((p for p in found if p.is_file() and p.stat().st_size), None)


def read_potcar(path: Path) -> tuple[PotcarEntry, ...]:
    """Entries of a POTCAR, in its order, which is that of the groups of atoms; none if it has none.

    Raises
    ------
    FileFormatError
        If the file is damaged, or an entry has no element.
    """
    entries: list[PotcarEntry] = []
    n_read = 0
    try:
        with io.BufferedReader(open_decompressed(path), 1 << 20) as stream:  # type: ignore[arg-type]
            while line := stream.readline(1 << 16):
                n_read += len(line)
                if n_read > LARGEST_SIZE:
                    raise FileFormatError(
                        f"{path}: found more than {LARGEST_SIZE >> 20} MiB; expected a POTCAR. "
                        "Remove or rename the file."
                    )
                if title := re.search(rb"TITEL\s*=\s*\S+\s+(\S+)", line):
                    symbol = re.split(r"[_./\d]", title[1].decode("latin-1"))[0]
                    entries.append(PotcarEntry(symbol, None))
                if (valence := re.search(rb"ZVAL\s*=\s*([0-9]+\.?[0-9]*)", line)) and entries:
                    entries[-1] = PotcarEntry(entries[-1].symbol, float(valence[1]))
    except READ_ERRORS as error:
        raise FileFormatError(
            f"{path}: cannot be read ({error}); expected a complete POTCAR. Copy it again."
        ) from error
    unknown = [e.symbol for e in entries if not NUMBER_OF_SYMBOL.get(e.symbol, 0) > 0]
    if unknown:
        raise FileFormatError(
            f"{path}: found a pseudopotential of '{unknown[0][:40]}'; expected a chemical symbol "
            "(TITEL). Copy the file again, or remove it."
        )
    return tuple(entries)
