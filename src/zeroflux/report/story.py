"""What the page tells, in its order: the question, one figure, a section a question."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zeroflux.report.chart import Chart
from zeroflux.report.colours import PHASES
from zeroflux.report.data import ReportData
from zeroflux.report.headlines import (
    Headline,
    emergence,
    evidence,
    headlines,
    locality,
    size_effect,
)
from zeroflux.units import MILLIELECTRONVOLT

PAPER = "arXiv:2403.00377"
FINDINGS = ("error-by-size", "local-parity", "shortcut-overview", "component-correlation")
"""Charts that can carry the finding, the first that the data allow."""
MAX_CARDS = 3


@dataclass(frozen=True)
class Section:
    """One question with its figure, two lines, and what stands behind it."""

    name: str
    question: str
    text: str
    figures: tuple[str, ...]
    """The first that the data allow is shown, the others go behind the details."""
    charts: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    n_panels: int = 2
    """Panels of the figure that are shown; the details have them all."""


def question(data: ReportData) -> str:
    """What was asked, of what, with what, in one sentence."""
    systems = _listed(s for s in data.systems if not any(phase in s for phase in PHASES))
    if data.networks:
        n = len(data.networks)
        smaller = ", and do smaller ones find it better" if data.cells else ""
        return (
            f"Do {n:,} neural potentials, trained on total energies alone, find the energy that "
            "the quantum theory of atoms in molecules (QTAIM) gives each atom of "
            f"{systems}{smaller}, "
            f"as {PAPER} has it?"
        )
    if data.models:
        return (
            f"How well do the per-atom energies of {len(data.models)} models of {systems} agree "
            f"with those of the quantum theory of atoms in molecules (QTAIM), the question of "
            f"{PAPER}?"
        )
    return (
        f"What energy does the quantum theory of atoms in molecules (QTAIM) give each atom of "
        f"{systems or 'no system yet'}, and can it be had from total energies, as {PAPER} has it?"
    )


def theory(data: ReportData) -> str:
    """Functional and dispersion of the labels as words, where all agree."""
    found = {
        (str(label.info.get("functional", "")), str(label.info.get("dispersion", "")))
        for label in data.labels
    }
    if len(found) != 1:
        return ""
    functional, dispersion = found.pop()
    if not functional:
        return ""
    more = {"d3bj": " with D3 dispersion", "none": "", "": ""}.get(
        dispersion, f" with {dispersion}"
    )
    return f"density functional theory (functional {functional}{more})"


def _listed(names: Iterable[str]) -> str:
    """Names with commas and an and."""
    given = list(dict.fromkeys(names))
    return " and ".join([*([", ".join(given[:-1])] if len(given) > 1 else []), *given[-1:]])


def cards(data: ReportData) -> list[Headline]:
    """The verdicts first; without claims, what was found."""
    found = headlines(data)
    return list(found[: max(MAX_CARDS, len(data.claims))])


def finding(charts: Iterable[Chart]) -> str:
    """Name of the chart that carries the finding; empty if there is none."""
    names = {chart.name for chart in charts}
    return next((name for name in FINDINGS if name in names), "")


def sections(data: ReportData) -> tuple[Section, ...]:
    """The questions in order; what the data do not hold is left out later."""
    return (
        Section(
            "atoms",
            "Do networks find the energies of atoms?",
            _found(data),
            ("error-ladder", "local-parity"),
            ("local-parity", "total-parity"),
            ("achieved", "achieved-by-system", "local-energies", "total-energies"),
            n_panels=4,
        ),
        Section(
            "size",
            "Do smaller networks find them better?",
            _size(data),
            ("size-slopes", "error-against-size"),
            ("error-against-size", "learning-curve"),
            ("size-effect",),
        ),
        Section(
            "transfer",
            "Does a better decomposition help elsewhere?",
            _transfer(data),
            ("transfer-correlation", "fidelity-transfer", "transfer-matrix", "dimer-curves"),
            ("fidelity-transfer", "transfer-matrix", "dimer-curves"),
            ("transfer-correlations", "transfer-totals", "transfer-local", "checkpoints"),
        ),
        Section(
            "why",
            "What do totals leave open?",
            "Many ways to share a total among atoms give the same total. Networks that differ by "
            "nothing but their random start show how wide that freedom is.",
            ("seed-ambiguity", "error-by-rigidity", "receptive-fields"),
            ("seed-ambiguity", "error-by-rigidity", "receptive-fields"),
            ("seed-ambiguity-table", "receptive-radius"),
        ),
        Section(
            "shortcut",
            "Can the energies be had without basins?",
            " ".join(
                text
                for text in (
                    "The shortcut: a component of the energy, scaled by slopes that are fitted on "
                    "totals, stands in for the whole of each atom.",
                    _shortcut(data),
                    _local(data),
                )
                if text
            ),
            ("shortcut-overview", "component-correlation"),
            ("component-correlation", "shortcut-errors", "shortcut-parity"),
            ("shortcuts", "slopes", "locality"),
        ),
        Section(
            "labels",
            "How good are the labels?",
            evidence(data).sentence,
            ("label-quality",),
            ("radial-distribution", "sampling-energy"),
            ("noise-floors",),
        ),
    )


def _found(data: ReportData) -> str:
    """What the best models leave, of what there is to find."""
    found = emergence(data)
    if found is None:
        return ""
    spreads = [s.spread / MILLIELECTRONVOLT for m in data.main_networks for s in m.home_scores]
    return (
        f"The best models leave a local error of {found.outcome}, of a spread of {_range(spreads)} "
        "meV. Spread: standard deviation of the basin energies, the error of knowing nothing."
    )


def _size(data: ReportData) -> str:
    """The mean slope in words."""
    found = size_effect(data)
    return "" if found is None else f"{found.sentence} The local error {_verb(found.outcome)}."


def _verb(outcome: str) -> str:
    return "shows no clear trend" if outcome == "no clear trend" else outcome


def _transfer(data: ReportData) -> str:
    """What transfer is, and what was found."""
    meaning = (
        "Transfer: the error of total energies on systems unlike those trained on, such as other "
        "densities, crystals, clusters and pairs of atoms."
    )
    found = [
        f"{sentence.partition(';')[0]}." if ";" in sentence else sentence
        for claim, item in zip(data.claims, headlines(data), strict=False)
        if claim.effect == "fidelity_transfer" and (sentence := item.sentence)
    ]
    return " ".join([*found, meaning])


def _shortcut(data: ReportData) -> str:
    """Errors of the best shortcuts of each system's own."""
    own = [s for c in data.shortcuts if c.is_out_of_fold and c.results for s in c.best.scores]
    if not own:
        return ""
    errors = [s.rmse.value / MILLIELECTRONVOLT for s in own]
    spreads = [s.spread / MILLIELECTRONVOLT for s in own]
    return f"It leaves {_range(errors)} meV of a spread of {_range(spreads)} meV."


def _range(values: list[float]) -> str:
    """Smallest to largest."""
    low, high = f"{min(values):.1f}", f"{max(values):.1f}"
    return low if low == high else f"{low} to {high}"


def _local(data: ReportData) -> str:
    """Whether basin energies are local, and what that means."""
    found = locality(data)
    if found is None:
        return ""
    return (
        "Basin energies are local, that is, near neighbours fix them: a linear model of the "
        f"neighbours' distances finds them with a correlation of {found.outcome}."
    )
