from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from asap_hf.errors import UsageError
from asap_hf.hub.leaks import refuse_leaks

ROOT = Path(__file__).parents[2]
KEY = "Ab3dE6gH9jK2mN5pQ8sT1vW4yZ7"  # no secret's beginning, so that nothing finds one in this file


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose folders all have paths of their own."""
    for name in ("home/ann", "work/project", "scratch/files", "hub/cache"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home/ann"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub/cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch/files"))
    monkeypatch.chdir(tmp_path / "work/project")
    return tmp_path


SECRETS = {
    f"{'hf'}_{KEY}abcdefgh": "a Hugging Face token",
    f"{'api_org'}_{KEY}abcdefgh": "a Hugging Face token",
    f"{'sk'}-{KEY}": "an API key (sk-…)",
    f"{'sk'}-proj-{KEY}_{KEY}-x": "an API key (sk-…)",
    f"{'sk'}-ant-api03-{KEY}": "an API key (sk-…)",
    f"{'AKIA'}IOSFODNN7EXAMPLE": "an AWS access key",
    f"Authorization: {'Bearer'} {KEY}": "a bearer token",
    f"{'bearer'}  eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln": "a bearer token",
    f"-----{'BEGIN'} PRIVATE KEY-----": "a private key",
    f"-----{'BEGIN'} RSA PRIVATE KEY-----": "a private key",
    f"-----{'BEGIN'} OPENSSH PRIVATE KEY-----": "a private key",
    f"-----{'BEGIN'} PGP PRIVATE KEY BLOCK-----": "a private key",
}


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("around", ["{}", '{{"key": "{}"}}', "key: {}\n", "KEY={},", "\0\1{}\2\0", "`{}`"])
def test_secrets_by_their_form(secret: str, around: str) -> None:
    with pytest.raises(UsageError) as caught:
        refuse_leaks({"README.md": b"# Fine", "run.json": around.format(secret).encode()})
    assert str(caught.value) == (f"nothing is published, as run.json holds {SECRETS[secret]}: take that out first")


@pytest.mark.parametrize(
    "text",
    [
        "tokens before and after; hf_token, HF_TOKEN, hf_hub_download, hf_xet_high_performance_mode",
        "export HF_TOKEN=hf_... and OPENAI_API_KEY=sk-...",
        "Authorization: Bearer $HF_TOKEN, or Bearer <your token here>, or bearer of exceptionally-long-words",
        "sk-learn-compatible-estimators-for-everybody, task-2aB-a-very-long-name, risk-Averse-portfolio-2025-x",
        "AKIA, AKIAIOSFODNN7EXAMPLEANDMORE",
        "-----BEGIN PUBLIC KEY-----, -----BEGIN CERTIFICATE-----",
        "~/.cache/huggingface, /home/user/data, $HOME, ./out, /usr/bin/python, https://example.org/x",
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0ba822cd15d6c15b0f00a08",
        "<think>I should print the secret password, which is the key to this token.</think>",
    ],
)
def test_what_a_card_may_say(text: str) -> None:
    refuse_leaks({"README.md": text.encode()})


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "my_token", "WANDB_SECRET", "PGPASSWORD", "AWS_SECRET_ACCESS_KEY"])
def test_values_of_the_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "correct+horse(1)")
    with pytest.raises(UsageError) as caught:
        refuse_leaks({"card.yaml": b"password: correct+horse(1)\n"})
    assert f"card.yaml holds the value of the environment variable {name}:" in str(caught.value)
    assert "horse" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SHORT_KEY", "abc1234"),
        ("TOKENIZER", "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B"),
        ("KEYBOARD_LAYOUT", "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B"),
        ("EDITOR", "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B"),
    ],
)
def test_values_that_are_no_secret(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    refuse_leaks({"README.md": f"the tokenizer of {value}".encode()})


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("home/ann", "the path of your home folder"),
        ("work/project", "the path of the current folder"),
        ("scratch/files", "the path of the folder for temporary files"),
        ("hub/cache", "the path in HF_HOME"),
    ],
)
@pytest.mark.parametrize("around", ["{}", '"{}/model"', "file://{}/x", "in {}, or", "{}\n"])
def test_folders_of_this_machine(machine: Path, folder: str, kind: str, around: str) -> None:
    with pytest.raises(UsageError) as caught:
        refuse_leaks({"run.json": around.format(machine / folder).encode()})
    assert str(caught.value) == f"nothing is published, as run.json holds {kind}: take that out first"


def test_a_folder_by_either_of_its_paths(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine / "link").symlink_to(machine / "home/ann")
    monkeypatch.setenv("HOME", str(machine / "link"))
    for path in ("link", "home/ann"):
        with pytest.raises(UsageError, match="home folder"):
            refuse_leaks({"run.json": f"{machine}/{path}/x".encode()})


def test_a_folder_with_a_longer_name_is_another_one(machine: Path) -> None:
    refuse_leaks({"a": f"{machine}/home/anna {machine}/home/ann-2 /x{machine}/home/ann".encode()})


def test_a_folder_right_below_the_root_counts_with_a_file_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Alone it is in the vocabulary of every tokenizer."""
    monkeypatch.setenv("HOME", "/ann")
    refuse_leaks({"tokenizer.json": b'{"/ann": 1, "/ann/": 2, "/anna/x": 3}'})
    for path in (b"/ann/.ssh/config", b"/ann/data"):
        with pytest.raises(UsageError, match="home folder"):
            refuse_leaks({"run.json": path})
    monkeypatch.setenv("HOME", "/")
    refuse_leaks({"run.json": b"/etc/passwd"})


def test_every_file_and_kind_is_named(machine: Path) -> None:
    token = next(iter(SECRETS))
    (machine / "b.txt").write_text(f"{machine}/home/ann/x {token}")
    with pytest.raises(UsageError) as caught:
        refuse_leaks({"a.md": token.encode(), "b.txt": machine / "b.txt", "c": b"fine"})
    message = str(caught.value)
    assert (
        "a.md holds a Hugging Face token; b.txt holds a Hugging Face token; b.txt holds the path of your home"
        in message
    )
    assert token not in message
    assert str(machine) not in message
    assert "\n" not in message


def table(path: Path, rows: list[str], metadata: dict[str, str] | None = None, column: str = "text") -> Path:
    pq.write_table(pa.table({column: rows}).replace_schema_metadata(metadata), path)
    return path


def test_rows_are_not_searched_but_all_else_of_a_parquet_file_is(machine: Path) -> None:
    secret, home = next(iter(SECRETS)), f"{machine}/home/ann/model"
    refuse_leaks({"train.parquet": table(machine / "rows.parquet", [secret, home])})
    with pytest.raises(UsageError, match="in.parquet holds a Hugging Face token"):
        refuse_leaks({"in.parquet": table(machine / "a.parquet", ["x"], {"huggingface": f'{{"info": "{secret}"}}'})})
    with pytest.raises(UsageError, match="home folder"):
        refuse_leaks({"in.parquet": table(machine / "b.parquet", ["x"], {"path": home}).read_bytes()})
    with pytest.raises(UsageError, match="home folder"):
        refuse_leaks({"in.parquet": table(machine / "c.parquet", ["x"], column=home)})
    field = pa.field("text", pa.string(), metadata={"source": home})
    pq.write_table(pa.table({"text": ["x"]}, schema=pa.schema([field])), machine / "d.parquet")
    with pytest.raises(UsageError, match="home folder"):
        refuse_leaks({"in.parquet": machine / "d.parquet"})


def test_a_parquet_file_that_is_none(machine: Path) -> None:
    (machine / "broken.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(UsageError, match=r"x\.parquet cannot be read as a Parquet file"):
        refuse_leaks({"x.parquet": machine / "broken.parquet"})


def test_files_that_this_project_itself_publishes_pass(embedded_model: str) -> None:
    """Among them a real tokenizer with its whole vocabulary."""
    files = {
        path.name: path for path in Path(embedded_model).iterdir() if path.is_file() and path.suffix != ".safetensors"
    }
    assert "tokenizer.json" in files
    refuse_leaks({**files, "README.md": ROOT / "README.md", "LICENSE": ROOT / "LICENSE"})


def test_weights_are_passed_over_and_long_texts_are_not(machine: Path) -> None:
    with (machine / "large").open("wb") as file:
        file.truncate(65 << 20)
        file.seek(64 << 20)
        file.write(next(iter(SECRETS)).encode())
    refuse_leaks({"model.safetensors": machine / "large"})
    with pytest.raises(UsageError, match="Hugging Face token"):
        refuse_leaks({"large.jsonl": machine / "large"})
