"""``zeroflux predict``: per-atom energies of any model as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def predict_command(
    data: Annotated[
        Path | None,
        typer.Argument(metavar="DATA", help="Extended XYZ (.gz, .xz), or a pool of the data set."),
    ] = None,
    model: Annotated[
        str | None, typer.Argument(metavar="MODEL", help="As of `zeroflux score`.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Extended XYZ to write.")
    ] = None,
    script: Annotated[
        bool,
        typer.Option("--script", help="Print a file that does this where zeroflux is missing."),
    ] = False,
) -> None:
    """Write the per-atom energies of a model to a file that `zeroflux score` reads."""
    from zeroflux import predict as standalone
    from zeroflux.errors import ConfigError

    if script:
        typer.echo(Path(standalone.__file__).read_text(encoding="utf-8"), nl=False)
        return
    if data is None or model is None or output is None:
        raise ConfigError("Found no DATA, MODEL or -o; expected: predict DATA MODEL -o FILE.")
    typer.echo(f"{output}: {write_predictions(data, model, output)} configurations")


def write_predictions(data: Path, model: str, output: Path) -> int:
    """Predict a file or pool; number of configurations.

    Raises
    ------
    ModelError
        If the data cannot be read, the model not be used, or the file not be written.
    """
    import numpy as np

    from zeroflux import predict as standalone
    from zeroflux.data import file_or_pool
    from zeroflux.errors import ModelError
    from zeroflux.frames import Frame
    from zeroflux.scoring.models import opened
    from zeroflux.units import ELECTRONVOLT

    try:
        standalone.check_output(output)
        images = standalone.read_frames(file_or_pool(data))
    except standalone.PredictError as error:
        raise ModelError(str(error)) from error
    found = opened(model, [Frame.from_ase(atoms) for atoms in images])()
    ends = np.cumsum([len(atoms) for atoms in images])[:-1]
    energies = np.split(found.energies / ELECTRONVOLT, ends)
    totals = [None] * len(images) if found.total is None else found.total / ELECTRONVOLT
    standalone.write_predictions(output, images, energies, totals)
    return len(images)
