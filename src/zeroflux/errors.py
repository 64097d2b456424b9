"""Errors and warnings that zeroflux raises on purpose.

Each message has three parts: what was found (with numbers), what was expected, what to do.
"""


def printable(text: str) -> str:
    r"""The text with its control characters written out, ``\x1b``; line ends stay.

    Text of a damaged or hostile file would otherwise steer the terminal that shows it.
    """
    if text.isascii() and text.isprintable():
        return text
    escaped = (ascii(c)[1:-1] if not c.isprintable() and c != "\n" else c for c in text)
    return "".join(escaped)


class ZerofluxError(Exception):
    """Base of all errors that are the input's fault, not the program's."""

    def __str__(self) -> str:
        return printable(super().__str__())


class ConfigError(ZerofluxError):
    """A configuration that cannot be run."""


class StructureError(ZerofluxError):
    """Atoms or a cell that make no physical sense for the task."""


class FileFormatError(ZerofluxError):
    """A file that cannot be read; the message starts with ``path:line``."""


class LabelError(ZerofluxError):
    """A configuration that could not be labelled."""


class PartitionError(ZerofluxError):
    """A density that could not be divided into atomic basins."""


class EmptyBasinError(PartitionError):
    """An atom without a maximum of the density, whose basin would be empty."""


class ArtifactError(ZerofluxError):
    """A stage's artifact that is missing, damaged or from another schema."""


class ModelError(ZerofluxError):
    """A model or checkpoint that cannot be used for what was asked."""


class MissingExtraError(ZerofluxError):
    """An optional dependency that is needed and not installed."""


class RefusedWarning(UserWarning):
    """A model that was left out of scores, and why."""


class RepairWarning(UserWarning):
    """Something in the input was repaired; the message gives the size of the change."""

    def __str__(self) -> str:
        return printable(super().__str__())


class PluginError(ZerofluxError):
    """Something that another package adds cannot be used."""


EXTRAS = {
    "pyscf": "dft",
    "dftd3": "dft",
    "jax": "learn",
    "jaxlib": "learn",
    "optax": "learn",
    "safetensors": "learn",
    "vesin": "learn",
    "dask": "cluster",
    "distributed": "cluster",
    "jinja2": "report",
    "matplotlib": "report",
    "h5py": "formats",
    "zarr": "formats",
}
"""Optional packages and the extra that installs each."""


def missing_extra(package: str, extra: str) -> MissingExtraError:
    """Error that names the command which installs an optional dependency."""
    return MissingExtraError(
        f"Package '{package}' is not installed, but this command needs it. "
        f"Install it with: pip install 'zeroflux[{extra}]'"
    )
