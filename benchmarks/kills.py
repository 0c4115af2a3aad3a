"""Jobs under `kill -9` of their server and their workers: `make bench-kills`.

Submits distillations and evaluations, kills the server or a worker at random moments, starts the
server again, and checks that no job is lost, doubled or left hanging: those whose worker was killed
are Failed and say so, all others are Completed, and each model is registered once. Needs Linux.
"""

import argparse
import json
import os
import random
import shlex
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.conftest import WORDS, make_examples, write_tiny_base, write_training

from filmstill import Task
from filmstill.jobs.evaluation import Dataset, Evaluation
from filmstill.jobs.job import (
    EVALUATION,
    STOPPED,
    STOPPING,
    UNFINISHED,
    Job,
    all_jobs,
    find_job,
    job_folder,
    log_path,
    submit,
    submit_distillation,
)
from filmstill.jobs.order import Distillation, Places
from filmstill.jobs.rating import Metric
from filmstill.registry import Registry

RESTART_S = 2.0
"""In how long a server must be at work again."""
SERVER = f"{sys.executable} -c " + shlex.quote(
    "import time\n"
    "from filmstill.jobs.runner import Runner\n"
    "from filmstill.registry import Registry\n"
    "runner = Runner(Registry(), at_once=1)\n"
    "while True:\n"
    "    runner.tick()\n"
    "    time.sleep(0.1)\n"
)
_LONGEST_S = 120.0  # from the last kill to the end of the last job
_KILLED = ("its process was ended by SIGKILL", "its process is gone")
_PROBE = "probe-"  # jobs that only a server's tick can end


def main() -> None:
    """Run, print, exit with 1 where something is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--server", default=SERVER, help="command that starts a server")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder), shlex.split(options.server), options.seed)
        figures, checks = run.go(options.kills)
    for name, value in figures.items():
        print(f"{name:24} {value}")
    for name, good in checks.items():
        print(f"{name:55} {'ok' if good else 'NOT AS IT MUST BE'}")
    if not all(checks.values()):
        sys.exit(1)


@dataclass
class Watch:
    """Looks at all processes all the time.

    Attributes:
        home: where the jobs' registry is.
        several: workers of one job that ran at the same time, by job.
        looks: how often it looked.
    """

    home: Path
    several: dict[str, int] = field(default_factory=dict)
    looks: int = 0
    _end: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Look until `end` is called."""
        while not self._end.wait(0.01):
            self.looks += 1
            for job, count in Counter(workers(self.home).values()).items():
                if count > 1:
                    self.several[job] = max(count, self.several.get(job, 0))

    def end(self) -> None:
        """Stop looking."""
        self._end.set()


class Run:
    """One run, in a folder of its own."""

    def __init__(self, folder: Path, server: list[str], seed: int) -> None:
        """Take the folder, the server's command and the seed of chance."""
        self.folder, self.server, self.chance = folder, server, random.Random(seed)  # noqa: S311
        self.home = folder / "home"
        self.registry = Registry(self.home)
        (folder / "s3" / "bucket").mkdir(parents=True)
        self.places = Places(root=str(folder / "s3"))
        (folder / "base").mkdir()
        self.base, task = write_tiny_base(folder / "base"), Task.builtin()
        data = folder / "s3" / "bucket" / "train.jsonl"
        write_training(data, make_examples(task, WORDS, 40, seed=1), task)
        line = '{"prompt": "x", "modelResponses": [{"response": "y", "modelIdentifier": "m"}]}\n'
        (folder / "s3" / "bucket" / "set.jsonl").write_text(line * 1000, encoding="utf-8")
        self.names: list[str] = []
        self.killed: set[str] = set()  # jobs whose worker was killed while they were in progress
        self.restarts: list[float] = []
        self.kills: Counter[str] = Counter()
        self.probes = 0

    def go(self, kills: int) -> tuple[dict[str, object], dict[str, bool]]:
        """Submit and kill; the figures, and what was checked."""
        watch, started = Watch(self.home), time.monotonic()
        watcher = threading.Thread(target=watch.run)
        watcher.start()
        process = self.start()
        try:
            number = 0
            while self.kills["server"] + self.kills["worker"] < kills:
                number += 1
                self.submit(number)
                time.sleep(self.chance.uniform(0.0, 5.0))
                if self.chance.random() < 0.5:
                    process.kill()
                    process.wait()
                    self.kills["server"] += 1
                    if self.chance.random() < 0.5:  # a worker goes with it
                        self.kill_a_worker()
                    process = self.start()
                else:
                    self.kill_a_worker()
            self.wait()
        finally:
            process.kill()
            process.wait()
            for pid in workers(self.home):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            watch.end()
            watcher.join()
        return self.facts(watch, time.monotonic() - started)

    def start(self) -> "subprocess.Popen[bytes]":
        """Start the server, and wait until it ends a job that was told to stop in its absence."""
        self.probes += 1
        body = {"order": {}, "bedrock": {}, "stopping": time.time()}
        probe = self.registry.add(EVALUATION, f"{_PROBE}{self.probes}", STOPPING, body)
        begun = time.monotonic()
        process = subprocess.Popen(
            self.server,
            env={**os.environ, "FILMSTILL_HOME": str(self.home)},
            stdout=subprocess.DEVNULL,
        )
        while self.registry.get(EVALUATION, probe.id).status != STOPPED:
            if process.poll() is not None or time.monotonic() - begun > 30:
                raise SystemExit("the server does not start")
            time.sleep(0.01)
        self.restarts.append(time.monotonic() - begun)
        return process

    def submit(self, number: int) -> None:
        """Write a job or two down."""
        for part in range(self.chance.choice((1, 1, 2))):
            name = f"job-{number}-{part}"
            self.names.append(name)
            if self.chance.random() < 0.6:
                settings = {"base": str(self.base), "epochs": 1, "glossary": False, "threads": 1}
                order = Distillation(
                    "s3://bucket/train.jsonl",
                    f"model-{number}-{part}",
                    settings=settings,
                    output="s3://bucket/out",
                    places=self.places,
                )
                submit_distillation(self.registry, name, order)
            else:
                dataset = Dataset("set", "s3://bucket/set.jsonl", "General", ("quality",))
                rating = Evaluation(
                    name,
                    (dataset,),
                    (Metric("quality", "{{prediction}}"),),
                    "rubric",
                    "m",
                    "",
                    "s3://bucket/results",
                    places=self.places,
                )
                submit(self.registry, EVALUATION, name, asdict(rating))

    def kill_a_worker(self) -> None:
        """Kill a worker, if there is one, and see how its job stands then."""
        end = time.monotonic() + 1.0
        while not (running := workers(self.home)) and time.monotonic() < end:
            time.sleep(0.01)
        if not running:
            self.kills["none was there"] += 1
            return
        pid, job_id = self.chance.choice(sorted(running.items()))
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        while pid in workers(self.home):
            time.sleep(0.002)
        job = find_job(self.registry, job_id)
        self.kills["worker"] += 1
        if job.status in UNFINISHED and job.pid is None:
            self.kills["before it took up its job"] += 1
        elif job.status in UNFINISHED or job.failure.startswith(_KILLED):
            self.killed.add(job.name)
        else:
            self.kills["after its job had ended"] += 1

    def wait(self) -> None:
        """Wait until every job has ended."""
        end = time.monotonic() + _LONGEST_S
        while any(job.status in UNFINISHED for job in all_jobs(self.registry)):
            if time.monotonic() > end:
                return
            time.sleep(0.05)
        while workers(self.home) and time.monotonic() < end:
            time.sleep(0.05)

    def facts(self, watch: Watch, seconds: float) -> tuple[dict[str, object], dict[str, bool]]:
        """What became of all, and whether it is as it must be."""
        every = [job for job in all_jobs(self.registry) if not job.name.startswith(_PROBE)]
        statuses = Counter(job.status for job in every)
        by_name = {job.name: job for job in every}
        models = Counter(model.body["job"] for model in self.registry.all("model"))
        distilled = [job for job in every if job.phases]
        database = sqlite3.connect(self.registry.path)
        sound = database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        database.close()
        checks = {
            "every job that was submitted is there, once": sorted(by_name) == sorted(self.names),
            "every job has ended": not any(status in UNFINISHED for status in statuses),
            "jobs whose worker was killed are Failed and say so": all(
                by_name[name].status == "Failed" and by_name[name].failure.startswith(_KILLED)
                for name in self.killed
            ),
            "all other jobs are Completed": all(
                job.status == "Completed" for job in every if job.name not in self.killed
            ),
            "one model for each that was Completed, none else": models
            == Counter(job.id for job in distilled if job.status == "Completed"),
            "each model is a student that is kept": all(
                (self.home / "students" / model.body["student"] / "manifest.json").exists()
                for model in self.registry.all("model")
            ),
            "no job had two workers at a time": not watch.several,
            "no job was worked on twice": all(self.begun(job) <= 1 for job in distilled),
            "no job's working files are left": not any(self.left(job) for job in every),
            f"the server is at work again within {RESTART_S:g} s": max(self.restarts) < RESTART_S,
            "the registry's file is sound": sound,
        }
        figures: dict[str, object] = {
            "seconds": round(seconds, 1),
            "jobs": json.dumps(dict(statuses)),
            "kills": json.dumps(dict(self.kills)),
            "jobs that were hit": len(self.killed),
            "restarts": len(self.restarts),
            "restart, mean and most": f"{sum(self.restarts) / len(self.restarts):.2f} s, "
            f"{max(self.restarts):.2f} s",
            "looks at all processes": watch.looks,
            "jobs with two workers": json.dumps(watch.several),
        }
        return figures, checks

    def begun(self, job: Job) -> int:
        """How often a distillation was begun, by its log."""
        path = log_path(self.registry, job.id)
        return path.read_text(encoding="utf-8").count("Phase validation") if path.exists() else 0

    def left(self, job: Job) -> list[str]:
        """What a job left in its folder beside its log."""
        folder = job_folder(self.registry, job.id)
        kept = {"lock", "log.txt"}
        return [path.name for path in folder.iterdir() if path.name not in kept]


def workers(home: Path) -> dict[int, str]:
    """Jobs of this home's workers that run, by the number of their process."""
    found, parents = {}, {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            ours = (process / "cwd").readlink().is_relative_to(home.resolve())
            if b"filmstill.jobs.worker" in words and ours:
                number = int(process.name)
                parents[number] = int((process / "stat").read_text().rpartition(")")[2].split()[1])
                found[number] = words[-2].decode()
    # A process that is being started looks like its parent for a moment.
    return {number: job for number, job in found.items() if found.get(parents[number]) != job}


if __name__ == "__main__":
    main()
