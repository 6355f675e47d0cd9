"""What a cluster is about: its top terms by class-based TF-IDF, and the documents nearest to its centroid."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer

from memstudio.bank.clusters import BETWEEN, LABEL_TERMS
from memstudio.builder.tree import Grown

_TERMS, _EXEMPLARS = 8, 3


@dataclass(frozen=True)
class Label:
    """terms: best first; label: the first few of them; exemplars: rows of the documents, nearest to the centroid first."""

    label: str
    terms: list[str]
    exemplars: list[int]


def label_clusters(texts: Iterable[str], keys: NDArray[np.float32], grown: Grown) -> list[list[Label]]:
    """Labels of every cluster, level by level.

    c-TF-IDF: frequency of a term in the cluster, times log(1 + mean words a cluster / frequency of the term over all).
    """
    counter = CountVectorizer(token_pattern=r"(?u)\b[^\W\d_]{2,}\b", stop_words="english", min_df=1)
    try:
        counts = counter.fit_transform(texts)
    except ValueError:  # no word but stop words in all the texts
        return [[Label("", [], [])] * len(centroids) for centroids in grown.centroids]
    words = counter.get_feature_names_out()
    out = []
    for level, centroids in enumerate(grown.centroids):
        members = grown.paths[:, level]
        labels = []
        total = np.asarray(counts.sum(axis=0)).ravel()
        weight = np.log1p(counts.sum() / len(centroids) / total)
        order = np.argsort(members, kind="stable")
        ends = np.searchsorted(members[order], np.arange(len(centroids) + 1))
        for cluster, centroid in enumerate(centroids):
            inside = order[ends[cluster] : ends[cluster + 1]]
            if not len(inside):
                labels.append(Label("", [], []))
                continue
            score = np.asarray(counts[inside].sum(axis=0)).ravel() * weight
            terms = [str(words[i]) for i in np.argsort(-score, kind="stable")[:_TERMS] if score[i] > 0]
            near = inside[np.argsort(np.linalg.norm(keys[inside] - centroid, axis=1), kind="stable")[:_EXEMPLARS]]
            labels.append(Label(BETWEEN.join(terms[:LABEL_TERMS]), terms, [int(i) for i in near]))
        out.append(labels)
    return out
