"""UTF-16 without a byte-order mark: told with the option that reads it, whatever the script."""

from __future__ import annotations

import pytest

from inbedder_cli.corpus import read_corpus
from inbedder_cli.corpus.text_lines import wide_encoding
from inbedder_cli.errors import InputError

TEXTS = {
    "latin": "The room was cold and the staff unfriendly.",
    "cyrillic": "Номер был холодный, а завтрак не работал.",
    "chinese": "房间很冷，早餐也不好，服务员态度很差。",
    "japanese": "部屋が寒くて、サービスもあまり良くなかったです。",
    "korean": "방이 추웠고 아침 식사도 별로였습니다.",
    "arabic": "كانت الغرفة باردة والإفطار سيئا",
    "hindi": "कमरा ठंडा था और नाश्ता अच्छा नहीं था।",
}


@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-16-le"])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_utf_16_without_a_mark_is_told_and_read_when_named(tmp_path, text, encoding):
    path = tmp_path / "x.csv"
    path.write_bytes(("id,text\r\n" + "".join(f'{i},"{text}"\r\n' for i in range(40))).encode(encoding))
    with pytest.raises(InputError) as caught:
        read_corpus(path)
    assert f"--encoding {encoding}" in caught.value.hint
    assert read_corpus(path, encoding=encoding).texts == [text] * 40


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_utf_8_with_a_nul_byte_is_not_taken_for_utf_16(text):
    assert wide_encoding(f"id,text\n1,{text}\0\n2,{text}\n".encode()) is None


def test_bytes_of_any_kind_are_not_taken_for_utf_16():
    assert wide_encoding(bytes(range(256)) * 9) is None
