"""``zeroflux info``: what a report of a fault needs to say of the machine and the installation."""

from __future__ import annotations

import typer


def info_command() -> None:
    """Print versions, threads, caches, extras and the data set, for reports of faults."""
    import os
    import platform
    import sys
    from importlib import metadata

    from zeroflux import data
    from zeroflux.compilation import cache_folder
    from zeroflux.errors import EXTRAS
    from zeroflux.execution import THREAD_VARIABLES, n_usable_cores

    def version(package: str) -> str | None:
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            return None

    typer.echo(f"zeroflux {version('zeroflux')}, Python {platform.python_version()}")
    typer.echo(f"  {platform.platform()}, {sys.executable}")
    packages = ("numpy", "scipy", "numba", "ase", "pyscf", "jax", "torch", "dask")
    found = [f"{name} {version(name)}" for name in packages if version(name)]
    typer.echo(f"packages: {', '.join(found)}")
    extras: dict[str, list[str]] = {}
    for package, extra in EXTRAS.items():
        extras.setdefault(extra, []).append(package)
    for extra, names in sorted(extras.items()):
        missing = [name for name in names if not _is_there(name)]
        words = "installed" if not missing else f"without {', '.join(missing)}"
        typer.echo(f"extra {extra}: {words}")
    typer.echo(f"cores: {n_usable_cores()}")
    limits = [f"{name}={os.environ[name]}" for name in THREAD_VARIABLES if name in os.environ]
    typer.echo(f"threads: {', '.join(limits) or 'not limited by the environment'}")
    typer.echo(f"compiled kernels: {cache_folder() or 'not kept: no writable folder'}")
    typer.echo(f"data set: {data.folder()}, {len(data.names())} pools")


def _is_there(package: str) -> bool:
    from importlib.util import find_spec

    return find_spec(package) is not None
