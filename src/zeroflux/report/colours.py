"""One colour for each system, species, architecture and size, on every page and in every file."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Tint:
    """A colour on a light and on a dark ground, and the symbol that goes with it."""

    light: str
    dark: str
    symbol: str = "circle"


SYMBOLS = ("circle", "square", "diamond", "triangle", "cross")

# Blue, vermilion, green and pink are Okabe and Ito's, told apart under all common forms of colour
# blindness. A symbol goes with each, so that colour is never the only cue.
KNOWN = {
    "argon": Tint("#0072B2", "#56B4E9"),
    "krypton": Tint("#D55E00", "#FF8A3D", "square"),
    "mixture": Tint("#009E73", "#35C9A0", "diamond"),
    "pure": Tint("#B0508C", "#E6A3C8", "triangle"),
    "everything": Tint("#4B535B", "#B4BCC5", "cross"),
    "Ar": Tint("#0072B2", "#56B4E9"),
    "Kr": Tint("#D55E00", "#FF8A3D", "square"),
    "mixture Ar": Tint("#4A9FD8", "#9AD1F5", "diamond"),
    "mixture Kr": Tint("#D08A00", "#F2B84B", "triangle"),
    "bpnn": Tint("#6F4FA8", "#B79CED"),
    "schnet": Tint("#0F8A8A", "#4FD0CF", "square"),
    "painn": Tint("#B0324B", "#F0788D", "diamond"),
    "pair": Tint("#8A6D2F", "#CFB577", "triangle"),
    "linear": Tint("#6B6B6B", "#BDBDBD", "cross"),
    "reference": Tint("#1C1F23", "#E8EAEC"),
    "criterion": Tint("#A84300", "#FF9F5C"),
    "baseline": Tint("#7A7F86", "#9AA2AB"),
}
SIZES = tuple(
    Tint(light, dark, symbol)
    for light, dark, symbol in zip(
        ("#C9A227", "#6FA83B", "#1F9E89", "#31688E", "#46317E"),
        ("#FDE725", "#9BD94F", "#2DB8A0", "#6AA7D6", "#B39DEB"),
        SYMBOLS,
        strict=True,
    )
)
"""Tints of about 30, 300, … 300,000 parameters, an order that survives greyscale."""
SPARE = (
    *(KNOWN[name] for name in ("argon", "krypton", "mixture", "pure", "everything")),
    *(KNOWN[name] for name in ("bpnn", "schnet", "painn", "pair", "mixture Kr")),
)
"""Tints of names that nobody foresaw, taken in order."""
ELEMENTS = {"Ar": "argon", "Kr": "krypton"}
PHASES = {"fcc": "square", "hcp": "diamond", "cluster": "triangle", "dimer": "cross"}


def size_key(n_parameters: int) -> str:
    """Key of the tint of a number of parameters."""
    return f"size {n_parameters}"


def tints(keys: Iterable[str]) -> dict[str, Tint]:
    """Tint of each key; the same keys in the same order give the same tints.

    A system of another phase, such as ``argon fcc``, has its liquid's colour and a symbol of its
    own; a pure system's species, such as ``argon Ar``, has the system's.
    """
    found: dict[str, Tint] = {}
    spare = iter(SPARE)
    for key in dict.fromkeys(keys):
        tint = _foreseen(key)
        if tint is None:
            tint = next(spare, None)
            if tint is None:
                spare = iter(SPARE)
                tint = next(spare)
        found[key] = tint
    return found


def _foreseen(key: str) -> Tint | None:
    """Tint of a name of the study; None for any other."""
    if key in KNOWN:
        return KNOWN[key]
    if key.startswith("size "):
        decade = round(math.log10(max(int(key[5:]), 1)) - 1.5)
        return SIZES[min(max(decade, 0), len(SIZES) - 1)]
    base, _, species = key.rpartition(" ")
    if ELEMENTS.get(species) == base.partition(" ")[0]:
        return _foreseen(base)
    words = key.split()
    name = next((word for word in words if word in KNOWN), None)
    if name is None:
        return None
    hue = KNOWN.get(f"{name} {species}", KNOWN[name])
    symbol = next((PHASES[word] for word in words if word in PHASES), hue.symbol)
    return Tint(hue.light, hue.dark, symbol)
