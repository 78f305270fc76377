"""Plain lines of text: chosen where a file is no table, and only there."""

from __future__ import annotations

import pytest

from inbedder_cli.corpus import read_corpus

SENTENCES = (
    "Meetings eat half of my week.\nMy manager listens, that is why I stay.\n\nPay has not moved since 2022.\n"
)


@pytest.mark.parametrize(
    ("name", "content", "is_lines"),
    [
        ("x.txt", SENTENCES, True),
        ("x.txt", "Great, thanks.\nBad, sorry.\n", True),
        ("x.txt", "good\nbad\n", True),
        ("x.txt", "text\ngood food\nbad food\n", False),
        ("x.txt", "id\tcomment\n1\tgood, food\n2\tbad\n", False),
        ("x.csv", SENTENCES.replace(",", ""), False),
        ("x.log", "2024-05-01 12:00:00,120 - app - ERROR - no file, again\n" * 12, True),
        ("x.txt", "12.05.24, 18:00 - Ann: hello\n12.05.24, 18:01 - Bob: hi\n", True),
        ("x.txt", "[12/05/24, 18:00:11] Ann: hello\n[12/05/24, 18:01:00] Bob: hi\n", True),
        ("x.log", "data = [1, 2] was read\ndata = [3] was not\n", True),
        ("x.log", '["a" b] is a text\nand so is this\n', True),
        ("x.csv", "2024-05-01,text\n2024-05-02,good food\n", False),
        ("x", SENTENCES, True),
        ("x", "remark\ngood\nbad\n", False),
        ("x", "id,comment\n1,The food was good\n", False),
    ],
)
def test_lines_are_chosen_where_a_file_is_no_table(tmp_path, name, content, is_lines):
    path = tmp_path / name
    path.write_text(content)
    corpus = read_corpus(path)
    assert (corpus.format == "lines") == is_lines
    if is_lines:
        assert corpus.texts == [line.strip() for line in content.splitlines()]
        assert any("plain lines" in note for note in corpus.notes)


def test_lines_can_be_asked_for_and_keep_their_quotes(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(b'"good",\r\nbad, "really"\rfine')
    corpus = read_corpus(path, input_format="lines", limit=3)
    assert corpus.texts == ['"good",', 'bad, "really"', "fine"]
    assert corpus.text_columns == ("text",)


def test_rows_of_lines_come_out_as_csv(inbedder, tiny):
    result = inbedder("cluster", "-", "-i", "What?", "-k", 2, "-m", tiny, "--no-baseline", stdin=SENTENCES)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[0].startswith("text,cluster")
    assert len(result.stdout.splitlines()) == 5
