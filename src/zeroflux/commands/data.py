"""``zeroflux data``: the open data set that comes with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

data_app = typer.Typer(
    name="data",
    help="The open data set: labelled pools by name.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

PoolName = Annotated[str, typer.Argument(metavar="POOL", help="Name of a pool; see `list`.")]


@data_app.command("list")
def list_pools() -> None:
    """List the pools that come with the package."""
    from zeroflux import data

    width = max(map(len, data.names()))
    typer.echo(f"{'pool':<{width}}  configurations   atoms  what")
    for name in data.names():
        n_configurations, n_atoms, compositions = data.contents(name)
        what = ", ".join(f"{n} {text}" for text, n in compositions.items())
        typer.echo(f"{name:<{width}}  {n_configurations:>14}  {n_atoms:>6}  {what}")
    typer.echo(f"\nLicence {data.LICENCE}. Card: {data.card()}")


@data_app.command("path")
def pool_path(
    pool: Annotated[
        str | None, typer.Argument(metavar="[POOL]", help="Name of a pool; the folder without.")
    ] = None,
) -> None:
    """Print where a pool's file is, for other programs."""
    from zeroflux import data

    typer.echo(data.folder() if pool is None else data.path(pool))


@data_app.command("describe")
def describe_pool(pool: PoolName) -> None:
    """Tell what a pool holds and how it was made."""
    from zeroflux import data
    from zeroflux.units import MILLIELECTRONVOLT

    found = data.describe(pool)
    typer.echo(f"{found.name}: {found.n_configurations} configurations, {found.n_atoms} atoms")
    for text, number in found.compositions.items():
        typer.echo(f"  {number:>4} of {text}")
    if found.temperatures is not None:
        typer.echo("  sampled at {:g} to {:g} K".format(*found.temperatures))
    typer.echo("Settings")
    for key, values in found.settings.items():
        typer.echo(f"  {key}: {', '.join(map(str, values))}")
    typer.echo("Checks")
    typer.echo(f"  largest closure: {found.largest_closure / MILLIELECTRONVOLT:.4f} meV per atom")
    typer.echo(f"File: {found.path}\nCard: {data.card()}\nLicence: {data.LICENCE}")


@data_app.command("pairs")
def pair_data(
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="Extended XYZ file to write.")
    ],
    pools: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[POOL...]", help="Pools whose state points are sampled.", show_default="argon"
        ),
    ] = None,
    configurations: Annotated[
        int, typer.Option(min=1, help="Configurations of each state point.")
    ] = 10,
    seed: Annotated[int, typer.Option(help="Seed of the sampling.")] = 0,
) -> None:
    """Make the known-answer data set: exact site energies of a pair potential, in any amount."""
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.io import write

    from zeroflux import data
    from zeroflux.units import ANGSTROM, ELECTRONVOLT

    made = data.pair_data(pools or ["argon"], n_frames_each=configurations, seed=seed)
    images = []
    for frame, energies in zip(made.frames, made.site_energies, strict=True):
        atoms = frame.to_ase()
        atoms.info.update(cutoff_angstrom=made.cutoff / ANGSTROM, sampling_seed=seed)
        atoms.calc = SinglePointCalculator(
            atoms,
            energy=float(energies.sum() / ELECTRONVOLT),
            energies=energies / ELECTRONVOLT,
        )
        images.append(atoms)
    write(out, images, format="extxyz")
    typer.echo(f"{out}: {len(images)} configurations with exact site energies")


@data_app.command("xtb")
def tight_binding_data(
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="Extended XYZ file to write.")
    ],
    substances: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SUBSTANCE...]",
            help="water, salt, silicon, aluminium.",
            show_default="all of them",
        ),
    ] = None,
    configurations: Annotated[int, typer.Option(min=1, help="Configurations of each.")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the distortions.")] = 0,
    method: Annotated[str, typer.Option(help="GFN2-xTB or GFN1-xTB.")] = "GFN2-xTB",
) -> None:
    """Make a known-answer data set beyond noble gases: exact site energies of xTB (tblite)."""
    from ase.io import write

    from zeroflux.errors import ConfigError
    from zeroflux.sampling.tight_binding import SUBSTANCES, tight_binding_suite

    chosen = tuple(s for s in SUBSTANCES if not substances or s in substances)
    unknown = sorted(set(substances or ()) - set(SUBSTANCES))
    if unknown or method not in ("GFN2-xTB", "GFN1-xTB"):
        raise ConfigError(
            f"Found {', '.join(unknown) or method}; expected some of {', '.join(SUBSTANCES)}, by "
            "GFN2-xTB or GFN1-xTB."
        )
    images = tight_binding_suite(chosen, n_frames_each=configurations, seed=seed, method=method)
    write(out, images, format="extxyz")
    typer.echo(f"{out}: {len(images)} configurations with exact site energies of {method}")
