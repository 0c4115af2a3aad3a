"""Distil real labels of a real teacher and evaluate on its own held-out set: `make bench-teacher`.

Takes a folder with `nova_premier_train.jsonl` and `nova_premier_eval_v1.jsonl`: labels of Amazon
Nova Premier from the AWS sample sample-video-semantic-search-multimodal-embeddings (MIT-0). Some of
the evaluation queries stand in the training file too, so those that do not are reported apart.
"""

import argparse
import json
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
    parser.add_argument(
        "--beside", type=Path, help="also learn from this file, such as the grown corpus"
    )
    options = parser.parse_args()
    train, evaluation = options.teacher / TRAIN, options.teacher / EVALUATION
    for path in (train, evaluation):
        if not path.is_file():
            sys.exit(
                f"{path} is not there: this benchmark needs the real teacher's labels. Skipped."
            )
    run("check", train, known=(0, 1))  # 1: a line was rejected
    learned = train
    settings: list[object] = ["--seed", options.seed]
    if options.beside:
        learned = options.out.with_name(f"{options.out.name}.jsonl")
        learned.parent.mkdir(parents=True, exist_ok=True)
        learned.write_bytes(options.beside.read_bytes() + train.read_bytes())
        settings += ["--epochs", "5", "--dropout", "0.05"]
    run("distill", learned, "--out", options.out, "--force", *settings)
    routers = ["--router", options.out, "--router", "mean", "--router", "tfidf"]
    against = ["evaluate", *routers, "--set", evaluation, "--train", train]
    run(*against)
    print("\nThe queries that are not in the training file:")
    unseen = [*against, "--exclude", train]
    run(*unseen)
    everything, new = (scores(*words)[0] for words in (against, unseen))
    print()
    met = [
        target("rubric, all", everything["rubric"], 4.4),
        target("rubric, not in the training file", new["rubric"], 4.35),
        target("mean absolute error, all", everything["mean_absolute_error"], 0.035, most=True),
        target("leading channel, all", everything["leading"], 0.96),
    ]
    sys.exit(0 if all(met) else 1)


def target(name: str, value: float, bound: float, *, most: bool = False) -> bool:
    """Print a figure beside its target; whether it is met."""
    met = value <= bound if most else value >= bound
    sign = "at most" if most else "at least"
    print(f"{name:<34} {value:.3f}  target {sign} {bound:g}{'' if met else '  MISSED'}")
    return met


def scores(*words: object) -> list[dict[str, float]]:
    """What `filmstill evaluate` says, as JSON."""
    command = [sys.executable, "-m", "filmstill.cli.main", *map(str, words), "--json"]
    found: list[dict[str, float]] = json.loads(
        subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    )
    return found


def run(*words: object, known: tuple[int, ...] = (0,)) -> None:
    """Run one `filmstill` command, shown as it would be typed; stop at an exit code not known."""
    print(f"\n$ filmstill {' '.join(map(str, words))}", flush=True)
    ran = subprocess.run([sys.executable, "-m", "filmstill.cli.main", *map(str, words)])
    if ran.returncode not in known:
        sys.exit(ran.returncode)


if __name__ == "__main__":
    main()
