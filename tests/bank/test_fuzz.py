"""Whatever bytes stand in a bank's files, opening and reading raises nothing but UserError."""

import json
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memstudio.bank.bank import open_bank
from memstudio.bank.clusters import Clusters
from memstudio.bank.files import check_relative, inside, read_header
from memstudio.bank.manifest import load_manifest, parse_manifest
from memstudio.bank.values import ClusterId
from memstudio.errors import UserError
from tests.bank.damage import header_of, write_with_header

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([-1, 2**63, 2**64, 10**30, "F32", "I64"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6) | st.sampled_from(["dtype", "shape"]), inner, max_size=4)
    ),
    max_leaves=10,
)
entries = st.fixed_dictionaries({"dtype": json_values, "shape": json_values, "data_offsets": json_values}) | st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "U8", "BF16", "X"]),
        "shape": st.lists(st.integers(-1, 5) | st.just(2**62), max_size=9),
        "data_offsets": st.lists(st.integers(-1, 40), min_size=1, max_size=3),
    }
)
relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # every example restores the folder


@pytest.fixture
def copy(tiny_bank: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bank, tmp_path / "bank"))


@relaxed
@given(st.binary(max_size=200))
def test_any_bytes_as_a_tensor_file(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "any.safetensors"
    path.write_bytes(raw)
    with suppress(UserError):
        read_header(path)


@relaxed
@given(json_values | st.dictionaries(st.text(max_size=5), entries, max_size=3), st.binary(max_size=40))
def test_any_json_as_a_header_and_what_is_accepted_lies_in_the_file(tmp_path: Path, header: object, body: bytes) -> None:
    path = tmp_path / "any.safetensors"
    write_with_header(path, header, body)
    try:
        file = read_header(path)
    except UserError as error:
        assert "\n" not in str(error)
        return
    for entry in file.tensors.values():
        assert 8 <= entry.begin <= entry.end <= file.file_bytes


@relaxed
@given(st.data())
def test_any_change_in_a_real_header(copy: Path, data: st.DataObject) -> None:
    path = copy / "blocks/level-1.safetensors"
    original = path.read_bytes()
    raw = bytearray(original)
    end = 8 + int.from_bytes(raw[:8], "little")
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, end - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)
    with suppress(UserError):
        open_bank(copy).block(ClusterId(1, 1))
    path.write_bytes(original)


@relaxed
@given(st.data())
def test_any_value_anywhere_in_the_manifest(copy: Path, data: st.DataObject) -> None:
    original = (copy / "bank.json").read_bytes()
    body = json.loads(original)
    at, key = body, data.draw(st.sampled_from(sorted(body)))
    while isinstance(at[key], dict | list) and at[key] and data.draw(st.booleans()):
        at = at[key]
        key = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
    at[key] = data.draw(json_values)
    (copy / "bank.json").write_text(json.dumps(body))
    with suppress(UserError):
        load_manifest(copy)
        open_bank(copy).info()
    (copy / "bank.json").write_bytes(original)


@given(st.binary(max_size=100) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_as_a_manifest(raw: bytes) -> None:
    with pytest.raises(UserError) as caught:
        parse_manifest(raw, "bank.json")
    assert "\n" not in str(caught.value)


@settings(relaxed, max_examples=60)
@given(st.data())
def test_any_change_in_the_clusters_file(copy: Path, data: st.DataObject) -> None:
    path = copy / "clusters.sqlite"
    original = path.read_bytes()
    raw = bytearray(original)
    for _ in range(data.draw(st.integers(1, 30))):
        raw[data.draw(st.integers(0, len(raw) - 1) | st.integers(0, 200))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw[: data.draw(st.just(len(raw)) | st.integers(0, len(raw)))])
    with suppress(UserError):
        clusters = Clusters(path)
        for ask in (
            lambda: clusters.card(ClusterId(1, 0)),
            lambda: list(clusters.cards(2)),
            lambda: clusters.labels(3, 27),
            lambda: clusters.documents_of(ClusterId(1, 0)),
            lambda: clusters.search("gold"),
        ):
            with suppress(UserError):
                ask()
    path.write_bytes(original)


@relaxed
@given(st.text(max_size=20) | st.lists(st.sampled_from(["..", ".", "", "a", "x.json"]), max_size=5).map("/".join))
def test_no_path_leaves_the_folder(tmp_path: Path, path: str) -> None:
    try:
        check_relative(path)
    except ValueError:
        with pytest.raises(UserError):
            inside(tmp_path, path)
        return
    assert (tmp_path / path).resolve().is_relative_to(tmp_path.resolve())


def test_the_header_of_a_real_file_is_read_as_safetensors_reads_it(tiny_bank: Path) -> None:
    from safetensors import safe_open

    for path in sorted(tiny_bank.rglob("*.safetensors")):
        file = read_header(path)
        with safe_open(path, framework="np") as other:
            assert sorted(other.keys()) == sorted(file.tensors)
            for name, entry in file.tensors.items():
                assert tuple(other.get_slice(name).get_shape()) == entry.shape
        assert "__metadata__" not in file.tensors
        assert header_of(path)[0].keys() - {"__metadata__"} == file.tensors.keys()
