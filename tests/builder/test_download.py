"""An anchor of the model hub: never fetched unasked, its size said first, and of its files only configuration, weights and tokenizer."""

import hashlib
import json
import shutil
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # of its HTTP client

from memstudio.bank.hub import cache_folder, cached_snapshot
from memstudio.builder.source import download, fetch, find_source, is_cached
from memstudio.cli import main, show
from memstudio.errors import UserError
from tests.tiny import make_anchor

COMMIT = "0123456789abcdef0123456789abcdef01234567"
UNWANTED = ("pytorch_model.bin", "modeling_own.py", "README.md", "model.gguf", "onnx/model.safetensors", "weights.pt", ".gitattributes")


class Hub:
    """Stands in for the hub: one repository, org/small, and what was asked of it. The cache is laid out as the library does it."""

    def __init__(self, folder: Path) -> None:
        self.files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        self.fetched: list[str] = []
        self.asked: list[tuple[str, str | None]] = []
        self.breaks_at: str | None = None
        self.before_fetch: Callable[[], object] = lambda: None

    def model_info(self, repo: str, *, revision: str | None = None, files_metadata: bool = False) -> SimpleNamespace:
        self.asked.append((repo, revision))
        if repo != "org/small":
            raise HTTPError("404 Client Error: Repository Not Found\nfor url …")
        assert files_metadata, "sizes are not told without"
        return SimpleNamespace(siblings=[SimpleNamespace(rfilename=name, size=len(raw)) for name, raw in self.files.items()])

    def snapshot_download(self, repo: str, *, revision: str | None = None, allow_patterns: list[str]) -> str:
        self.before_fetch()
        root = cache_folder() / f"models--{repo.replace('/', '--')}"
        snapshot = root / "snapshots" / COMMIT
        (root / "refs").mkdir(parents=True, exist_ok=True)
        (root / "refs" / (revision or "main")).write_text(COMMIT)
        for name, raw in sorted(self.files.items()):
            if any(fnmatchcase(name, pattern) for pattern in allow_patterns):
                if name == self.breaks_at:
                    raise ConnectionError("")
                blob, link = root / "blobs" / hashlib.sha256(raw).hexdigest(), snapshot / name
                for path in (blob, link):
                    path.parent.mkdir(parents=True, exist_ok=True)
                blob.write_bytes(raw)
                link.unlink(missing_ok=True)
                link.symlink_to(blob)
                self.fetched.append(name)
        return str(snapshot)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    folder = make_anchor(tmp_path / "upstream")
    for name in UNWANTED:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"import os; os.remove('/')")
    made = Hub(folder)
    shutil.rmtree(folder)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: made)
    monkeypatch.setattr("huggingface_hub.snapshot_download", made.snapshot_download)
    return made


def wanted(hub: Hub) -> set[str]:
    return set(hub.files) - set(UNWANTED)


@pytest.mark.usefixtures("words")
def test_without_being_asked_nothing_is_fetched_and_with_it_the_size_comes_first(
    hub: Hub, documents: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["build", "--anchor", "org/small", "--corpus", str(documents), "--window", "32", str(tmp_path / "bank"), "--estimate-only"]
    assert main(command) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "--download" in said
    assert (hub.asked, hub.fetched) == ([], [])
    heard: list[str] = []
    hub.before_fetch = lambda: heard.append(capsys.readouterr().err)
    assert main([*command, "--download"]) == 0, capsys.readouterr().err
    size = sum(len(hub.files[name]) for name in wanted(hub))
    assert f"org/small: {len(wanted(hub))} files, {show.size(size)} to fetch" in heard[0]
    assert set(hub.fetched) == wanted(hub)
    assert {path.name for path in cache_folder().glob("models--org--small/snapshots/*/*")} == wanted(hub)
    assert is_cached("org/small")
    assert main([*command, "--download"]) == 0
    assert len(hub.asked) == 1, "what is in the cache is not asked for again"


def test_only_configuration_weights_and_tokenizer_are_listed_and_fetched(hub: Hub) -> None:
    files = download("org/small")
    assert dict(files) == {name: len(hub.files[name]) for name in wanted(hub)}
    assert {"config.json", "tokenizer.json", "model.safetensors"} <= {name for name, _ in files}
    fetch("org/small", files)
    assert set(hub.fetched) == wanted(hub)
    assert not [name for name in hub.fetched if name.endswith((".bin", ".py", ".pt")) or "/" in name]
    found = find_source("org/small")
    assert (found.hub, found.folder) == (f"org/small@{COMMIT}", cached_snapshot("org/small@main"))


def test_a_name_that_reads_as_a_pattern_fetches_itself_alone(hub: Hub) -> None:
    hub.files["*.safetensors"] = b"a trap"
    hub.files["sub/other.safetensors"] = b"not named"
    fetch("org/small", [("*.safetensors", 6)])
    assert hub.fetched == ["*.safetensors"]


def test_a_revision_is_asked_for_by_its_name(hub: Hub) -> None:
    fetch("org/small@v2", download("org/small@v2"))
    assert hub.asked == [("org/small", "v2")]
    assert is_cached("org/small@v2")
    assert not is_cached("org/small@v1")
    assert find_source("org/small@v2").hub == f"org/small@{COMMIT}"


def test_a_download_that_broke_off_is_no_model_and_is_gone_on_with(hub: Hub) -> None:
    files = download("org/small")
    hub.breaks_at = "model.safetensors"
    with pytest.raises(UserError, match=r"broke off \(ConnectionError\); say it again to go on"):
        fetch("org/small", files)
    assert not is_cached("org/small")
    with pytest.raises(UserError, match=r"not whole in the model cache \(model.safetensors is missing\); --download goes on"):
        find_source("org/small")
    hub.breaks_at = None
    fetch("org/small", files)
    assert is_cached("org/small")
    assert find_source("org/small").layers == 2


def test_a_part_of_the_weights_that_is_missing_is_named(tmp_path: Path) -> None:
    folder = make_anchor(tmp_path / "model")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors", "c": "../x.safetensors"}}))
    with pytest.raises(UserError, match=r"model-2\.safetensors is missing, which its index names"):
        find_source(str(folder))
    index.write_text("{")
    with pytest.raises(UserError, match="not valid JSON"):
        find_source(str(folder))


def test_a_model_of_pickled_weights_alone_is_refused_before_anything_is_fetched(hub: Hub) -> None:
    del hub.files["model.safetensors"]
    with pytest.raises(UserError, match="pickled weights are never read"):
        download("org/small")
    assert hub.fetched == []


@pytest.mark.parametrize("error", [HTTPError("no route\nto host"), ConnectionError(""), TimeoutError("slow")])
def test_a_hub_that_cannot_be_asked_is_one_line(hub: Hub, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(hub, "model_info", broken)
    with pytest.raises(UserError, match="the model hub cannot be asked") as caught:
        download("org/small")
    assert "\n" not in str(caught.value)


def test_a_model_that_is_not_there_is_one_line(hub: Hub) -> None:
    with pytest.raises(UserError, match="org/none: the model hub cannot be asked") as caught:
        download("org/none")
    assert "\n" not in str(caught.value)


def test_a_full_disk_is_said_before_anything_is_fetched(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(UserError, match="GB to fetch, the disk of the model cache has"):
        fetch("org/small", download("org/small"))
    assert hub.fetched == []
