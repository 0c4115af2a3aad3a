"""An OpenAI-compatible server on loopback that misbehaves at random, with a seed, and keeps count.

It throttles above a rate (429, with and without Retry-After), answers 500, stalls, drops the
connection, cuts its JSON short, wraps labels in prose, gives weights with a wrong sum, refuses and
filters. What happens to a prompt depends on the prompt, the seed and how often it was asked, so a
run can be repeated. `GET /counts` tells what it did: `python benchmarks/flaky_server.py --help`.
"""

import argparse
import hashlib
import json
import random
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CHANNELS = ("visual", "audio", "transcription", "metadata")
# Per request: what share of them goes wrong in which way.
FAULTS = {
    "throttled": 0.02,
    "throttled with Retry-After": 0.02,
    "server error": 0.02,
    "stalled": 0.002,
    "dropped": 0.02,
    "cut short": 0.02,
    "prose": 0.05,
    "wrong sum": 0.03,
    "refusal": 0.02,
    "filtered": 0.002,
}
STALL_S = 5.0
BURST_S = 1.0  # how much of the rate may be used up at once


class Counts:
    """What the server did, and how fast it may be asked."""

    def __init__(self, rate: float, seed: int) -> None:
        self.lock = threading.Lock()
        self.seed = seed
        self.did: Counter[str] = Counter()
        self.paid: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.first = self.last = 0.0
        self.rate = rate
        self.tokens = rate * BURST_S
        self.filled = time.monotonic()

    def admit(self) -> bool:
        """Whether the rate allows one more request: a token bucket."""
        with self.lock:
            now = time.monotonic()
            self.first = self.first or now
            self.last = now
            self.tokens += (now - self.filled) * self.rate
            self.tokens = min(self.tokens, self.rate * BURST_S)
            self.filled = now
            if self.tokens < 1:
                self.did["over the rate"] += 1
                return False
            self.tokens -= 1
            return True

    def fate(self, prompt: str) -> str:
        """What is to happen to this request."""
        with self.lock:
            self.asked[prompt] += 1
            number = self.asked[prompt]
        draw = random.Random(f"{self.seed} {prompt} {number}").random()  # noqa: S311
        for fault, share in FAULTS.items():
            draw -= share
            if draw < 0:
                return fault
        return "answered"

    def note(self, what: str, prompt: str | None = None) -> None:
        """Count; a whole answer to a prompt is paid for."""
        with self.lock:
            self.did[what] += 1
            if prompt is not None:
                self.paid[prompt] += 1

    def to_dict(self) -> dict[str, object]:
        """Everything, ready for JSON."""
        with self.lock:
            return {
                "did": dict(self.did),
                "seconds": self.last - self.first,
                "paid": sum(self.paid.values()),
                "paid_again": sum(count - 1 for count in self.paid.values()),
            }


class Handler(BaseHTTPRequestHandler):
    """Chat completions, and the counts."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    counts: Counts

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """The counts."""
        self._send(200, json.dumps(self.counts.to_dict()).encode())

    def do_POST(self) -> None:
        """An answer, or what befalls it."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        turns = [message["content"] for message in body["messages"][1:]]
        prompt, counts = json.dumps(turns), self.counts
        if not counts.admit():
            self._send(429, error("slow down"), {"Retry-After": "1"})
            return
        fate = counts.fate(prompt)
        if fate == "throttled":
            self._send(429, error("busy"))
        elif fate == "throttled with Retry-After":
            self._send(429, error("busy"), {"Retry-After": "0.5"})
        elif fate == "server error":
            self._send(500, error("something broke"))
        elif fate == "filtered":
            self._send(400, error("filtered"))
        elif fate in ("stalled", "dropped"):
            time.sleep(STALL_S if fate == "stalled" else 0)
            self.close_connection = True
        else:
            content = completion(label(turns[0], fate))
            if fate == "cut short":
                self._send(200, content[: len(content) // 2])
            else:
                self._send(200, content)
                counts.note(fate, prompt)
                return
        counts.note(fate)

    def _send(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


def label(query: str, fate: str = "answered") -> str:
    """The server's judgement of a query: arbitrary, but always the same."""
    if fate == "refusal":
        return "I'm sorry, I can't help with that."
    digest = hashlib.sha256(query.encode()).digest()
    cuts = sorted(byte % 11 for byte in digest[:3])
    tenths = [high - low for low, high in zip([0, *cuts], [*cuts, 10], strict=True)]
    if fate == "wrong sum":
        tenths[0] += 2
    weights = {name: tenth / 10 for name, tenth in zip(CHANNELS, tenths, strict=True)}
    text = json.dumps({**weights, "reasoning": f"{query} decides."})
    return f"Sure! Here it is:\n```json\n{text}\n```\nHope this helps." if fate == "prose" else text


def completion(text: str) -> bytes:
    """A chat completion with this text."""
    message = {"role": "assistant", "content": text}
    return json.dumps(
        {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": "flaky",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 600, "completion_tokens": 60, "total_tokens": 660},
        }
    ).encode()


def error(message: str) -> bytes:
    """An error body."""
    return json.dumps({"error": {"message": message}}).encode()


class Server(ThreadingHTTPServer):
    """Takes as many connections at once as clients open."""

    request_queue_size = 256
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Clients hang up, and get killed."""


def main() -> None:
    """Serve until killed; the first line out is the port."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    Handler.counts = Counts(options.rate, options.seed)
    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
