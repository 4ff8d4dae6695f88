"""Walks the scenario with one client, and prints what that client shows of each step as a line of JSON."""

import json
import re
import sys
import time
from pathlib import Path

PATIENCE_S = 20
PAUSE_S = 0.1


class Refused(Exception):
    """A refusal as the client shows it: its code and its text."""

    def __init__(self, error, code):
        super().__init__(code)
        self.code, self.shown = code, f"{type(error).__name__}: {error}"


def walk(name, version, connect):
    """Takes the steps of the run that the first argument names.

    `connect(endpoint, key, secret)` gives a client. Its `how(api, action)` says in which way it makes a call;
    its `call(api, action, parameters)` gives the reply, or raises `Refused`.
    """
    run = json.loads(Path(sys.argv[1]).read_text())
    saved = {}
    for step in run["steps"]:
        if "needs" in step:
            say({"needs": step["needs"]})
            sys.stdin.readline()
        endpoint, secret = run["servers"][step.get("server", "main")], run["secrets"][step.get("secret", "right")]
        api, action, parameters = run["apis"][step["api"]], step["action"], filled(step["parameters"], saved)
        client = connect(endpoint, run["key"], secret)
        line = repeated(step, lambda: client.call(api, action, parameters))
        reply = line.pop("reply")
        saved |= {place: at(reply, path) for place, path in step.get("save", {}).items()}
        say({"client": name, "version": version, "step": step["id"], "how": client.how(api, action)} | line)


def repeated(step, call):
    """The outcome of a step; the last one if the step waits for something."""
    deadline = time.monotonic() + PATIENCE_S
    until, expect = step.get("until"), step.get("expect", {})
    while True:
        line = outcome(call, expect.get("path"))
        done = line["value"] == expect["value"] if until == "expected" else not until or not line["ok"]
        if done or time.monotonic() > deadline:
            return line
        if until == "expected":
            time.sleep(PAUSE_S)


def outcome(call, path):
    try:
        reply = call()
    except Refused as refused:
        return {"ok": False, "code": refused.code, "shown": refused.shown, "value": None, "reply": None}
    return {"ok": True, "code": None, "shown": None, "value": at(reply, path), "reply": reply}


def filled(parameters, saved):
    """The parameters, with what earlier replies gave."""
    fill = lambda found: str(saved[found[1]])
    return {
        name: re.sub(r"\{(\w+)\}", fill, value) if isinstance(value, str) else value
        for name, value in parameters.items()
    }


def at(value, path):
    """What a reply holds at a path such as `Images.Image.0.Status`, or None."""
    if not path:
        return None
    for name in path.split("."):
        try:
            value = value[int(name)] if isinstance(value, list) else value[name]
        except (IndexError, KeyError, TypeError):
            return None
    return value


def say(line):
    print(json.dumps(line), flush=True)
