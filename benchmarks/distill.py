"""How long 10,000 examples take to distil: `make bench-distill`.

Takes the first 10,000 rows of the shipped corpus, runs `filmstill distill` as a user would, and
exits with 1 where it took more than ten minutes.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from filmstill import Task
from filmstill.data.corpus import corpus_path

EXAMPLES = 10_000
TARGET_S = 600


def main() -> None:
    """Distil, print the time, exit."""
    lines = corpus_path(Task.builtin()).read_text(encoding="utf-8").splitlines()[:EXAMPLES]
    with tempfile.TemporaryDirectory() as scratch:
        train, student = Path(scratch) / "train.jsonl", Path(scratch) / "student"
        train.write_text("\n".join(lines), encoding="utf-8")
        words = ["distill", str(train), "--out", str(student)]
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-m", "filmstill.cli.main", *words], check=True)
        seconds = time.perf_counter() - begin
        manifest = json.loads((student / "manifest.json").read_text(encoding="utf-8"))
    kind = "bfloat16" if manifest["training"]["bfloat16"] else "float32"
    epochs = manifest["config"]["epochs"]
    print(
        f"{len(lines):,} examples, {epochs} epochs, {kind}: {seconds:.0f} s  target <= {TARGET_S}"
        + ("" if seconds <= TARGET_S else "  MISSED")
    )
    sys.exit(0 if seconds <= TARGET_S else 1)


if __name__ == "__main__":
    main()
