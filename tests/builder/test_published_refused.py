"""A checkpoint that is not what it says: one line that names the piece, nothing left on the disk, and no code ever run."""

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from memstudio.bank.bank import open_bank
from memstudio.builder.published import import_published, write_published
from memstudio.errors import UserError
from memstudio.jobs import Cancelled, Job
from tests.bank.damage import header_of, write_with_header
from tests.checkpoint import DIM, HIDDEN, make_centroids, make_weights, save, tensors_of
from tests.tiny import make_anchor

Refuse = Callable[..., None]


@pytest.fixture(scope="module")
def anchor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_anchor(tmp_path_factory.mktemp("anchors") / "anchor")


@pytest.fixture
def refuse(tmp_path: Path, anchor: Path) -> Refuse:
    """Import a checkpoint, which must give one line that holds these parts and leave nothing on the disk."""

    def run(path: Path, *says: str, **options: object) -> None:
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(UserError) as caught:
            import_published(path, tmp_path / "bank", anchor=str(anchor), **options)
        line = str(caught.value)
        assert "\n" not in line
        assert [part for part in says if part not in line] == [], line
        assert sorted(tmp_path.rglob("*")) == before

    return run


def _replace(name: str, change: Callable[[Tensor], Tensor]) -> Callable[[dict[str, Tensor]], object]:
    return lambda tensors: tensors.update({name: change(tensors[name]).contiguous()})


def _set(name: str, place: tuple[int, ...], value: float) -> Callable[[dict[str, Tensor]], object]:
    return lambda tensors: tensors[name].__setitem__(place, value)


def _rename(*pairs: str) -> Callable[[dict[str, Tensor]], object]:
    def change(tensors: dict[str, Tensor]) -> None:
        for before, after in zip(pairs[::2], pairs[1::2], strict=True):
            for name in [name for name in tensors if before in name]:
                tensors[name.replace(before, after)] = tensors.pop(name)

    return change


W = "model.layers.1.memory.2.W"
REFUSED = [
    (lambda t: t.pop(f"{W}2"), ["level 2", "W2 of layer 1", "missing"]),
    (lambda t: [t.pop(f"{W}{end}") for end in "123"], ["level 2", "W1 of layer 1", "2 more"]),
    (_replace(f"{W}2", lambda w: w.transpose(1, 2)), [f"{W}2", "[10, 3, 32]", "[10, 32, 3]"]),
    (_replace(f"{W}3", lambda w: w[:, :2]), [f"{W}3", "[10, 2, 32]", "[10, 3, 32]"]),
    (_replace(f"{W}3", lambda w: w[:9]), [f"{W}3", "9"]),
    (_replace(f"{W}1", lambda w: w.double()), [f"{W}1", "float64"]),
    (_replace(f"{W}1", lambda w: w.long()), [f"{W}1", "int64"]),
    (_set(f"{W}1", (4, 0, 0), float("nan")), [f"{W}1", "NaN", "block 2/4"]),
    (_set(f"{W}3", (9, 1, 1), float("inf")), [f"{W}3", "infinity", "generic block of level 2"]),
    (lambda t: t.update({"other.layers.1.memory.2.W1": t[f"{W}1"].clone()}), ["other.layers.1.memory.2.W1", f"{W}1"]),
    (lambda t: [t.pop(name) for name in list(t) if "centroids" in name], ["--tree", "centroids.<level>"]),
    (lambda t: t.pop("centroids.2"), ["1, 3"]),
    (lambda t: t.pop("centroids.3"), ["documents.3"]),
    (_replace("centroids.2", lambda c: c[:, :100]), ["centroids.2", "[9, 100]", "384"]),
    (_replace("centroids.2", lambda c: c[:8]), ["centroids.2", "[8, 384]", "3 above"]),
    (_replace("centroids.3", lambda c: c.view(3, 9, DIM)), ["centroids.3", "[3, 9, 384]", "9 above"]),
    (_set("centroids.3", (20, 5), float("nan")), ["centroids.3", "cluster 20"]),
    (_replace("documents.1", lambda d: -d), ["documents.1"]),
    (_replace("documents.1", lambda d: d.float()), ["documents.1", "float32"]),
    (_replace("documents.1", lambda d: d[:2]), ["documents.1", "[2]"]),
    (lambda t: [t.pop(name) for name in list(t) if "memory" in name], ["no blocks", "6 tensors"]),
    (_rename("layers.1", "layers.2"), ["layer 2", "0 to 1"]),
    (_rename("layers.1.memory", "layers.1.5.memory", "layers.0.memory", "layers.0.4.memory"), ["level.N"]),
]  # fmt: skip


@pytest.mark.parametrize(("damage", "says"), REFUSED, ids=lambda each: " ".join(each[:2]) if isinstance(each, list) else "")
@pytest.mark.parametrize("kind", ["safetensors", "pt"])
def test_a_wrong_checkpoint_is_one_line_that_names_the_piece(tmp_path: Path, refuse: Refuse, damage, says, kind: str) -> None:
    tensors = {**tensors_of(make_weights()), **make_centroids()}
    damage(tensors)
    path = save(tmp_path / f"bad.{kind}", tensors)
    refuse(path, *says)


def test_a_tree_of_another_bank_is_refused(tmp_path: Path, refuse: Refuse) -> None:
    path = save(tmp_path / "bad.safetensors", tensors_of(make_weights(clusters=(4, 16, 64))), make_centroids())
    refuse(path, "5/17/65", "4/10/28")


def test_an_anchor_that_does_not_fit_is_refused(tmp_path: Path, refuse: Refuse, anchor: Path) -> None:
    good = save(tmp_path / "good.safetensors", tensors_of(make_weights()), make_centroids())
    wide = {
        name: torch.zeros(4, HIDDEN * 2, 3) if name[-1] != "3" else torch.zeros(4, 3, HIDDEN * 2)
        for name in ("layers.0.W1", "layers.0.W2", "layers.0.W3")
    }
    one = {name: tensor for name, tensor in make_centroids().items() if name.endswith(".1")}
    refuse(save(tmp_path / "wide.safetensors", wide, one), "hidden size 64", "32")
    gelu = make_anchor(tmp_path / "gelu")
    text = (gelu / "config.json").read_text()
    (gelu / "config.json").write_text(text.replace('"silu"', '"gelu_pytorch_tanh"'))
    for other, says in [(gelu, "gelu_pytorch_tanh"), (tmp_path / "nowhere", "nowhere")]:
        with pytest.raises(UserError, match=says):
            import_published(good, tmp_path / "bank", anchor=str(other))
    assert not (tmp_path / "bank").exists()


def test_a_number_too_large_for_the_wanted_dtype_is_refused(tmp_path: Path, refuse: Refuse) -> None:
    weights = make_weights()
    weights[0, 1, "W2"][1, 0, 0] = 1e30
    path = save(tmp_path / "big.safetensors", tensors_of(weights), make_centroids())
    refuse(path, "model.layers.0.memory.1.W2", "block 1/1", "float16", dtype="float16")


def test_a_name_that_a_manifest_cannot_hold_is_refused(tmp_path: Path, refuse: Refuse) -> None:
    path = save(tmp_path / "good.safetensors", tensors_of(make_weights()), make_centroids())
    refuse(path, "--name", name="../up")


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path, refuse: Refuse) -> None:
    path = save(tmp_path / "good.safetensors", tensors_of(make_weights()), make_centroids())
    (tmp_path / "bank").mkdir()
    (tmp_path / "bank" / "mine.txt").write_text("mine")
    refuse(path, "already")


def test_a_cancelled_import_leaves_nothing(tmp_path: Path, anchor: Path) -> None:
    path = save(tmp_path / "good.safetensors", tensors_of(make_weights()), make_centroids())
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(Cancelled):
        import_published(path, tmp_path / "bank", anchor=str(anchor), job=Job("import", on_progress=lambda job: job.cancel()))
    assert sorted(tmp_path.rglob("*")) == before


class Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch '{self.mark}'",)


def test_the_code_of_a_pickle_never_runs(tmp_path: Path, refuse: Refuse) -> None:
    mark = tmp_path / "ran"
    tensors = {**tensors_of(make_weights()), **make_centroids()}
    torch.save({**tensors, "hook": Evil(mark)}, tmp_path / "evil.pt")
    torch.save({**tensors, "hook": Evil(mark)}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    (tmp_path / "plain.safetensors").write_bytes(pickle.dumps(Evil(mark)))
    for name, says in [("evil.pt", "system"), ("old.pt", "pickle"), ("plain.safetensors", "pickle")]:
        refuse(tmp_path / name, name, says)
        good = save(tmp_path / "good.safetensors", tensors)
        refuse(good, name, says, tree=tmp_path / name)
    assert not mark.exists()
    pickle.loads((tmp_path / "plain.safetensors").read_bytes())
    assert mark.exists()


def test_a_torch_file_that_would_swell_is_refused(tmp_path: Path, refuse: Refuse) -> None:
    tensors = {**tensors_of(make_weights()), **make_centroids()}
    one = torch.zeros(1)
    wide = {name: one.expand(tensor.shape) if name.endswith("W1") else tensor for name, tensor in tensors.items()}
    torch.save(wide, tmp_path / "wide.pt")
    refuse(tmp_path / "wide.pt", "W1", "does not hold")
    shared = torch.zeros(28 * HIDDEN * 6)
    torch.save(
        {name: shared[: tensor.numel()].view(tensor.shape) if "W" in name else tensor for name, tensor in tensors.items()},
        tmp_path / "shared.pt",
    )
    refuse(tmp_path / "shared.pt", "share storage")
    with (
        zipfile.ZipFile(save(tmp_path / "good.pt", tensors)) as good,
        zipfile.ZipFile(tmp_path / "zip.pt", "w", zipfile.ZIP_DEFLATED) as out,
    ):
        for name in good.namelist():
            out.writestr(name, good.read(name))
    refuse(tmp_path / "zip.pt", "compressed")
    nested: object = tensors
    for _ in range(20):
        nested = {"a": nested}
    torch.save(nested, tmp_path / "deep.pt")
    refuse(tmp_path / "deep.pt", "deep")


def test_damaged_files_are_refused(tmp_path: Path, refuse: Refuse) -> None:
    tensors = {**tensors_of(make_weights()), **make_centroids()}
    for kind in ("safetensors", "pt"):
        raw = save(tmp_path / f"good.{kind}", tensors).read_bytes()
        (tmp_path / f"short.{kind}").write_bytes(raw[: len(raw) // 2])
        refuse(tmp_path / f"short.{kind}", f"short.{kind}")
    header, body = header_of(tmp_path / "good.safetensors")
    header[f"{W}1"]["shape"] = [1 << 40, HIDDEN, 3]
    write_with_header(tmp_path / "absurd.safetensors", header, body)
    refuse(tmp_path / "absurd.safetensors", "header", f"{W}1")
    (tmp_path / "empty.pt").write_bytes(b"")
    (tmp_path / "text.pt").write_text("W1 W2 W3 and more")
    (tmp_path / "folder").mkdir()
    with zipfile.ZipFile(tmp_path / "other.pt", "w") as out:
        out.writestr("readme.txt", "no tensors")
    for name in ("empty.pt", "text.pt", "folder", "other.pt", "nowhere.pt"):
        refuse(tmp_path / name, name)


def test_a_name_in_two_shards_is_refused(tmp_path: Path, refuse: Refuse) -> None:
    (tmp_path / "shards").mkdir()
    for name in ("a", "b"):
        save(tmp_path / "shards" / f"{name}.safetensors", tensors_of(make_weights()), make_centroids())
    refuse(tmp_path / "shards", "two of its files")


def test_a_shard_that_links_out_of_its_folder_is_refused(tmp_path: Path, refuse: Refuse) -> None:
    outside = save(tmp_path / "outside.safetensors", tensors_of(make_weights()), make_centroids())
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "a.safetensors").symlink_to(outside)
    refuse(tmp_path / "shards", "out of the folder")


def test_no_room_on_the_disk_is_said_before_anything_is_written(tmp_path: Path, refuse: Refuse, tiny_bank: Path, monkeypatch) -> None:
    path = save(tmp_path / "good.safetensors", tensors_of(make_weights()), make_centroids())
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    refuse(path, "GB are needed")
    with pytest.raises(UserError, match="GB are needed"):
        write_published(open_bank(tiny_bank), tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


def test_zero_sides_ask_for_nothing(tmp_path: Path, refuse: Refuse) -> None:
    weights = tensors_of(make_weights())
    absurd = {f"model.layers.{layer}.memory.{at}.W{end}": torch.empty(0, 0, 0) for layer in (0, 1) for at in (4,) for end in (1, 2, 3)}
    save_file({**weights, **make_centroids(), **absurd}, tmp_path / "zero.safetensors")
    header, body = header_of(tmp_path / "zero.safetensors")
    for name in absurd:
        header[name]["shape"] = [1 << 40, 1 << 40, 0]
    write_with_header(tmp_path / "zero.safetensors", header, body)
    refuse(tmp_path / "zero.safetensors", "1099511627776")
