"""`inbedder`, and `python -m inbedder_cli`."""

from __future__ import annotations

from inbedder_cli.signals import exit_on_signals


def main() -> None:
    """Run the command line."""
    exit_on_signals()  # before the command line is imported, which takes half a second
    from inbedder_cli.cli import main as run

    run()


if __name__ == "__main__":
    main()
