"""`inbedder cache`: show, prune and clear the cache of encoded rows."""

from __future__ import annotations

import re
import time
from typing import Annotated

import typer

from inbedder_cli.cli.console import TerminalReporter, print_line
from inbedder_cli.errors import UsageError

app = typer.Typer(
    help="Show, prune and clear the cache of encoded rows. It holds vectors and answers, never texts.",
    no_args_is_help=True,
)
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
MAX_AMOUNT = 10**15  # seconds or bytes
BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


@app.command()
def path() -> None:
    """Print the path of the cache."""
    from inbedder_cli.encoders.cache.row_cache import RowCache

    print_line(str(RowCache().path))


@app.command()
def info() -> None:
    """Print the path, the rows, the size, how long the least recently used row was unused, and the state.

    The state is "ok", "missing", or what is wrong. Nothing is changed.
    """
    from inbedder_cli.encoders.cache.row_cache import RowCache

    usage = RowCache(reporter=TerminalReporter()).info()
    print_line(f"path\t{usage.path}")
    print_line(f"rows\t{'unknown' if usage.rows is None else usage.rows}")
    print_line(f"bytes\t{usage.bytes}")
    if usage.oldest is not None:
        print_line(f"longest unused\t{(time.time() - usage.oldest) / 86_400:.0f} days")
    print_line(f"state\t{usage.state}")


@app.command()
def prune(
    older_than: Annotated[
        str | None,
        typer.Option(help="Remove rows unused for this long: 30d, 12h, 2w.", show_default=False),
    ] = None,
    max_size: Annotated[
        str | None,
        typer.Option(
            help="Remove the least recently used rows until the cache is this small: 2GB.", show_default=False
        ),
    ] = None,
) -> None:
    """Remove rows that have not been used for a while, or the least recently used rows."""
    from inbedder_cli.encoders.cache.row_cache import RowCache

    if older_than is None and max_size is None:
        raise UsageError("nothing to prune: no limit is given", hint="give --older-than 30d, or --max-size 2GB")
    seconds = None if older_than is None else _amount("--older-than", older_than, SECONDS, "30d, 12h or 2w")
    size = (
        None
        if max_size is None
        else int(_amount("--max-size", max_size.lower().removesuffix("b"), BYTES, "500MB or 2GB"))
    )
    reporter = TerminalReporter()
    removed = RowCache(reporter=reporter).prune(older_than=seconds, max_bytes=size)
    reporter.info(f"{removed:,} rows removed")


@app.command()
def clear() -> None:
    """Delete all cached rows."""
    from inbedder_cli.encoders.cache.row_cache import RowCache

    TerminalReporter().info(f"{RowCache().clear() / 1e6:.1f} MB freed")


def _amount(option: str, value: str, units: dict[str, int], example: str) -> float:
    """Return a number with a unit, such as 30d or 2GB, as a number."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]?)", value.strip().lower())
    if match is None or match[2] not in units:
        raise UsageError(f'cannot parse {option} "{value}"', hint=f"for example {example}")
    amount = float(match[1]) * units[match[2]]
    if amount > MAX_AMOUNT:
        largest = max(units, key=lambda unit: units[unit])
        raise UsageError(f"{option} must be at most {MAX_AMOUNT // units[largest]}{largest}, not {value}")
    return amount
