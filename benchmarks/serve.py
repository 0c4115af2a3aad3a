"""The server under load: rate, latency, memory, updates, shutdown: `make bench-serve`.

The server has core 0 for itself, and what loads it core 1. The load is wrk's (`apt-get install
wrk`): 32 connections that are kept, with all 400 queries of the evaluation set. For a rate, each
connection pauses for a random time after an answer, as 32 people would who do not know of each
other. A server that falls behind is asked less often, which hides its worst times from the latency:
so the rate itself has a target, too. (autocannon, which can hold a rate, sends all requests of a
second at its start.)

Two minutes; `--soak` adds 200,000 requests for memory, some ten minutes.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.serve.conftest import Running
from tests.serve.test_server import Load

CONNECTIONS, RATE = 32, 300
UPDATES = 20
SOAK = (20_000, 100_000, 200_000)
TARGETS = {
    "offered 300/s: rate (1/s)": (">=", 0.98 * RATE),
    "offered 300/s: p99 (ms)": ("<", 20.0),
    "offered 300/s: failed": ("<=", 0),
    "closed loop: failed": ("<=", 0),
    "20 updates: failed": ("<=", 0),
    "SIGTERM: failed": ("<=", 0),
    "SIGTERM: exit code": ("<=", 0),
    "memory, growth from 20,000 to 200,000 (MB)": ("<=", 10.0),
}
LUA = Path(__file__).with_suffix(".lua")
Figures = dict[str, float]


@contextmanager
def serving(home: Path, kind: str = "uvicorn") -> Iterator[Running]:
    """A server that is ready."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    words = ["-m", "filmstill.cli.main", "serve", "--jobs", "0", "--port", port]
    if kind == "granian":
        words = ["-m", "granian", "--interface", "asgi", "--loop", "uvloop", "--no-ws", "--port"]
        words += [port, "--factory", "--working-dir", str(LUA.parent), "serve:application"]
    environment = {**os.environ, "FILMSTILL_HOME": str(home)}
    words = ["taskset", "-c", "0", sys.executable, *words]
    with (home / "stderr.txt").open("ab") as log:
        process = subprocess.Popen(words, env=environment, stdout=log, stderr=log)
    server = Running(process, f"http://127.0.0.1:{port}", home / "stderr.txt")
    try:
        while not ready(server):
            if process.poll() is not None:
                sys.exit(f"the server does not start; see {home}/stderr.txt")
            time.sleep(0.05)
        yield server
    finally:
        server.stop()


def application() -> object:
    """The same application for another server."""
    from filmstill.config import ServeConfig
    from filmstill.registry import Registry
    from filmstill.serve.assemble import Options, assemble
    from filmstill.serve.observe import log_to_stderr

    log_to_stderr()
    return assemble(Registry(), Options(), ServeConfig(jobs=0))


def ready(server: Running) -> bool:
    """Whether it answers."""
    try:
        with urlopen(f"{server.url}/ready") as answer:  # noqa: S310 - loopback
            return bool(answer.status == 200)
    except (URLError, ConnectionError):
        return False


def load(
    server: Running,
    bodies: Path,
    seconds: float,
    *,
    connections: int = CONNECTIONS,
    pause: float = 0,
) -> "subprocess.Popen[str]":
    """Start to load a server."""
    words = ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s"]
    words += ["-s", str(LUA), f"{server.url}/v1/route", "--", str(bodies), str(round(pause)), "1"]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def result(loading: "subprocess.Popen[str]") -> Figures:
    """What came of it."""
    out, _ = loading.communicate()
    if loading.returncode:
        sys.exit(f"wrk ended with {loading.returncode}")
    figures: Figures = json.loads(out.splitlines()[-1])
    figures["rate"] = figures["requests"] / figures["seconds"]
    return figures


def speed(server: Running, bodies: Path, seconds: float, name: str = "") -> Figures:
    """The rate that is offered, and the highest one."""
    turn = 1000 * CONNECTIONS / RATE  # milliseconds from one request of a connection to the next
    warm = result(load(server, bodies, 5, pause=turn))
    offered = result(load(server, bodies, seconds, pause=max(1, turn - warm["mean"])))
    most = result(load(server, bodies, seconds / 2))
    return {
        f"{name}offered 300/s: rate (1/s)": offered["rate"],
        f"{name}offered 300/s: p50 (ms)": offered["p50"],
        f"{name}offered 300/s: p99 (ms)": offered["p99"],
        f"{name}offered 300/s: max (ms)": offered["max"],
        f"{name}offered 300/s: failed": offered["failed"],
        f"{name}closed loop: rate (1/s)": most["rate"],
        f"{name}closed loop: p50 (ms)": most["p50"],
        f"{name}closed loop: p99 (ms)": most["p99"],
        f"{name}closed loop: failed": most["failed"],
    }


def overhead(server: Running, bodies: Path) -> Figures:
    """What HTTP adds for one client alone: wrk's time less that of the router in a process."""
    words = ["taskset", "-c", "0", sys.executable, __file__, "--inside", str(bodies)]
    router = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)
    alone = result(load(server, bodies, 4, connections=1))["mean"]
    return {"router in process (ms)": router, "HTTP adds (ms)": alone - router}


def inside(bodies: Path) -> float:
    """Mean time of the router alone, in milliseconds a query."""
    from filmstill import Router

    router = Router.load()
    queries = [json.loads(line)["query"] for line in bodies.read_text("utf-8").splitlines()]
    for query in queries:
        router.route(query)
    start = time.perf_counter()
    for query in queries * 3:
        router.route(query)
    return (time.perf_counter() - start) * 1000 / (3 * len(queries))


def updates(server: Running, home: Path, bodies: Path, seconds: float) -> Figures:
    """Failed requests while what a deployment serves changes again and again."""
    from filmstill import Task
    from filmstill.data.corpus import student_path
    from filmstill.registry import Registry
    from filmstill.registry.deployments import deploy, update

    shipped, other = student_path(Task.builtin()), home / "other"
    shutil.copytree(shipped, other)
    manifest = other / "manifest.json"
    facts = json.loads(manifest.read_text("utf-8"))
    manifest.write_text(json.dumps({**facts, "copy": True}), "utf-8")
    named = home / "named.jsonl"
    lines = [json.loads(line) for line in bodies.read_text("utf-8").splitlines()]
    named.write_text("".join(f"{json.dumps({**x, 'deployment': 'search'})}\n" for x in lines))
    with closing(Registry(home)) as registry:
        deploy(registry, "search", shipped)
        loading = load(server, named, seconds)
        for number in range(UPDATES):
            time.sleep((seconds - 2) / UPDATES)
            update(registry, "search", (other, shipped)[number % 2])
    figures = result(loading)
    return {
        "20 updates: requests": figures["requests"],
        "20 updates: p99 (ms)": figures["p99"],
        "20 updates: failed": figures["failed"] + figures["refused"],
    }


def shutdown(server: Running) -> Figures:
    """Failed requests when the server is stopped under load; refused connections are none."""
    clients = [Load(server) for _ in range(8)]
    for client in clients:
        client.start()
    time.sleep(3)
    code = server.stop()
    for client in clients:
        client.join(20)
    return {
        "SIGTERM: requests": sum(client.answers for client in clients),
        "SIGTERM: failed": sum(len(client.failures) + client.is_alive() for client in clients),
        "SIGTERM: exit code": code,
    }


def memory_mb(server: Running) -> float:
    """The server's resident memory."""
    facts = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    (line,) = [line for line in facts.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


def soak(server: Running, bodies: Path) -> Figures:
    """Memory after so many requests."""
    found, sent = {}, 0.0
    for count in SOAK:
        while sent < count:
            sent += result(load(server, bodies, min(20, max(1, (count - sent) / 400))))["requests"]
        found[f"memory after {count:,} requests (MB)"] = memory_mb(server)
    first, *_, last = found.values()
    return {**found, "memory, growth from 20,000 to 200,000 (MB)": last - first}


def measure(options: argparse.Namespace, home: Path) -> Iterator[Figures]:
    """All figures, as they come."""
    from filmstill import Task, load_examples
    from filmstill.data.corpus import evaluation_path

    task = Task.builtin()
    examples = load_examples(evaluation_path(task), task).examples
    bodies = home / "bodies.jsonl"
    bodies.write_text("".join(f"{json.dumps({'query': item.query})}\n" for item in examples))
    with serving(home) as server:
        yield {"memory at the start (MB)": memory_mb(server)}
        yield speed(server, bodies, options.seconds)
        yield overhead(server, bodies)
        yield updates(server, home, bodies, options.seconds)
        yield {"memory after that (MB)": memory_mb(server)}
        if options.soak:
            yield soak(server, bodies)
        yield shutdown(server)
    if options.granian:
        with serving(home, "granian") as server:
            yield speed(server, bodies, options.seconds, "granian, ")


def main() -> None:
    """Measure, print a table, and exit with 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="of load, for each figure")
    parser.add_argument("--soak", action="store_true", help="200,000 requests more")
    parser.add_argument("--granian", action="store_true", help="also under granian")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        print(inside(options.inside))
        return
    if not shutil.which("wrk"):
        sys.exit("this needs wrk, which is not installed: run apt-get install wrk")
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("this needs two cores: one for the server, one for what loads it")
    os.sched_setaffinity(0, {1})
    missed = 0
    with tempfile.TemporaryDirectory() as home:
        for figures in measure(options, Path(home)):
            missed += sum(shown(name, value) for name, value in figures.items())
    sys.exit(1 if missed else 0)


def shown(name: str, value: float) -> bool:
    """Print a figure; whether it misses its target."""
    sign, bound = TARGETS.get(name, ("", 0.0))
    met = not sign or {"<=": value <= bound, "<": value < bound, ">=": value >= bound}[sign]
    target = f"target {sign} {bound:g}" + ("" if met else "  MISSED") if sign else ""
    print(f"{name:<44} {value:>9.2f}  {target}", flush=True)
    return not met


if __name__ == "__main__":
    main()
