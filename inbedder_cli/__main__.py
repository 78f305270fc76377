"""`inbedder`, and `python -m inbedder_cli`."""

from __future__ import annotations

import os

from inbedder_cli.signals import exit_on_signals


def main() -> None:
    """Run the command line."""
    os.environ["PYTHONSAFEPATH"] = "1"  # processes that this one starts import nothing from the current folder
    exit_on_signals()  # before the command line is imported, which takes half a second
    from inbedder_cli.cli import main as run

    run()


if __name__ == "__main__":
    main()
