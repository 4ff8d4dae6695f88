"""Runs the scenario with the vendor's clients of every language against the binary.

    python conformance/run.py [LANGUAGE]

Without a language all of `toolchains.txt` run, and `docs/conformance.md` is written anew.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/e2e"))
sys.dont_write_bytecode = True

from judge import failures, score  # noqa: E402
from languages import LANGUAGES, required  # noqa: E402
from stage import Stage  # noqa: E402
from table import document  # noqa: E402

SCENARIO = ROOT / "conformance/scenario.json"
DOCUMENT = ROOT / "docs/conformance.md"
CLIENT_S = 120


def main(arguments):
    """Gives whether anything failed."""
    toolchains = required()
    if len(arguments) > 1 or not set(arguments) <= set(toolchains):
        raise SystemExit(f"usage: python conformance/run.py [{' | '.join(toolchains)}]")
    names = arguments or list(toolchains)
    if missing := [command for name in names for command in toolchains[name] if not shutil.which(command)]:
        raise SystemExit(f"not found: {', '.join(missing)}; conformance/toolchains.txt says what must be there")

    scenario = json.loads(SCENARIO.read_text())
    languages = [LANGUAGES[name] for name in names]
    for language in languages:
        language.build()
    with tempfile.TemporaryDirectory() as folder:
        shown = perform(scenario, languages, Path(folder))
    if not arguments:
        DOCUMENT.write_text(document(scenario["steps"], shown))
    return report(scenario["steps"], shown)


def perform(scenario, languages, folder):
    """Lets every client take the steps, one after the other; gives the lines that each one printed."""
    clients = [client for language in languages for client in language.clients]
    shown = {}
    with Stage(folder, clients) as stage:
        for language in languages:
            for client, command in language.clients.items():
                task = folder / f"{client}.json"
                task.write_text(json.dumps(scenario | stage.setting(client)))
                shown[client] = take_steps([*command, task], environment(language), stage)
    return shown


def take_steps(command, environment, stage):
    """Runs one program, gives it what its steps need, and collects the lines that it prints."""
    lines = []
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=environment, text=True
        )
        watchdog = threading.Timer(CLIENT_S, process.kill)
        watchdog.start()
        try:
            for text in process.stdout:
                line = json.loads(text)
                if "needs" not in line:
                    lines.append(line)
                    continue
                stage.provide(line["needs"])
                process.stdin.write("\n")
                process.stdin.flush()
            status = process.wait()
        finally:
            watchdog.cancel()
            process.kill()
            process.wait()
            stage.end_outage()
        if status != 0:
            errors.seek(0)
            shown = f"ended with {status}: {errors.read()[-4000:]}"
            lines.append({"step": "the program", "ok": False, "shown": shown})
    return lines


def environment(language):
    """The environment without what would lead the clients elsewhere: proxies, and the vendor's own variables."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy") and not name.startswith(("ALIBABA_CLOUD_", "ALIBABACLOUD_"))
    }
    return kept | {"NO_PROXY": "127.0.0.1"} | language.environment


def report(steps, shown):
    """Prints what passed and what did not; gives whether anything failed."""
    failed = False
    for client, lines in shown.items():
        found = failures(steps, lines, client)
        print(f"{client}: {score(steps, found)} steps")
        for step, words in found.items():
            print(f"  {step}: {words}")
        failed |= bool(found)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
