"""The tree that the builder grows is balanced, repeatable, and descended alike by builder and bank."""

import numpy as np
import pytest
from numpy.typing import NDArray

from memstudio.bank.tree import Tree
from memstudio.builder.demo.cluster import grow
from memstudio.builder.label import label_clusters
from memstudio.builder.tree import descend_all

BRANCHING = [3, 3]


@pytest.fixture
def keys() -> NDArray[np.float32]:
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(9, 16))
    vectors = (centres[rng.integers(9, size=240)] + 0.3 * rng.normal(size=(240, 16))).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_same_keys_and_seed_grow_the_same_tree(keys: NDArray[np.float32]) -> None:
    once, again = grow(keys, BRANCHING, 1.5, 0), grow(keys, BRANCHING, 1.5, 0)
    assert all((a == b).all() for a, b in zip(once.centroids, again.centroids, strict=True))
    assert (once.paths == again.paths).all()


def test_every_document_is_counted_once_a_level_and_a_child_lies_under_its_parent(keys: NDArray[np.float32]) -> None:
    grown = grow(keys, BRANCHING, 1.5, 0)
    assert [int(d.sum()) for d in grown.documents] == [240, 240]
    assert (grown.paths[:, 1] // 3 == grown.paths[:, 0]).all()


def test_builder_and_bank_descend_alike(keys: NDArray[np.float32]) -> None:
    grown = grow(keys, BRANCHING, 1.5, 0)
    tree = Tree(grown.centroids, grown.documents, tuple(BRANCHING))
    present = [documents > 0 for documents in grown.documents]
    rng = np.random.default_rng(4)
    strangers = rng.normal(size=(50, 16)).astype(np.float32)
    for key, path in zip(strangers, descend_all(strangers, grown.centroids, present, BRANCHING), strict=True):
        assert [c.index for c in tree.descend(key).clusters] == [int(i) for i in path]


def test_fewer_documents_than_clusters_leave_the_others_absent() -> None:
    few = np.eye(4, 16, dtype=np.float32)
    grown = grow(few, BRANCHING, 1.5, 0)
    assert [int((d > 0).sum()) for d in grown.documents][1] <= 4
    assert (grown.paths >= 0).all()


def test_labels_name_what_sets_a_cluster_apart(keys: NDArray[np.float32]) -> None:
    grown = grow(keys, BRANCHING, 1.5, 0)
    names = ["amber", "basalt", "cobalt"]
    texts = [f"The stone {names[int(path[0])]} is a common thing." for path in grown.paths]
    labels = label_clusters(texts, keys, grown)
    assert [label.terms[0] for label in labels[0]] == names
