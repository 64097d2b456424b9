"""``zeroflux label``: a stage of a run, or QTAIM energies of structures without a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from zeroflux.commands.stages import Force, WithUpstream, do_stages

if TYPE_CHECKING:
    from zeroflux.config import LabelConfig

CONFIG_SUFFIXES = (".yaml", ".yml")


def label_command(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG|STRUCTURE",
            help="Configuration of a run (.yaml), or structures to label: any file ASE reads.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="PATH",
            help="Run directory; for structures the extended XYZ file of the labels.",
            show_default="runs/NAME OF CONFIG; NAME_labels.extxyz",
        ),
    ] = None,
    structures: Annotated[
        Path | None,
        typer.Option(help="Label these structures by the settings of CONFIG, outside a run."),
    ] = None,
    cutoff: Annotated[
        float | None,
        typer.Option(help="STRUCTURE: cutoff of the density (hartree).", show_default="by element"),
    ] = None,
    functional: Annotated[
        str | None,
        typer.Option(help="STRUCTURE: semilocal functional, a libxc name.", show_default="PBE"),
    ] = None,
    basis: Annotated[
        str | None, typer.Option(help="STRUCTURE: basis set.", show_default="by element")
    ] = None,
    dispersion: Annotated[
        Literal["d3bj", "d3bj-atm", "none"] | None,
        typer.Option(help="STRUCTURE: dispersion.", show_default="d3bj"),
    ] = None,
    forces: Annotated[bool, typer.Option("--forces", help="STRUCTURE: forces too.")] = False,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="STRUCTURE: processes.", show_default="one for each core"),
    ] = None,
    force: Force = False,
    with_upstream: WithUpstream = False,
) -> None:
    """Label configurations with density functional theory and basin energies."""
    given = {
        "density_cutoff_hartree": cutoff,
        "functional": functional,
        "basis": basis,
        "dispersion": dispersion,
        "forces": forces or None,
        "workers": {"n_workers": workers} if workers else None,
    }
    given = {key: value for key, value in given.items() if value is not None}
    is_config = source.suffix in CONFIG_SUFFIXES
    if is_config and given:
        raise typer.BadParameter(
            f"{source} is a configuration and has the settings; expected a structure with options "
            "that belong to one. Set them in the file."
        )
    if is_config and structures is None:
        do_stages(source, out, "label", force=force, with_upstream=with_upstream)
        return
    from zeroflux.config import LabelConfig

    if is_config:
        from zeroflux.config_file import load_config

        _label(load_config(source).label, structures or source, out)
    else:
        _label(LabelConfig.model_validate(given), source, out)


def _label(settings: LabelConfig, structures: Path, out: Path | None) -> None:
    from zeroflux.interruption import working_folder
    from zeroflux.run_directory import label_file
    from zeroflux.terminal import shown_progress

    beside = (out or structures).parent
    with shown_progress() as (say, progress), working_folder(beside, is_deep=False):
        label_file(settings, structures, out, say=say, progress=progress)
