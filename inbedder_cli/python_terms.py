"""Messages name options as the command line has them; Python code gets them with the names of Python.

What `import inbedder_cli` offers is for Python: its functions, and the methods of the estimator and of results.
The modules of the package call one another, as the command line calls them, without this translation.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, TypeVar

from inbedder_cli.errors import InbedderError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Class = TypeVar("Class", bound=type)

# Parameters of the public functions, classes of options and methods that an option of the command line stands for.
SWITCHES = frozenset(
    "baseline cache consensus explode flag_unanswered force header multi offline refresh stability texts".split()
)
VALUES = frozenset(
    "algorithm by color_by date delimiter device devices dtype empty encoding encoding_errors escape exemplars "
    "header_rows input_format json_path k k_max k_min layer limit max_answer_tokens max_cell max_tokens "
    "min_cluster_size min_confidence model on_bad_row pooling prefix quote sample seed sheet skip_rows stop_words "
    "template text text_template title workers".split()
)
FUNCTION_NAMES = {"id": "id_column", "flag_unanswered": "flag"}
ESTIMATOR_NAMES = {"id": "id_column", "k": "n_clusters", "seed": "random_state"}

# A value that follows an option, and is no word of the sentence around it.
VALUE = (
    r"""-?\d[\d.]*|"[^"]*"|'[^']*'|utf-?\d[\w-]*|[a-z]+_|float\d+|bfloat16|auto|cpu|fail|skip|pad|keep|replace|"""
    r"fallback|lines|kmeans|hdbscan|(?:first|answer|prompt|all)-[a-z]+"
)
OPTION = re.compile(rf"(with )?(?<![\w-])(?:--([a-z]+(?:-[a-z]+)*)|-(k))(?: ({VALUE})(?![\w-]))?")


def python_terms(message: str, names: Mapping[str, str] = FUNCTION_NAMES) -> str:
    """Return a message with parameters in place of options; options that are no parameters stay.

    >>> python_terms("add --on-bad-row pad, or leave out --k-max")
    'add on_bad_row="pad", or leave out k_max'

    :param message: as the command line shows it.
    :param names: of parameters that are not spelled as the option is.
    """

    def parameter(match: re.Match[str]) -> str:
        before, long, short, value = match.groups(default="")
        option = (long or short).replace("-", "_")
        name = option.removeprefix("no_") if option not in SWITCHES | VALUES else option
        if name in SWITCHES:
            rest = f" {value}" if value else ""
            return f"{before}{names.get(name, name)}={name == option}{rest}"
        if name not in VALUES | {"id"} or name != option:
            return match[0]
        quoted = value if not value or value[0] in "'\"-0123456789" else f'"{value}"'
        return f"{before}{names.get(name, name)}" + (f"={quoted}" if value else "=" if before else "")

    return OPTION.sub(parameter, message)


def in_python_terms(function: Callable[..., Any], names: Mapping[str, str] = FUNCTION_NAMES) -> Callable[..., Any]:
    """Return a function whose errors name parameters.

    :param function: any function.
    :param names: of parameters that are not spelled as the option is.
    """

    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        try:
            return function(*arguments, **options)
        except InbedderError as error:
            error.args = (python_terms(str(error), names), *error.args[1:])
            error.hint = error.hint and python_terms(error.hint, names)
            raise

    return call


def with_python_terms(names: Mapping[str, str] = FUNCTION_NAMES) -> Callable[[Class], Class]:
    """Return a decorator of classes whose public methods raise errors that name parameters.

    :param names: of parameters that are not spelled as the option is.
    """

    def decorate(kind: Class) -> Class:
        for name, member in list(vars(kind).items()):
            if name.startswith("_"):
                continue
            if isinstance(member, classmethod):
                setattr(kind, name, classmethod(in_python_terms(member.__func__, names)))
            elif callable(member):
                setattr(kind, name, in_python_terms(member, names))
        return kind

    return decorate
