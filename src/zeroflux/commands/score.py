"""``zeroflux score``: how well any model's per-atom energies are the basin energies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zeroflux.scoring.report import Reference


def score_command(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="Labels, extended XYZ (.gz, .xz), or a pool of `zeroflux data list`; several "
            "with commas between them, or `all` pools.",
        ),
    ],
    models: Annotated[
        list[str],
        typer.Argument(
            help="Checkpoint, extended XYZ with `energies`, a known name (chgnet, sevennet-0, "
            "mace-mp, gfn2, lj) or package.module:callable of an ASE calculator, with ?key=value"
            "&key=value; NAME= before any of them names its row, {pool} in a file is the pool.",
            metavar="MODEL...",
        ),
    ],
    reference: Annotated[
        Reference,
        typer.Option(
            help="Direct basin energies, those of the best shortcut, or another partition's."
        ),
    ] = "direct",
    training: Annotated[
        Path | None,
        typer.Option(help="Labels the models were trained on: adds rigidity, fits the baseline."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write .csv, .json or .html, or the atoms as .extxyz."),
    ] = None,
    bootstrap: Annotated[int, typer.Option(min=20, help="Bootstrap samples.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random draws.")] = 0,
    keys: Annotated[
        str,
        typer.Option(
            metavar="energy=NAME,energies=NAME", help="What files of predictions call them."
        ),
    ] = "",
    reference_key: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Array of per-atom energies in DATA, any extended XYZ, to score on.",
        ),
    ] = None,
    without_dispersion: Annotated[
        bool,
        typer.Option(
            "--without-dispersion", help="Take the dispersion term out of labels and totals."
        ),
    ] = False,
) -> None:
    """Score the per-atom energies of any model against basin energies."""
    from zeroflux.api import score
    from zeroflux.commands.score_terminal import print_pools, print_report
    from zeroflux.scoring.models import key_names
    from zeroflux.scoring.pools import PoolsReport

    scores = score(
        data,
        models,
        reference=reference,
        training=training,
        n_bootstrap=bootstrap,
        seed=seed,
        keys=key_names(keys),
        reference_key=reference_key,
        dispersion=not without_dispersion,
        output=output,
        refuse=lambda line: typer.echo(f"error: {line}", err=True),
        say=lambda line: typer.echo(line, err=True),
    )
    if isinstance(scores.report, PoolsReport):
        print_pools(scores.report)
    else:
        print_report(scores.report)
    if output is not None:
        scores.write(output)
        typer.echo(f"wrote {output}", err=True)
    if scores.refused:
        raise typer.Exit(2)
