"""A server with a lab, in a folder of its own."""

import os
import queue
import re
import shutil
import subprocess
import threading
import time
from pathlib import Path

from .lab import Lab

START_S = 30
STOP_S = 15


class Server:
    """A server process on free ports of this machine, whose lab is on."""

    def __init__(self, binary, folder, config=""):
        self.binary, self.folder = str(binary), Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config = self.folder / "calotype.toml"
        self.config.write_text(config)
        self.log = self.folder / "stderr.log"
        self.process = self.lab = self.address = None

    def start(self):
        """Starts the process, and waits until server and lab listen."""
        command = [self.binary, "serve", "--config", self.config, "--data", self.folder / "data"]
        command += ["--listen", "127.0.0.1:0", "--lab", "127.0.0.1:0"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CALOTYPE_")}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=environment, text=True
            )
        lines = queue.Queue()
        threading.Thread(target=_read, args=(self.process.stdout, lines), daemon=True).start()
        deadline = time.monotonic() + START_S
        found = {}
        while len(found) < 2:
            try:
                line = lines.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                self.stop()
                raise RuntimeError(f"the server did not start:\n{self.log.read_text(errors='replace')[-4000:]}")
            for name, pattern in (("server", r"^listening on http://(\S+)"), ("lab", r"LAB IS ON at http://(\S+):")):
                if match := re.search(pattern, line):
                    found[name] = match[1]
        self.address = found["server"]
        self.lab = Lab(found["lab"], self.address)
        return self

    def stop(self):
        """Asks the process to end, and gives its exit code."""
        process, self.process = self.process, None
        if process is None:
            return None
        process.terminate()
        try:
            return process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()
        finally:
            process.stdout.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


def find_binary(named=None):
    """The binary that is named, by CALOTYPE_BIN if not here, or else the one on the path."""
    found = named or os.environ.get("CALOTYPE_BIN") or shutil.which("calotype")
    if not found or not Path(found).exists():
        raise RuntimeError("no calotype: give --calotype-bin, set CALOTYPE_BIN, or put the binary on the path")
    return found


def _read(stream, lines):
    try:
        for line in stream:
            lines.put(line)
    except ValueError:
        pass  # The pipe was closed from this side.
    lines.put(None)
