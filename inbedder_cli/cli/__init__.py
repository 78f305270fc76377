"""The command line: it parses, calls the package, and prints. Each command has a file of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from inbedder_cli import __version__
from inbedder_cli.cli.answer import answer
from inbedder_cli.cli.assign import assign
from inbedder_cli.cli.cache_commands import app as cache_app
from inbedder_cli.cli.cluster import cluster
from inbedder_cli.cli.compare import compare
from inbedder_cli.cli.config_commands import app as config_app
from inbedder_cli.cli.console import print_line, show_errors
from inbedder_cli.cli.embed import embed
from inbedder_cli.cli.env import env
from inbedder_cli.cli.evaluate import evaluate
from inbedder_cli.cli.models_commands import app as models_app
from inbedder_cli.cli.report_command import report
from inbedder_cli.cli.review import review
from inbedder_cli.cli.shards_commands import app as shards_app
from inbedder_cli.cli.show import show
from inbedder_cli.cli.streams import bound_terminal_size, prepare_streams
from inbedder_cli.cli.teach import teach
from inbedder_cli.cli.train import train
from inbedder_cli.cli.tune import tune
from inbedder_cli.cli.user_settings import Setting, Settings
from inbedder_cli.cli.verify import verify
from inbedder_cli.errors import UsageError
from inbedder_cli.progress import print_message
from inbedder_cli.signals import interrupt_on_signals

DOCUMENTATION = "Documentation: README.md and docs/index.md of the source; make docs builds it for a browser."
EXIT_CODES = (
    "Exit codes: 0 ok, 1 failure, 2 usage, 3 model or network, 4 finished with failed rows, "
    "5 input, 6 out of memory, 130 interrupted (Ctrl-C), 128 + N stopped by signal N."
)
HELP_OPTIONS = frozenset({"-h", "--help"})
ARGUMENTS = "inbedder.arguments"


class Commands(TyperGroup):
    """Command group that turns errors of any command into a message and an exit code."""

    def main(self, *args: Any, **extra: Any) -> NoReturn:  # noqa: ANN401
        """Parse the arguments, run the chosen command, and exit."""
        try:
            with show_errors(debug=False):
                code = super().main(*args, **extra | {"standalone_mode": False})
                sys.stdout.flush()
        except typer.Exit as end:
            code = end.exit_code
        sys.exit(code or 0)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401
        """Parse the options before the command, and keep all arguments for `invoke`."""
        ctx.meta[ARGUMENTS] = tuple(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401
        """Run the chosen command, with the user's settings as defaults of its options."""
        with show_errors(debug=bool(ctx.params.get("debug"))), interrupt_on_signals():
            _check_current_folder()
            try:
                settings = Settings(self)
            except UsageError as error:
                if not _runs_without_settings(ctx):
                    raise
                print_message(f"warning: {error}")
                return super().invoke(ctx)
            for name, hint in settings.unknown_variables.items():
                print_message(f"warning: the variable {name} sets nothing; {hint}see: inbedder config show --help")
            ctx.default_map = settings.default_map()
            try:
                return super().invoke(ctx)
            except typer.BadParameter as error:
                if setting := _setting_of(error, settings):
                    raise UsageError(f"{setting.source}: {setting.option}: {error.message}") from None
                raise
            except UsageError as error:
                if setting := settings.named_in(str(error), ctx.invoked_subcommand or ""):
                    raise UsageError(f"{setting.source}: {setting.option}: {error}", hint=error.hint) from None
                raise


def _runs_without_settings(ctx: Any) -> bool:  # noqa: ANN401
    """Return whether a command is needed to mend a settings file, so that a broken one must not stop it."""
    arguments = ctx.meta[ARGUMENTS]
    words = [each for each in arguments if not each.startswith("-")]
    return words[:1] == ["env"] or words[:2] == ["config", "path"] or not HELP_OPTIONS.isdisjoint(arguments)


def _check_current_folder() -> None:
    try:
        Path.cwd()
    except FileNotFoundError:
        raise UsageError("the current folder has been removed", hint="change to another one: cd ~") from None


def _setting_of(error: typer.BadParameter, settings: Settings) -> Setting | None:
    """Return the setting that an error is about, or None if the value is from the command line."""
    ctx: Any = error.ctx
    words: list[str] = []
    if ctx is None or error.param is None or error.param.name is None:
        return None
    source = ctx.get_parameter_source(error.param.name)
    if source is None or source.name != "DEFAULT_MAP":
        return None
    while ctx.parent is not None:
        words.insert(0, ctx.info_name or "")
        ctx = ctx.parent
    return settings.of(tuple(words), error.param.name)


app = typer.Typer(
    cls=Commands,
    help="Cluster texts by their answers to your question.",
    epilog=f"{EXIT_CODES}\n\n{DOCUMENTATION}",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": sorted(HELP_OPTIONS)},
)
app.command(no_args_is_help=True, epilog=EXIT_CODES)(cluster)
app.command(no_args_is_help=True, epilog=EXIT_CODES)(embed)
app.command(no_args_is_help=True, epilog=EXIT_CODES)(answer)
app.command(no_args_is_help=True, epilog=EXIT_CODES)(tune)
app.command(no_args_is_help=True, epilog=EXIT_CODES)(compare)
app.command(no_args_is_help=True, epilog=EXIT_CODES)(show)
app.command(no_args_is_help=True, epilog=EXIT_CODES)(review)
app.command(no_args_is_help=True, epilog=EXIT_CODES)(report)
app.command(no_args_is_help=True, epilog=EXIT_CODES)(assign)
app.command(no_args_is_help=True, epilog=EXIT_CODES)(verify)
app.command(no_args_is_help=True, epilog=EXIT_CODES)(evaluate)
app.command(no_args_is_help=True, epilog=EXIT_CODES)(train)
app.command(no_args_is_help=True, epilog=EXIT_CODES)(teach)
app.command()(env)
app.add_typer(shards_app, name="shards")
app.add_typer(models_app, name="models")
app.add_typer(cache_app, name="cache")
app.add_typer(config_app, name="config")


def _print_version(value: bool) -> None:
    if value:
        print_line(f"inbedder {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", envvar="INBEDDER_DEBUG", help="Show tracebacks of errors.")
    ] = False,
) -> None:
    """Cluster texts by their answers to your question."""


def main() -> None:
    """Run the command line."""
    prepare_streams()
    bound_terminal_size()
    try:
        app()
    except SystemExit as end:
        if isinstance(end.code, int) and end.code > 128:
            # Python would end with the signal instead if Ctrl-C came while an extension module ran Python code.
            sys.stdout.flush()
            os._exit(end.code)
        raise
