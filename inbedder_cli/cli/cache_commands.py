"""`inbedder cache`: show, prune and clear the cache of encoded rows."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from inbedder_cli.cli import parameters
from inbedder_cli.cli.amounts import parse_bytes, parse_seconds
from inbedder_cli.cli.console import print_line, print_values, stderr_reporter
from inbedder_cli.cli.option_groups import with_groups
from inbedder_cli.errors import UsageError
from inbedder_cli.wording import count_of

app = typer.Typer(
    help="Show, prune and clear the cache of encoded rows. It holds vectors and answers, never texts.",
    no_args_is_help=True,
)

DAY = 86_400  # seconds


@app.command()
@with_groups
def path() -> None:
    """Print the path of the cache."""
    from inbedder_cli.encoders.cache.row_cache import RowCache

    print_line(str(RowCache().path))


@app.command()
@with_groups
def info(as_json: parameters.AsJson = False) -> None:
    """Print the path, the rows, the size, how long the least recently used row was unused, and the state.

    The state is "ok", "missing", or what is wrong. Nothing is changed.
    """
    from inbedder_cli.encoders.cache.row_cache import RowCache

    usage = RowCache(reporter=stderr_reporter()).info()
    values: dict[str, object] = {"path": str(usage.path)}
    values["rows"] = usage.rows if as_json or usage.rows is not None else "unknown"
    values["bytes"] = usage.bytes
    if usage.oldest is not None:
        days = round((time.time() - usage.oldest) / DAY)
        values |= {"longest_unused_days": days} if as_json else {"longest unused": f"{days} days"}
    print_values(values | {"state": usage.state}, as_json=as_json)


@app.command()
@with_groups
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
    seconds = None if older_than is None else parse_seconds("--older-than", older_than)
    size = None if max_size is None else parse_bytes("--max-size", max_size)
    reporter = stderr_reporter()
    removed = RowCache(reporter=reporter).prune(older_than=seconds, max_bytes=size)
    reporter.info(f"{count_of(removed, 'row')} removed")


@app.command()
@with_groups
def clear() -> None:
    """Delete all cached rows."""
    from inbedder_cli.encoders.cache.row_cache import RowCache

    stderr_reporter().info(f"{RowCache().clear() / 1e6:.1f} MB freed")
