"""How a file is laid out, and what it takes to read another one alike."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from inbedder_cli.errors import UsageError
from inbedder_cli.options import EmptyTexts, EncodingErrors, OnBadRow


@dataclass(frozen=True)
class Layout:
    """How a file is laid out, as far as the user says so. Each format takes some of these options.

    :param delimiter: one character that separates cells; None detects it.
    :param encoding: of a text file; None means UTF-8, or what a byte-order mark tells.
    :param encoding_errors: what to do with lines of another encoding.
    :param header: whether the first row names the columns; otherwise they are called column_1, column_2, ...
    :param header_rows: number of header rows; None: one, or what is recognized.
    :param skip_rows: number of lines above the header, which are not read.
    :param quote: the character around cells that hold delimiters or line breaks; "" for none.
    :param escape: a character that makes the next one part of the text; None: only doubled quotes do.
    :param on_bad_row: what to do with rows that do not fit.
    :param json_path: where the list of rows is in a JSON document; None takes the only one.
    :param sheet: of a workbook; None takes the first with a row below its header, hidden ones last.
    """

    delimiter: str | None = None
    encoding: str | None = None
    encoding_errors: EncodingErrors = EncodingErrors.fail
    header: bool = True
    header_rows: int | None = None
    skip_rows: int = 0
    quote: str = '"'
    escape: str | None = None
    on_bad_row: OnBadRow = OnBadRow.fail
    json_path: str | None = None
    sheet: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "encoding_errors", EncodingErrors(self.encoding_errors))
        object.__setattr__(self, "on_bad_row", OnBadRow(self.on_bad_row))
        for name in ("delimiter", "escape"):
            character = getattr(self, name)
            if character is not None and len(character) != 1:
                raise UsageError(f'the {name} "{character}" is not one character', hint="for a tab: $'\\t'")
        if len(self.quote) > 1:
            raise UsageError(f'the quote "{self.quote}" is more than one character', hint="for none: --quote ''")
        if not self.header and self.header_rows:
            raise UsageError("--no-header and --header-rows contradict each other", hint="leave out one of them")

    @property
    def given(self) -> list[str]:
        """The names of the options that differ from their defaults."""
        return [each.name for each in fields(self) if getattr(self, each.name) != each.default]


@dataclass(frozen=True)
class Reading:
    """How a file was read: what it takes to read another one alike.

    :param columns: all columns of the file.
    :param text: the text columns, or paths into them; empty with a template.
    :param text_template: the template of the texts.
    :param id_column: the column of row ids.
    :param empty: what is done with rows without text.
    :param layout: how the file is laid out, as it was given.
    :param limit: how many of its first rows were read; None: all.
    :param sample: size of the random sample of these; None: all.
    :param input_format: the format that was asked for; None: it was detected.
    """

    columns: tuple[str, ...]
    text: tuple[str, ...] = ()
    text_template: str | None = None
    id_column: str | None = None
    empty: EmptyTexts = EmptyTexts.skip
    layout: Layout = field(default_factory=Layout)
    limit: int | None = None
    sample: int | None = None
    input_format: str | None = None

    @classmethod
    def of_options(cls, values: dict[str, Any]) -> Reading:
        """Return how a file was read, from what `options` returned and the columns.

        :param values: by name; lists are taken as tuples.
        """
        layout = Layout(**{each.name: values[each.name] for each in fields(Layout)})
        own = {each.name: values[each.name] for each in fields(cls) if each.name != "layout"}
        lists = {name: tuple(value) for name, value in own.items() if isinstance(value, list)}
        return cls(**own | lists, layout=layout)

    def options(self) -> dict[str, Any]:
        """Return the arguments of `read_corpus` that read another file alike, whole, by name."""
        return {name: value for name, value in self.record().items() if name not in ("columns", "limit", "sample")}

    def record(self) -> dict[str, Any]:
        """Return all values by name, those of the layout among them, as `of_options` takes them."""
        values = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "layout"}
        return values | asdict(self.layout)


def option_of(name: str) -> str:
    """Return the option of the command line that sets a field of `Layout` or `Reading`.

    >>> option_of("json_path"), option_of("header")
    ('--json-path', '--no-header')

    :param name: of the field.
    """
    return {"id_column": "--id", "header": "--no-header"}.get(name, "--" + name.replace("_", "-"))
