"""What stands for AWS on this machine: `filmstill serve` for Bedrock, moto for S3, IAM and STS.

    services = start()     # the AWS clients of this process now talk to this machine
    services.stop()

Both run in a process of their own, on free ports of the loopback interface, with everything they
keep in a temporary folder. They end with `stop`, and also when whoever started them is gone,
however that happened: the process reads a pipe whose other end is then closed.

FILMSTILL_EPOCHS sets the epochs of a distillation job; without it, the size of the data does.
"""

import atexit
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

READY_S = 120
STOP_S = 40  # more than the server itself takes to finish what is under way
_LOG_LINES = 20
_READY = "ready "
_RECIPE = """\
[[recipes]]
model = "amazon.nova-micro-v1:0:128k"
teachers = ["amazon.nova-pro-v1:0"]
settings = {{ epochs = {epochs} }}
"""


class Services:
    """Services that run."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        """Wait for the addresses, and point this process at them.

        Raises:
            RuntimeError: a service did not start; the message ends with its log.
        """
        self._process = process
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        said = ""
        for line in process.stdout:
            if line.startswith(_READY):
                break
            said += line
        else:
            process.communicate()  # closes the pipes and waits
            raise RuntimeError(f"The local services did not start.\n{said.rstrip()}")
        # Nothing of a real account may be seen, and nothing may reach one.
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ.update(json.loads(line.removeprefix(_READY)))
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        atexit.register(self.stop)

    def stop(self) -> None:
        """End them, and remove what they kept; the second time does nothing."""
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        if not self._process.stdin.closed:
            self._process.stdin.close()
        self._process.wait()
        self._listener.join()

    def _listen(self) -> None:
        """Show what is said after the start: that a service has died, and the end of its log."""
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        with self._process.stdout as lines:
            for line in lines:
                print(line, end="", file=sys.stderr, flush=True)


def start() -> Services:
    """Start the services, which takes some seconds.

    Raises:
        RuntimeError: a service did not start.
    """
    process = subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # An interrupted notebook sends its signal to the whole group; this is none of it.
        start_new_session=True,
    )
    return Services(process)


def _serve() -> int:
    """Run the services until the standard input ends."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # not a line for every request
    end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: end.set())
    threading.Thread(target=lambda: (sys.stdin.read(), end.set()), daemon=True).start()
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ.update(_environment(Path(folder), *moto.get_host_and_port()))
        log = Path(folder, "serve.log")
        server = _start_server(Path(folder), log)
        try:
            address = _address(server, log, end)
            if address:
                os.environ["AWS_ENDPOINT_URL_BEDROCK"] = address
                os.environ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] = address
                wanted = ("AWS_", "FILMSTILL_HOME", "NO_PROXY")
                known = {name: os.environ[name] for name in os.environ if name.startswith(wanted)}
                print(_READY + json.dumps(known), flush=True)
                while server.poll() is None and not end.wait(0.2):
                    pass
            if not end.is_set():
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_LINES:])
                print(
                    f"filmstill serve ended ({server.poll()}). Its log ends with:\n{tail}",
                    flush=True,
                )
                return 1
        finally:
            _end(server)
    return 0


def _environment(folder: Path, host: str, port: int) -> dict[str, str]:
    """What leads every AWS client to moto; Bedrock is led elsewhere later."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    moto = f"http://{host}:{port}"
    return {
        "AWS_ENDPOINT_URL": moto,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "FILMSTILL_HOME": str(folder / "home"),
        "NO_PROXY": "127.0.0.1",
        # Threads that wait for each other sleep: where they spin instead, a job that shares its
        # cores with something else takes ten times as long.
        "OMP_WAIT_POLICY": "passive",
    }


def _start_server(folder: Path, log: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "filmstill.cli.main", "serve", "--port", "0"]
    epochs = os.environ.get("FILMSTILL_EPOCHS")
    if epochs:
        recipes = folder / "recipes.toml"
        recipes.write_text(_RECIPE.format(epochs=int(epochs)))
        command += ["--recipes", str(recipes)]
    with log.open("wb") as file:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file)


def _address(server: "subprocess.Popen[bytes]", log: Path, end: threading.Event) -> str:
    """The server's address when it listens; empty when it ended, or has to."""
    until = time.monotonic() + READY_S
    while server.poll() is None and time.monotonic() < until and not end.wait(0.1):
        for line in log.read_text(errors="replace").splitlines():
            if line.startswith("Listening at "):
                return line.removeprefix("Listening at ").partition(";")[0]
    return ""


def _end(server: "subprocess.Popen[bytes]") -> None:
    """Stop the jobs, which would go on without the server, and then the server."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    if server.poll() is not None:
        return
    if "AWS_ENDPOINT_URL_BEDROCK" in os.environ:
        bedrock = boto3.client("bedrock")
        try:
            left = bedrock.list_model_customization_jobs(statusEquals="InProgress")
            for job in left["modelCustomizationJobSummaries"]:
                bedrock.stop_model_customization_job(jobIdentifier=job["jobArn"])
        except (BotoCoreError, ClientError) as error:
            print(f"Jobs may go on: {error}", flush=True)
        bedrock.close()
    server.terminate()
    try:
        server.wait(STOP_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


if __name__ == "__main__":
    sys.exit(_serve())
