"""`inbedder config`: which settings hold, and where they come from."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated, Any

import typer

from inbedder_cli.cli import parameters
from inbedder_cli.cli.completion import complete_command
from inbedder_cli.cli.console import print_line, stdout_console
from inbedder_cli.cli.option_groups import with_groups
from inbedder_cli.cli.user_settings import ONCE, Settings, options_of, settings_files
from inbedder_cli.errors import UsageError, did_you_mean

app = typer.Typer(help="Show the settings of inbedder.toml and the environment.", no_args_is_help=True)


@app.command()
@with_groups
def path() -> None:
    """Print the paths of the files that may hold settings, the strongest first."""
    for file in reversed(settings_files()):
        is_there = os.path.exists(file)  # noqa: PTH110 (False for a folder that is closed to us)
        print_line(f"{file.absolute()}\t{'exists' if is_there else 'missing'}")


@app.command()
@with_groups
def show(
    context: typer.Context,
    command: Annotated[
        str | None,
        typer.Argument(
            autocompletion=complete_command, help="Show all options of this command, with their defaults."
        ),
    ] = None,
    output: parameters.Output = None,
    output_format: parameters.Format = None,
    force: parameters.Force = False,
) -> None:
    """Print what is set, for which command, and by which file or variable."""
    import pyarrow as pa

    from inbedder_cli.cli.destinations import check_targets
    from inbedder_cli.output.files import open_output
    from inbedder_cli.output.formats import TABLE, write_table
    from inbedder_cli.report.run_view import print_table

    format_name = check_targets(output, output_format, force=force, inputs=())
    rows = _rows(context.find_root().command, command)
    names = ("command", "option", "value", "source")
    table = pa.table({name: pa.array([row[i] for row in rows], pa.string()) for i, name in enumerate(names)})
    format_name = format_name or (TABLE if sys.stdout.isatty() else "csv")
    if format_name == TABLE:
        print_table(stdout_console(), table, whole=True)
        return
    with open_output(output) as stream:
        write_table(table, stream, format_name)


def _rows(group: Any, command: str | None) -> list[tuple[str, str, str, str]]:  # noqa: ANN401
    """Return (command, option, value, source) of each option that is set, or of all of one command."""
    settings = Settings(group)
    words = tuple((command or "").split())
    names = {each for each, _, _ in options_of(group, ())}
    if words and words not in names:
        known = [" ".join(each) for each in names]
        raise UsageError(
            f"there is no command {command} with options",
            hint=f"{did_you_mean(command or '', known)}use one of: {', '.join(sorted(known))}",
        )
    rows = []
    for each, option, parameter in options_of(group, ()):
        setting = settings.of(each, parameter.name)
        if (setting is None and not words) or (words and each != words) or option in ONCE:
            continue
        value = setting.value if setting else parameter.default
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        rows.append((" ".join(each), option, shown, setting.source if setting else "default"))
    return rows
