"""From files of densities to basins: one frame after the other, resumable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from zeroflux.analysis.frame_report import FrameReport
    from zeroflux.analysis.inputs import DensitySource, FieldSpec
    from zeroflux.frames import Frame
    from zeroflux.volumetric import VolumetricData

MethodName = Literal["weight", "neargrid", "ongrid"]


@dataclass(frozen=True)
class BasinSettings:
    """What applies to all frames of one run."""

    integrate: tuple[FieldSpec, ...] = ()
    reference: tuple[FieldSpec, ...] = ()
    method: MethodName = "weight"
    cell: str | None = None
    atoms: Path | None = None
    symbols: tuple[str, ...] | None = None
    electrons: float | None = None
    valence: tuple[tuple[str, float], ...] = ()
    coarse_check: bool = False
    allow_empty: bool = False
    vacuum: float | None = None
    keep_owners: bool = False


def run_basins(
    densities: Sequence[str | Path | VolumetricData],
    *,
    integrate: Sequence[str] = (),
    reference: Sequence[str] | None = None,
    method: MethodName = "weight",
    n_threads: int = 1,
    cell: str | None = None,
    atoms: Path | None = None,
    symbols: Sequence[str] | None = None,
    electrons: float | None = None,
    valence: Mapping[str, float] | None = None,
    coarse_check: bool = False,
    allow_empty: bool = False,
    vacuum: float | None = None,
    keep_owners: bool = False,
    output: Path | None = None,
    save_labels: Path | None = None,
    restart: bool = True,
    on_found: Callable[[str], object] | None = None,
    on_frame: Callable[[FrameReport, int, bool], None] | None = None,
) -> list[FrameReport]:
    """Divide the densities of one or many files into basins and integrate fields over them.

    Parameters
    ----------
    densities
        Files, ``FILE[::DATASET][@UNIT]``; HDF5 and Zarr files with many frames count as many.
        Folders of calculations (`zeroflux.analysis.found`). Densities in memory.
    integrate
        Fields, ``[NAME=]FILE[::DATASET][@UNIT]``; for which file serves which frame see
        `zeroflux.analysis.inputs.FieldSpec`.
    reference
        Fields whose sum defines the basins, such as AECCAR0 and AECCAR2. By default those that lie
        beside each CHGCAR; an empty sequence takes the density itself.
    method, n_threads
        As of `zeroflux.partition.basins`.
    cell
        Structure file or numbers (ångström) with the cell that a file rounds or lacks.
    atoms
        Structure with the nuclei: one for all frames, or one for each.
    symbols
        Elements of a VASP 4 file.
    electrons
        Scale the cell so that the density integrates to this number.
    valence
        Valence electrons of each element, from which net charges are counted.
    coarse_check
        Report the change when only every second point is used.
    allow_empty
        Accept atoms without a maximum, whose basins are empty. Otherwise a single density is
        refused, and a frame of several is flagged and its numbers are unknown.
    vacuum
        Density (e/Å³) below which a point belongs to no atom; its charge and volume are reported
        apart. None leaves nothing out.
    keep_owners
        Keep the atom of each point in the reports, for pictures; a page as output needs it.
    output
        Table of all atoms, .csv, .json or .extxyz; of one frame also ACF.dat, or a page (.html).
    save_labels
        Owner of each point, .npy, .npz or .cube; ``{frame}`` or ``{stem}`` for many frames.
    restart
        Skip frames that a journal beside the output lists as finished.
    on_found
        Called with a line that says which files were found.
    on_frame
        Called with each report, the number of frames and whether it came from the journal.

    Raises
    ------
    ZerofluxError
        If a file or an option cannot be used.
    """
    from zeroflux.analysis.found import find_all
    from zeroflux.analysis.inputs import FieldSpec, expand_densities
    from zeroflux.analysis.journal import Journal
    from zeroflux.analysis.outputs import check_output, label_path, write_table

    if all(isinstance(one, (str, Path)) for one in densities):
        found = find_all([str(one) for one in densities], is_reference_given=reference is not None)
        densities = found.densities
        is_taken = reference is None
        reference = found.reference if reference is None else reference
        if found.spin and not any(str(one).startswith("moment=") for one in integrate):
            integrate = [*integrate, f"moment={found.spin}@1/bohr^3"]
        if found.words and on_found and (is_taken or "reference" not in found.words):
            on_found(found.words)
    settings = BasinSettings(
        integrate=tuple(FieldSpec.parse(text) for text in integrate),
        reference=tuple(FieldSpec.parse(text) for text in reference or ()),
        method=method,
        cell=cell,
        atoms=atoms,
        symbols=tuple(symbols) if symbols else None,
        electrons=electrons,
        valence=tuple(sorted((valence or {}).items())),
        coarse_check=coarse_check,
        allow_empty=allow_empty,
        vacuum=vacuum,
        keep_owners=keep_owners or (output is not None and output.suffix == ".html"),
    )
    sources = expand_densities(densities)
    if output:
        check_output(output, n_frames=len(sources))
    is_only = len(sources) == 1
    journal = Journal(output) if output and restart and not is_only else None
    given = _given_frames(atoms, len(sources))
    reports = []
    for number, source in enumerate(sources):
        labels = None
        if save_labels:
            stem = source.path.name.partition(".")[0]
            labels = label_path(save_labels, stem=stem, number=number, is_only=is_only)
        key = _key(source, settings, number, is_only=is_only) if journal else ""
        report = journal.find(key) if journal and (not labels or labels.exists()) else None
        is_old = report is not None
        if report is None:
            report = _one_frame(
                source,
                settings,
                number=number,
                is_only=is_only,
                n_threads=n_threads,
                atoms=given[number] if given else None,
                labels=labels,
            )
            if journal:
                journal.add(key, report)
        reports.append(report)
        if on_frame:
            on_frame(report, len(sources), is_old)
    if output:
        write_table(output, reports)
    return reports


def _given_frames(path: Path | None, n_frames: int) -> list[Frame] | None:
    """Atoms of a structure file, one configuration for each frame."""
    if path is None:
        return None
    from zeroflux.analysis.inputs import read_frames
    from zeroflux.errors import FileFormatError

    frames = list(read_frames(path))
    if len(frames) not in (1, n_frames):
        raise FileFormatError(
            f"{path}: found {len(frames)} configurations for {n_frames} densities; expected one, "
            "or one for each. Check --atoms."
        )
    return frames if len(frames) == n_frames else frames * n_frames


def _key(source: DensitySource, settings: BasinSettings, number: int, *, is_only: bool) -> str:
    """Fingerprint of everything that the frame's numbers depend on."""
    from zeroflux.analysis.journal import frame_key
    from zeroflux.volumetric.potcar import find_potcar

    files = [source.path]
    for spec in (*settings.integrate, *settings.reference):
        files.append(Path(spec.of(source, is_only=is_only).partition("::")[0]))
    # what the readers look for beside the density
    beside = [find_potcar(source.path)]
    beside += [source.path.with_name("vaspout.h5")] if source.path.suffix == ".h5" else []
    files += [p for p in beside if p and p.is_file()]
    files += [p for p in (settings.atoms, Path(settings.cell or "")) if p and p.is_file()]
    files = [f for f in files if f.exists()]  # a missing one is refused when it is read
    return frame_key(files, (source, settings, number))


def _one_frame(
    source: DensitySource,
    settings: BasinSettings,
    *,
    number: int,
    is_only: bool,
    n_threads: int,
    atoms: Frame | None,
    labels: Path | None,
) -> FrameReport:
    """Read, check, partition and integrate one frame."""
    import warnings
    from dataclasses import replace
    from functools import partial

    from zeroflux.analysis.inputs import frame_on_grid, moment_readers, read_cell, read_field
    from zeroflux.analysis.integrate import check_reference, flagged_frame, report_frame
    from zeroflux.analysis.outputs import write_labels
    from zeroflux.errors import EmptyBasinError, RepairWarning
    from zeroflux.volumetric import (
        electron_count,
        find_valence,
        read_volumetric,
        with_cell,
        with_electron_count,
    )
    from zeroflux.volumetric.cells import check_density, rounding_complaint
    from zeroflux.volumetric.electrons import charges_hint, judge_count
    from zeroflux.volumetric.windows import (
        check_window,
        distinct_atoms,
        plane_remark,
        repeated_axes,
        without_planes,
    )

    cell = read_cell(settings.cell) if settings.cell else None
    if cell is None and atoms is not None:
        cell = (
            atoms.cell if source.path.suffix in (".npy", ".npz", ".h5", ".hdf5", ".zarr") else None
        )
    read = partial(
        read_field,
        frame_index=source.frame_index,
        n_threads=n_threads,
        cell=cell,
        symbols=settings.symbols,
    )
    what = f"{source.path}::{source.dataset}" if source.dataset else str(source.path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = source.data or read(what, unit=source.unit)
        axes = repeated_axes(data)
        if axes:
            warnings.warn(plane_remark(data, axes), RepairWarning, stacklevel=1)
            data = without_planes(data, axes)
        if cell is not None:
            data = with_cell(data, cell)
        if settings.electrons is not None:
            data = with_electron_count(data, settings.electrons)
        frame = frame_on_grid(data, atoms)
        check_density(data, cores=frame if settings.reference else None)
        data, frame, left_out = distinct_atoms(data, frame)
        n_electrons = electron_count(data)
        cut = check_window(data, frame)
        valence = find_valence(
            data, frame, n_electrons=n_electrons, given=dict(settings.valence) or None
        )
        n_valence = None if valence is None else float(valence.charges.sum())
        is_said = settings.electrons is not None  # and held against the count already
        doubt = None if is_said else judge_count(data, frame, n_valence=n_valence)
    remarks = [str(w.message) for w in caught]
    is_sharp = valence is None or valence.source == "atomic numbers"  # cusps are never exact
    complaint = rounding_complaint(data, None if is_sharp else n_valence)
    if doubt is not None and complaint is not None and "do not explain" in complaint:
        complaint = None  # the doubt says more
    remarks += [text for text in (left_out, cut, doubt, complaint) if text]

    def read_more(what: str, unit: str) -> VolumetricData:
        """A further field, mended as the density was."""
        other = read(what, unit=unit)
        if axes:
            other = without_planes(other, axes)
        return other if left_out is None else replace(other, frame=None)

    moments = moment_readers(
        data, what, partial(read_volumetric, n_threads=n_threads, symbols=settings.symbols)
    )
    fields = {
        spec.name: partial(read_more, spec.of(source, is_only=is_only), spec.unit)
        for spec in settings.integrate
    }
    if len(fields) < len(settings.integrate):
        from zeroflux.errors import ConfigError

        raise ConfigError(
            f"Found two fields of one name among {[s.name for s in settings.integrate]}; expected "
            "different ones. Name them: --integrate NAME=FILE."
        )
    fields |= {name: moment for name, moment in moments.items() if name not in fields}
    reference = None
    if settings.reference:
        parts = [
            read_more(spec.of(source, is_only=is_only), spec.unit) for spec in settings.reference
        ]
        reference = check_reference(data, parts)
    record = {
        "method": settings.method,
        "valence": valence,
        "source": source.label,
        "number": number,
    }
    try:
        return report_frame(
            data,
            frame,
            fields=fields,
            reference=reference,
            n_threads=n_threads,
            coarse_check=settings.coarse_check,
            allow_empty=settings.allow_empty,
            vacuum=settings.vacuum,
            remarks=remarks,
            charges_hint=None if valence else charges_hint(frame, n_electrons),
            keep_owners=settings.keep_owners,
            on_partition=partial(write_labels, labels) if labels else None,
            **record,
        )
    except EmptyBasinError as error:
        if is_only:
            raise
        return flagged_frame(data, frame, remarks=[f"Not divided: {error}", *remarks], **record)
