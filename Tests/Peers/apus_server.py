"""One `apus serve` process under test, and the command line that talks to it.

Every wait has a deadline and ends as soon as its condition holds.
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time
import urllib.request

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("APUS_BIN", str(REPOSITORY / ".build/release/apus"))
READY = re.compile(r"^ready http=(\S+) https=(\S+) mqtt=(\S+) mqtts=(\S+)$")
LISTENERS = ("http", "https", "mqtt", "mqtts")


def wait_until(condition, seconds=10, what="the condition"):
    """Answers the first true value of `condition()`; fails after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"{what} did not come within {seconds} s"
        time.sleep(0.02)


class Server:
    """A server on free ports of the loopback interface, with its own data directory."""

    def __init__(self, data_dir, *flags):
        self.data = pathlib.Path(data_dir)
        self.flags = flags
        self.addresses = dict.fromkeys(LISTENERS, ("127.0.0.1", 0))
        self.process = None
        self.output = []
        self.log_path = self.data.parent / (self.data.name + ".stderr")
        self.ready_seconds = None

    # Life

    def start(self, seconds=15):
        """Starts the process and waits for its `ready` line."""
        command = [BINARY, "serve", "--data-dir", str(self.data)]
        for name in LISTENERS:
            host, port = self.addresses[name]
            command += ["--" + name, f"{host}:{port}"]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("APUS_")}
        self.output = []
        began = time.monotonic()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                command + list(self.flags), stdout=subprocess.PIPE, stderr=log, text=True, env=environment
            )
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()
        match = wait_until(self._ready, seconds, "the ready line")
        self.ready_seconds = time.monotonic() - began
        for name, text in zip(LISTENERS, match.groups()):
            host, _, port = text.rpartition(":")
            self.addresses[name] = (host.strip("[]"), int(port))
        return self

    def _read(self, process):
        for line in process.stdout:
            self.output.append(line.rstrip("\n"))

    def _ready(self):
        assert self.process.poll() is None, f"the server ended: {self.log()[-2000:]}"
        return next(filter(None, map(READY.match, list(self.output))), None)

    @property
    def runs(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """Asks the server to end; it must drain and exit 0."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=15)
        assert code == 0, f"exit code {code} after SIGTERM: {self.log()[-2000:]}"

    def kill(self):
        """Ends the server as a power cut would."""
        self.process.kill()
        self.process.wait(timeout=15)

    def metric(self, name):
        """One number of /metrics, all its labels together."""
        with urllib.request.urlopen(self.url + "/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if re.match(re.escape(name) + r"[{ ]", line))

    @property
    def resident_bytes(self):
        """Memory of the process that is in RAM."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    def log(self):
        """What the server wrote to stderr."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    # Addresses and secrets

    @property
    def url(self):
        return "http://{}:{}".format(*self.addresses["http"])

    @property
    def https_url(self):
        return "https://localhost:{}".format(self.addresses["https"][1])

    @property
    def ca(self):
        return str(self.data / "ca.pem")

    @property
    def admin_token(self):
        return (self.data / "admin.token").read_text().strip()

    @property
    def admin(self):
        """Headers of a request by the administrator."""
        return {"Authorization": "Bearer " + self.admin_token}

    # Command line

    def cli(self, *arguments, token=None, expect=0):
        """Runs an operator's command against this server; its exit code must be (one of) `expect`."""
        command = [BINARY, *map(str, arguments), "--server", self.url, "--token", token or self.admin_token]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        shown = " ".join(map(str, arguments))
        allowed = expect if isinstance(expect, tuple) else (expect,)
        assert done.returncode in allowed, f"apus {shown}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def cli_json(self, *arguments, token=None, expect=0):
        """The same with `--json`; answers what it printed."""
        return json.loads(self.cli(*arguments, "--json", token=token, expect=expect).stdout)
