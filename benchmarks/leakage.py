"""Near-duplicates between training queries and an evaluation set: `make leakage`.

Two queries are near-duplicates when at most `EDITS` of the longer one's characters have to be
edited (Levenshtein, after case and spacing are folded), or when their sentence embeddings have a
cosine of at least `COSINE`. Prints the training rows concerned; exits with 1 if there is one.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from rich.progress import track
from sklearn.feature_extraction.text import TfidfVectorizer

from filmstill import Task, load_examples
from filmstill.data.corpus import corpus_path, evaluation_path
from filmstill.query import same_query
from filmstill.student.base import find_base

EDITS = 0.15
COSINE = 0.92
_SHORTLIST = 0.5  # cosine of character trigrams below which an edit distance is not worth taking


def main() -> None:
    """Compare, print, exit."""
    parser = argparse.ArgumentParser(description=__doc__)
    task = Task.builtin()
    parser.add_argument("--train", type=Path, default=corpus_path(task))
    parser.add_argument("--set", type=Path, dest="evaluation", default=evaluation_path(task))
    options = parser.parse_args()
    train = [item.query for item in load_examples(options.train, task).examples]
    held_out = [item.query for item in load_examples(options.evaluation, task).examples]
    cosines = embed(held_out) @ embed(train).T  # (n_held_out, n_train)
    trigrams = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3)).fit(train + held_out)
    overlap = (trigrams.transform(held_out) @ trigrams.transform(train).T).toarray()
    found = set()
    for row, query in enumerate(held_out):
        for column in np.flatnonzero((cosines[row] >= COSINE) | (overlap[row] >= _SHORTLIST)):
            edits = edit_share(same_query(query), same_query(train[column]))
            if edits <= EDITS or cosines[row, column] >= COSINE:
                found.add(train[column])
                print(f"{train[column]}\t{query}\t{edits:.2f}\t{cosines[row, column]:.3f}")
    share = f"{len(found)} of {len(train):,} training queries"
    print(f"{share} are near-duplicates of {len(held_out)} held-out ones", file=sys.stderr)
    sys.exit(1 if found else 0)


def embed(queries: list[str]) -> np.ndarray:
    """Normalised sentence embeddings `(n, 384)` of the base encoder."""
    import torch
    from tokenizers import Tokenizer

    from filmstill.student.train.batches import Encoded
    from filmstill.student.train.net import build_net

    base = find_base()
    net = build_net(base, 2, 0.0, 0).eval()
    tokenizer = Tokenizer.from_file(str(base.folder / "tokenizer.json"))
    tokenizer.no_padding()
    rows = [item.ids for item in tokenizer.encode_batch(queries)]
    order = np.argsort([len(row) for row in rows])
    vectors = np.zeros((len(rows), net.head.in_features), dtype=np.float32)
    data = Encoded(rows, torch.zeros(len(rows), 2), 0)
    with torch.inference_mode():
        for start in track(range(0, len(rows), 64), "Embedding", transient=True):
            indices = order[start : start + 64].tolist()
            ids, mask, _ = data.batch(indices)
            states = net.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
            weights = mask.unsqueeze(-1).float()
            vectors[indices] = ((states * weights).sum(1) / weights.sum(1)).numpy()
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def edit_share(first: str, second: str) -> float:
    """Levenshtein distance divided by the longer length, 0..1."""
    before = list(range(len(second) + 1))
    for row, letter in enumerate(first, start=1):
        now = [row]
        for column, other in enumerate(second, start=1):
            now.append(min(before[column] + 1, now[-1] + 1, before[column - 1] + (letter != other)))
        before = now
    return before[-1] / max(len(first), len(second), 1)


if __name__ == "__main__":
    main()
