"""The command, as ``python -m zeroflux`` and as ``zeroflux``."""

from zeroflux.interruption import interruptible


def main() -> None:
    """Entry point that Ctrl-C ends in one line from the start, while it still imports."""
    with interruptible():
        from zeroflux.cli import command

        command()


if __name__ == "__main__":
    main()
