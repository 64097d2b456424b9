"""The command line: a shell around the same calls from Python."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from zeroflux.commands.basins import basins_command
from zeroflux.commands.data import data_app
from zeroflux.commands.info import info_command
from zeroflux.commands.label import label_command
from zeroflux.commands.predict import predict_command
from zeroflux.commands.score import score_command
from zeroflux.commands.stages import ConfigPath, Force, OutPath, WithUpstream, do_stages
from zeroflux.interruption import interruptible, working_folder

app = typer.Typer(
    name="zeroflux",
    help="QTAIM atomic energies of liquids, and how well machine-learned potentials know them.",
    epilog="Start with: zeroflux template > run.yaml, then zeroflux run run.yaml",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("basins")(basins_command)
app.command("score")(score_command)
app.command("predict")(predict_command)
app.command("info")(info_command)
app.add_typer(data_app)


def _version(is_wanted: bool) -> bool:
    if is_wanted:
        from importlib.metadata import version as installed

        typer.echo(installed("zeroflux"))
        raise typer.Exit
    return is_wanted


@app.callback()
def _global(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
    version: Annotated[
        bool,
        # eager: without it, a command would be asked for first
        typer.Option("--version", help="Print the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    pass


@app.command()
def run(config: ConfigPath, out: OutPath = None, force: Force = False) -> None:
    """Do all stages: sample, label, correlate, train, evaluate, report."""
    from zeroflux.config_file import load_config
    from zeroflux.stages.preflight import require_runnable

    folder = out or Path("runs") / config.stem
    manifest = folder / "label" / "manifest.json"  # written when all labels were there
    require_runnable(load_config(config), has_labels=manifest.exists())
    do_stages(config, out, force=force)


@app.command()
def sample(
    config: ConfigPath,
    out: OutPath = None,
    force: Force = False,
    with_upstream: WithUpstream = False,
) -> None:
    """Sample configurations of the liquids, or take them from a file."""
    do_stages(config, out, "sample", force=force, with_upstream=with_upstream)


app.command("label")(label_command)


@app.command()
def correlate(
    config: ConfigPath,
    out: OutPath = None,
    force: Force = False,
    with_upstream: WithUpstream = False,
) -> None:
    """Fit the shortcut on totals and compare it with the direct energies."""
    do_stages(config, out, "correlate", force=force, with_upstream=with_upstream)


@app.command()
def train(
    config: ConfigPath,
    out: OutPath = None,
    force: Force = False,
    with_upstream: WithUpstream = False,
) -> None:
    """Train networks on total energies."""
    do_stages(config, out, "train", force=force, with_upstream=with_upstream)


@app.command()
def evaluate(
    config: ConfigPath,
    out: OutPath = None,
    force: Force = False,
    with_upstream: WithUpstream = False,
) -> None:
    """Compare local energies of the networks with basin energies."""
    do_stages(config, out, "evaluate", force=force, with_upstream=with_upstream)


@app.command()
def report(
    config: ConfigPath,
    out: OutPath = None,
    force: Force = False,
    with_upstream: WithUpstream = False,
) -> None:
    """Write the report."""
    do_stages(config, out, "report", force=force, with_upstream=with_upstream)


@app.command()
def status(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Directory of a run.")],
) -> None:
    """Tell which stages of a run are done."""
    from zeroflux.run_directory import open_run
    from zeroflux.stages import status as states

    for found in states(open_run(run_dir)):
        mark = "done   " if found.is_current else "to do  "
        typer.echo(f"{mark}{found.name:<10} {'' if found.is_current else found.remark}".rstrip())


@app.command()
def export(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Directory of a run.")],
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Extended XYZ (.extxyz, .extxyz.xz) to write.")
    ],
    update: Annotated[
        bool, typer.Option("--update", help="Keep FILE's labels of configurations not yet done.")
    ] = False,
) -> None:
    """Write the labels that a run has finished, complete or not, to one file."""
    from zeroflux.run_directory import export_labels

    with working_folder(file.parent, is_deep=False):
        n_labels = export_labels(run_dir, file, update=update)
    typer.echo(f"{file}: {n_labels} labels")


@app.command()
def validate(config: ConfigPath) -> None:
    """Check a configuration file, and what its stages need."""
    from zeroflux.config_file import load_config
    from zeroflux.stages.preflight import require_runnable

    require_runnable(load_config(config))
    typer.echo(f"{config}: valid")


@app.command()
def schema() -> None:
    """Print the JSON schema of the configuration file."""
    from zeroflux.config_template import schema as text

    typer.echo(text())


@app.command()
def template() -> None:
    """Print a commented starting configuration."""
    from zeroflux.config_template import template as text

    typer.echo(text(), nl=False)


def main() -> None:
    """Entry point: errors of the input are one clear line and exit status 2, Ctrl-C is 130."""
    with interruptible():
        command()


def command() -> None:
    """As `main`, but an interruption is the caller's."""
    from zeroflux.errors import EXTRAS, ZerofluxError, missing_extra

    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")
    try:
        app()
    except ZerofluxError as error:
        if debug:
            raise
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        if debug or error.errno is None:
            raise
        from zeroflux.artifacts.atomic import cannot_write

        typer.echo(f"error: {cannot_write(Path(error.filename or '.'), error)}", err=True)
        sys.exit(2)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if debug or package not in EXTRAS:
            raise
        typer.echo(f"error: {missing_extra(package, EXTRAS[package])}", err=True)
        sys.exit(2)
