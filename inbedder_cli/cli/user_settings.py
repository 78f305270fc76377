"""Defaults of options from `inbedder.toml` and from the environment.

From the strongest: variables such as `INBEDDER_MAX_TOKENS`, `inbedder.toml` in the current folder, `inbedder.toml`
in the user's folder of settings. Keys are the long names of options; at the top of a file they hold for every
command that has the option, in a table such as [cluster] for that command alone.
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from inbedder_cli.errors import UsageError, did_you_mean
from inbedder_cli.untrusted import read_regular

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FILE = "inbedder.toml"
MAX_BYTES = 16_000
MAX_DOTS = 50  # in a line: tomllib takes time and memory by the square of the parts of a key
PREFIX = "INBEDDER_"
# What belongs to one call: above all what it writes or removes, since a settings file may come with a folder.
ONCE = frozenset(
    "output save sheet clusters report plot bad-rows open force resume from older-than max-size vectors dry-run "
    "limit sample prefix explode help version".split()
)
# Only by the user's own file, or a variable: what leads elsewhere, or empties what a user has.
OWN_ONLY = frozenset(["address", "cache-max-size"])
OTHER_VARIABLES = frozenset({"cache", "debug"})  # INBEDDER_CACHE is a folder, INBEDDER_DEBUG for all commands
OWN = frozenset(
    {(("train",), "model"), (("teach",), "model")}
)  # the base, the teacher: not the model for daily use


@dataclass(frozen=True)
class Setting:
    """The default of an option of one command.

    :param command: words of the command: ("cluster",), ("models", "pull").
    :param option: long name of the option, without the dashes.
    :param name: of the parameter in Python.
    :param value: as in the file, or a string of the environment.
    :param source: path of the file, or name of the variable.
    """

    command: tuple[str, ...]
    option: str
    name: str
    value: Any
    source: str


class Settings:
    """The settings that hold in the current folder, the strongest of each option of each command.

    :param group: the command line; its commands have the options.
    :raises UsageError: for a file that cannot be read, or a key that is no option.

    `unknown_variables` has the variables that look like settings and set nothing, each with a hint.
    """

    def __init__(self, group: Any) -> None:  # noqa: ANN401
        self.group = group
        self.by_option: dict[tuple[tuple[str, ...], str], Setting] = {}
        for path in settings_files():
            if os.path.exists(path):  # noqa: PTH110 (False, where pathlib raises for a folder that is closed to us)
                self._add(_read(path), str(path), group, ())
        self._add_environment()

    def default_map(self) -> dict[str, Any]:
        """Return the defaults as nested dictionaries: command, then name of the parameter.

        :return: what a context of Typer takes as its `default_map`.
        """
        defaults: dict[str, Any] = {}
        for setting in self.by_option.values():
            place = defaults
            for word in setting.command:
                place = place.setdefault(word, {})
            place[setting.name] = setting.value
        return defaults

    def of(self, command: tuple[str, ...], name: str) -> Setting | None:
        """Return the setting of a parameter, or None.

        :param command: words of the command.
        :param name: of the parameter in Python.
        :return: the strongest setting.
        """
        return self.by_option.get((command, name))

    def named_in(self, message: str, command: str) -> Setting | None:
        """Return the setting whose value a message refuses, or None.

        :param message: of an error, which names the option, and ends with the value ("not 1") or quotes it.
        :param command: the first word of the command.
        """
        words = re.findall(r"[A-Za-z][\w-]*", message)
        for setting in self.by_option.values():
            values = setting.value if isinstance(setting.value, list) else [setting.value]
            is_refused = any(f'"{value}"' in message or message.endswith(f" not {value}") for value in values)
            if setting.command[0] == command and setting.option in words and is_refused:
                return setting
        return None

    def _add(self, table: Mapping[str, Any], source: str, group: Any, command: tuple[str, ...]) -> None:  # noqa: ANN401
        """Add a table of a file: the options of its commands first, then the tables of single commands."""
        commands = getattr(group, "commands", {})
        tables = {key: value for key, value in table.items() if key in commands and isinstance(value, dict)}
        for key, value in table.items():
            if key not in tables:
                self._add_option(key, value, source, group, command)
        for key, value in tables.items():
            self._add(value, source, commands[key], (*command, key))

    def _add_option(self, key: str, value: Any, source: str, group: Any, command: tuple[str, ...]) -> None:  # noqa: ANN401
        option, commands = key.replace("_", "-"), getattr(group, "commands", {})
        if isinstance(value, dict) and commands:
            raise UsageError(
                f"{source}: [{key}] is no command", hint=f"{did_you_mean(key, commands)}see: inbedder --help"
            )
        if option in ONCE:
            raise UsageError(
                f"{source}: {key} cannot be a setting", hint=f"give --{option} on the command line, or remove it"
            )
        if option in OWN_ONLY and source == FILE:
            raise UsageError(
                f"{source}: {key} cannot be a setting of a folder",
                hint="put it into your own settings (inbedder config path), or give it on the command line",
            )
        found = [(words, parameter) for words, name, parameter in options_of(group, command) if name == option]
        if not found and key in commands:
            raise UsageError(f"{source}: {key} is a command, so it takes a table", hint=f"write: [{key}]")
        if not found:
            known = sorted({name for _, name, _ in options_of(group, command)} - ONCE)
            of = f" of {' '.join(command)}" if command else ""
            raise UsageError(
                f"{source}: {key} is no option{of}",
                hint=f"{did_you_mean(option, known)}see: inbedder {' '.join((*command, '--help'))}",
            )
        self._set_all(found, option, value, source, command)

    def _add_environment(self) -> None:
        known = {variable_of(option) for option in OTHER_VARIABLES}
        by_option: dict[str, list[tuple[tuple[str, ...], Any]]] = {}
        for words, option, parameter in options_of(self.group, ()):
            if option in ONCE | OTHER_VARIABLES:
                continue
            variable = variable_of(option)
            known.add(variable)
            if os.environ.get(variable):
                by_option.setdefault(option, []).append((words, parameter))
        for option, found in by_option.items():
            variable = variable_of(option)
            self._set_all(found, option, os.environ[variable], variable, ())
        once = {variable_of(option): f"--{option} belongs to one call, and is no setting" for option in ONCE}
        self.unknown_variables = {
            name: once.get(name) or did_you_mean(name, sorted(known))
            for name in sorted(os.environ)
            if name.startswith(PREFIX) and name not in known
        }

    def _set_all(
        self,
        found: list[tuple[tuple[str, ...], Any]],
        option: str,
        value: Any,  # noqa: ANN401
        source: str,
        command: tuple[str, ...],
    ) -> None:
        """Set an option of several commands: of those that take the value, or of all, which then refuse it."""
        found = [each for each in found if each[0] == command or (each[0], option) not in OWN]
        context = typer.Context(self.group)
        able = [each for each in found if _takes(each[1], value, context)]
        for words, parameter in able or found:
            self._set(words, option, parameter, value, source)

    def _set(self, command: tuple[str, ...], option: str, parameter: Any, value: Any, source: str) -> None:  # noqa: ANN401
        if parameter.multiple and not isinstance(value, list):
            value = [value]
        if isinstance(value, dict) or (isinstance(value, list) and not parameter.multiple):
            raise UsageError(
                f"{source}: {option} takes one value", hint=f"see: inbedder {' '.join(command)} --help"
            )
        if any(
            isinstance(each, int) and abs(each) >= 2**63 for each in (value if parameter.multiple else [value])
        ):
            raise UsageError(f"{source}: {option} is out of range", hint="TOML has whole numbers of 64 bits")
        self.by_option[command, parameter.name] = Setting(command, option, parameter.name, value, source)


def _takes(parameter: Any, value: Any, context: typer.Context) -> bool:  # noqa: ANN401
    """Return whether an option takes a value: whether it is of its type, or one of those that it lists."""
    try:
        parameter.process_value(context, [value] if parameter.multiple and not isinstance(value, list) else value)
    except (typer.BadParameter, UsageError):
        return False
    return True


def variable_of(option: str) -> str:
    """Return the name of the variable that sets an option.

    :param option: its long name, without the dashes.
    """
    return PREFIX + option.replace("-", "_").upper()


def settings_files() -> list[Path]:
    """Return the files that may hold settings, the weakest first; they may not exist.

    :return: the user's, and that of the current folder.
    """
    import platformdirs

    return [Path(platformdirs.user_config_dir("inbedder", appauthor=False)) / FILE, Path(FILE)]


def options_of(group: Any, command: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str, Any]]:  # noqa: ANN401
    """Yield the options of a command, or of all commands of a group.

    :param group: the command or group.
    :param command: its words.
    :yield: words of the command, long name of the option without the dashes, parameter.
    """
    for word, each in getattr(group, "commands", {}).items():
        yield from options_of(each, (*command, word))
    if not hasattr(group, "commands"):
        for parameter in group.params:
            if parameter.param_type_name == "option":
                yield command, max(parameter.opts, key=len).lstrip("-"), parameter


def _read(path: Path) -> dict[str, Any]:
    try:
        text = read_regular(path, MAX_BYTES, follow_links=True).decode("utf-8-sig")
        if any(line.count(".") > MAX_DOTS for line in text.splitlines()):
            raise ValueError(f"a line with more than {MAX_DOTS} dots")
        return tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error).partition("\n")[0]
        raise UsageError(
            f"{path} cannot be read as settings: {reason}", hint='it is TOML, for example: model = "inbedder-1.5b"'
        ) from error
