"""Distil real labels of a real teacher and evaluate on its own held-out set: `make bench-teacher`.

Takes a folder with `nova_premier_train.jsonl` and `nova_premier_eval_v1.jsonl`: labels of Amazon
Nova Premier from the AWS sample sample-video-semantic-search-multimodal-embeddings (MIT-0). Some of
the evaluation queries stand in the training file too, so those that do not are reported apart.
"""

import argparse
import subprocess
import sys
from pathlib import Path

TRAIN, EVALUATION = "nova_premier_train.jsonl", "nova_premier_eval_v1.jsonl"


def main() -> None:
    """Run the two commands a user would."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("teacher", type=Path, help="folder with the two files")
    parser.add_argument("--out", type=Path, default=Path("runs/bench-teacher"))
    parser.add_argument("--seed", default="0")
    options = parser.parse_args()
    train, evaluation = options.teacher / TRAIN, options.teacher / EVALUATION
    for path in (train, evaluation):
        if not path.is_file():
            sys.exit(
                f"{path} is not there: this benchmark needs the real teacher's labels. Skipped."
            )
    run("check", train)
    run("distill", train, "--out", options.out, "--force", "--seed", options.seed)
    routers = ["--router", options.out, "--router", "mean", "--router", "tfidf"]
    against = ["evaluate", *routers, "--set", evaluation, "--train", train]
    run(*against)
    print("\nThe queries that are not in the training file:")
    run(*against, "--exclude", train)


def run(*words: object) -> None:
    """Run one `filmstill` command, shown as it would be typed."""
    print(f"\n$ filmstill {' '.join(map(str, words))}", flush=True)
    subprocess.run([sys.executable, "-m", "filmstill.cli.main", *map(str, words)], check=True)


if __name__ == "__main__":
    main()
