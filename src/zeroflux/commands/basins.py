"""``zeroflux basins``: Bader charges, volumes and integrals from files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zeroflux.analysis.run import MethodName


def basins_command(
    density: Annotated[
        list[str],
        typer.Argument(
            help="Densities: cube, CHGCAR, XSF, vaspwave.h5, .npy, .npz, HDF5, Zarr, or the folder "
            "of a VASP, CP2K or Quantum ESPRESSO run.",
            metavar="DENSITY...",
        ),
    ],
    integrate: Annotated[
        list[str] | None,
        typer.Option(help="Field to integrate: FILE, or NAME=FILE::DATASET@UNIT."),
    ] = None,
    reference: Annotated[
        list[str] | None,
        typer.Option(
            help="Density that defines the basins; several are added. `none`: DENSITY itself.",
            show_default="AECCAR0 + AECCAR2 beside a CHGCAR",
        ),
    ] = None,
    method: Annotated[MethodName, typer.Option(help="How points are divided.")] = "weight",
    threads: Annotated[int, typer.Option(min=1, help="Threads.")] = 1,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Table: .csv, .json, .extxyz, ACF.dat, or a page: .html."
        ),
    ] = None,
    save_labels: Annotated[
        Path | None, typer.Option(help="Owner of each point: .npy, .npz or .cube.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    cell: Annotated[
        str | None, typer.Option(help="Cell: a structure file, or 3, 6 or 9 numbers (Å, degrees).")
    ] = None,
    atoms: Annotated[Path | None, typer.Option(help="Structure file with the nuclei.")] = None,
    symbols: Annotated[
        str | None, typer.Option(help="Elements of a VASP 4 file, for example 'Ar Kr'.")
    ] = None,
    electrons: Annotated[
        float | None, typer.Option(help="Scale a rounded cell to this number of electrons.")
    ] = None,
    valence: Annotated[
        list[str] | None, typer.Option(help="Valence electrons, for example Ar=8; repeatable.")
    ] = None,
    coarse_check: Annotated[
        bool, typer.Option("--coarse-check", help="Show the change on every second point.")
    ] = False,
    allow_empty: Annotated[
        bool, typer.Option("--allow-empty", help="Accept atoms without a maximum (empty basins).")
    ] = False,
    vacuum: Annotated[
        float | None,
        typer.Option(min=0.0, help="Give points below this density (e/Å³) to no atom, but a row."),
    ] = None,
    restart: Annotated[
        bool, typer.Option(help="Skip frames that an interrupted run has finished.")
    ] = True,
) -> None:
    """Divide densities into atomic basins (Bader) and integrate fields over them."""
    import gc

    # Imports make objects by the hundred thousand and no garbage; looking for it took a tenth.
    gc.set_threshold(100_000)
    from zeroflux.commands.basin_terminal import parse_valence, run_on_terminal

    run_on_terminal(
        density,
        integrate=integrate or (),
        reference=() if reference == ["none"] else reference,
        method=method,
        n_threads=threads,
        output=output,
        save_labels=save_labels,
        as_json=as_json,
        cell=cell,
        atoms=atoms,
        symbols=symbols.replace(",", " ").split() if symbols else None,
        electrons=electrons,
        valence=parse_valence(valence or ()),
        coarse_check=coarse_check,
        allow_empty=allow_empty,
        vacuum=vacuum,
        restart=restart,
    )
    gc.freeze()  # nothing is left to collect at exit, which would take another quarter second
