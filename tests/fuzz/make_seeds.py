"""Write tests/fuzz/seeds, the whole files from which the fuzz test starts: python -m tests.fuzz.make_seeds

Saved runs, vectors and the cache are not there: the test lets the program write them, so that they are never of an
older layout than the program reads.
"""

from __future__ import annotations

import json
import re
import zipfile
from datetime import datetime, time
from pathlib import Path

SEEDS = Path(__file__).parent / "seeds"
TEXTS = [
    "The room was cold, and loud.",
    'They said "sorry"; we left.',
    "Größe passt, Qualität auch – 😀",
    "Lovely breakfast,\nthank you!",
    "",
    "Staff ignored us all evening.",
]
EVIL = 'raise SystemExit("code of a model folder was run")\n'


def tables(folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    quoted = ['"' + text.replace('"', '""') + '"' for text in TEXTS]
    rows = [f"a{i},{text},{i % 3},2024-01-0{i + 1}" for i, text in enumerate(quoted)]
    plain = "\n".join(["id,text,stars,day", *rows]) + "\n"
    (folder / "reviews.csv").write_text(plain, encoding="utf-8")
    (folder / "windows.csv").write_bytes(
        plain.replace("–", "-").replace(" 😀", "").replace("\n", "\r\n").encode("cp1252")
    )
    (folder / "excel.csv").write_text("\ufeffsep=;\n" + "id;text\n1;cold\n2;loud\n\n3;kind\n", encoding="utf-8")
    (folder / "utf16.csv").write_text("id,text\n1,cold room\n2,kind staff\n", encoding="utf-16")
    (folder / "one.csv").write_text("text\ncold room\n\nkind staff\n", encoding="utf-8")
    (folder / "tabs.tsv").write_text("id\ttext\n1\tcold room\n2\tkind staff\n", encoding="utf-8")
    records = [{"id": i, "text": t, "tags": ["x", {"y": None}], "n": 1.5} for i, t in enumerate(TEXTS)]
    lines = [json.dumps(record, ensure_ascii=i % 2 == 0) for i, record in enumerate(records)]
    (folder / "reviews.jsonl").write_text(
        "\n".join([*lines, '{"text": "late key", "extra": true}']) + "\n", "utf-8"
    )
    table = pa.table({"id": list(range(6)), "text": TEXTS, "tags": [["x"], None, [], ["y", "z"], [None], ["x"]]})
    pq.write_table(table, folder / "reviews.parquet", compression="none")
    pq.write_table(table, folder / "packed.parquet", compression="zstd", row_group_size=2)


def documents(folder: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    sheet.title = "Reviews"
    sheet.append(["id", "text", "stars", "day", "sum"])
    for i, text in enumerate(TEXTS):
        sheet.append([f"a{i}", text, i % 3, datetime(2024, 1, 1 + i, tzinfo=None), f"=C{i + 2}+1"])
    sheet.append(["a9", "cold room", True, time(8, 30), "#N/A"])
    book.create_sheet("Second").append(["reviews"])
    book.save(folder / "book.xlsx")
    _as_excel_writes(folder / "book.xlsx")
    rows = [
        {
            "id": i,
            "ticket": {"id": i, "text": text, "items": [{"id": i, "text": text}, {"text": None}]},
            "text": text,
        }
        for i, text in enumerate(TEXTS)
    ]
    document = {"version": 1, "data": {"rows": rows, "next": None}, "more": ["a", 1.5, None]}
    (folder / "document.json").write_text(json.dumps(document, ensure_ascii=False, indent=1), "utf-8")
    (folder / "lines.txt").write_text("\n".join([*TEXTS[:3], "", *TEXTS[4:]]) + "\n", encoding="utf-8")
    ids = ['"{""ImportId"":""QID1""}"', '"{""ImportId"":""QID2_TEXT""}"']
    qualtrics = [
        "Q1,Q2",
        "How many stars?,What did you think of it?",
        ",".join(ids),
        "3,cold room",
        "1,kind staff",
    ]
    (folder / "qualtrics.csv").write_text("\n".join(qualtrics) + "\n", encoding="utf-8")
    monkey = [
        "Respondent ID,Collector ID,What did you think of it?,",
        ",,Open-Ended Response,Other",
        "1,2,cold room,x",
    ]
    (folder / "surveymonkey.csv").write_text("\n".join([*monkey, "2,2,kind staff,"]) + "\n", encoding="utf-8")
    titled = ["Export of 2024", "", "id,text,text", '1,"a \\"cold\\" room",x', "2,kind staff", "3,a,b,c"]
    (folder / "titled.csv").write_text("\n".join(titled) + "\n", encoding="utf-8")


SHARED = "xl/sharedStrings.xml"
SHARED_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
TEXT_CELL = re.compile(r't="inlineStr"><is>(<t.*?</t>)</is>', re.DOTALL)


def _as_excel_writes(book: Path) -> None:
    """Write the archive again with its texts in a file of their own, in order, and without times."""
    with zipfile.ZipFile(book) as archive:
        files = {name: archive.read(name).decode() for name in sorted(archive.namelist())}
    shared: list[str] = []

    def refer(cell: re.Match[str]) -> str:
        shared.append(f"<si>{cell[1]}</si>")
        return f't="s"><v>{len(shared) - 1}</v>'

    for number in (1, 2):
        name = f"xl/worksheets/sheet{number}.xml"
        files[name] = TEXT_CELL.sub(refer, files[name])
    namespace = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    files[SHARED] = f'<sst xmlns="{namespace}" uniqueCount="{len(shared)}">{"".join(shared)}</sst>'
    types = "[Content_Types].xml"
    part = f'<Override PartName="/{SHARED}" ContentType="{SHARED_TYPE}"/></Types>'
    files[types] = files[types].replace("</Types>", part)
    with zipfile.ZipFile(book, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def model(folder: Path) -> None:
    import torch
    import transformers as t
    from safetensors.torch import save_file

    from tests.conftest import make_tokenizer

    torch.manual_seed(0)
    tokenizer = make_tokenizer()
    shape = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    ends = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "max_position_embeddings": 256}
    config = t.LlamaConfig(
        vocab_size=len(tokenizer), **shape, **ends, num_key_value_heads=2, initializer_range=0.2
    )
    tokenizer.chat_template = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    t.LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "evil.py").write_text(EVIL)
    adapter = folder / "adapter"
    adapter.mkdir(exist_ok=True)
    layer = "base_model.model.model.layers.0.self_attn.q_proj"
    matrices = {f"{layer}.lora_A.weight": torch.ones(2, 8), f"{layer}.lora_B.weight": torch.ones(8, 2)}
    save_file(matrices, adapter / "adapter_model.safetensors")
    settings = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "bias": "none", "target_modules": ["q_proj"]}
    (adapter / "adapter_config.json").write_text(json.dumps(settings, indent=1))
    manifest = {"schema": 2, "name": "seed", "description": "tiny", "license": "Apache-2.0", "adapter": "adapter"}
    manifest |= {"base": {"wheel": None, "model": None, "weights_sha256": None}, "template": "paper"}
    manifest |= {"layer": None, "pooling": None, "n_masks": 3, "standardize": False}
    (folder / "inbedder.json").write_text(json.dumps(manifest, indent=1))


def gguf_file(path: Path, source: Path) -> None:
    import gguf
    from safetensors.numpy import load_file

    config = json.loads((source / "config.json").read_text())
    vocabulary = json.loads((source / "tokenizer.json").read_text())["model"]
    tokens = sorted(vocabulary["vocab"], key=vocabulary["vocab"].get)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in ("<pad>", "<s>", "</s>") else 1 for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in vocabulary["merges"]])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    names = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    parts = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v"}
    parts |= {"self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up"}
    parts |= {"mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}
    names |= {f"model.layers.0.{name}": f"blk.0.{short}" for name, short in parts.items()}
    for name, tensor in load_file(source / "model.safetensors").items():
        writer.add_tensor(names[name.removesuffix(".weight")] + ".weight", tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def suite(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    triplet = {
        "set": "x",
        "goal": "g",
        "anchor": "a b",
        "positive": "a c",
        "negative": "d",
        "instruction": "What?",
    }
    (folder / "triplets.jsonl").write_text(json.dumps(triplet) + "\n")
    pair = {"set": "x", "sentence1": "a b", "sentence2": "a c", "instruction": "What?", "score": 3.5}
    (folder / "instruct_sts.jsonl").write_text(json.dumps(pair) + "\n")
    rows = [json.dumps({"text": f"text {i}", "topic": f"t{i % 2}"}) for i in range(6)]
    (folder / "topics.jsonl").write_text("\n".join(rows) + "\n")
    task = {"task": "topics", "file": "topics.jsonl", "label_column": "topic", "instruction": "What topic?"}
    (folder / "tasks.json").write_text(json.dumps([task | {"paraphrases": ["Which topic?"]}], indent=1))
    example = {"input": "the cat sat", "instruction": "Who sat?", "output": "the cat", "source": "x"}
    (folder / "examples.jsonl").write_text((json.dumps(example) + "\n") * 4)


if __name__ == "__main__":
    SEEDS.mkdir(exist_ok=True)
    tables(SEEDS)
    documents(SEEDS)
    model(SEEDS / "model")
    gguf_file(SEEDS / "tiny.gguf", SEEDS / "model")
    suite(SEEDS / "suite")
    (SEEDS / "names.txt").write_text("# renames and merges\n0 = late delivery\n1 -> 0\n", encoding="utf-8")
    (SEEDS / "words.txt").write_text("the\na\n# comment\nof it\n", encoding="utf-8")
