from __future__ import annotations

from inbedder_cli import __version__


def test_what_a_bug_report_needs_is_printed_and_nothing_is_fetched(inbedder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INBEDDER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("INBEDDER_SEED", "7")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    (tmp_path / "inbedder.toml").write_text('seed = 3\ndtype = "float16"\ndevice = "cpu"\n')
    result = inbedder("env")
    assert result.exit_code == 0
    shown = dict(line.split("\t") for line in result.stdout.splitlines())
    assert shown["inbedder"] == __version__
    assert shown["torch"][0].isdigit()
    assert (shown["device"], shown["dtype"]) == ("cpu", "float16")
    assert shown["models"] == f"{tmp_path / 'cache' / 'models'}: none"
    assert shown["cache"].startswith(f"{tmp_path / 'cache'}")
    assert shown["settings"] == str(tmp_path / "inbedder.toml")
    assert shown["INBEDDER_SEED"] == "7"
    assert "hf_secret" not in result.stdout
