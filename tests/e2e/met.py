"""Notes which refusals each test has met, for `docs/errors.md`; see `crates/server/tests/docs/errors.rs`."""

import json
import os
import re
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

# What these tests meet depends on chance, or on the lab.
LEFT_OUT = re.compile(r"tests/e2e/test_(kill|as_race|disk|orders|backup|lab_\w+)\.py")


def note(version, action, status, code, message):
    """Notes a refusal, if somebody wants to know: CALOTYPE_MET is a folder."""
    folder = os.environ.get("CALOTYPE_MET")
    test = os.environ.get("PYTEST_CURRENT_TEST", "")
    if not folder or not test.endswith("(call)") or LEFT_OUT.match(test) or not code:
        return
    name = re.sub(r"^.*/(\w+)\.py::(\w+).*$", r"e2e \1::\2", test)
    met = {"version": version, "operation": action, "status": status, "code": code, "message": message, "test": name}
    with Path(folder, "e2e.jsonl").open("a") as file:
        file.write(json.dumps(met) + "\n")


@contextmanager
def noting(version, action):
    """Notes the refusal that comes out of a block, if one does."""
    try:
        yield
    except Exception as error:
        # Some clients show another code than they were sent.
        if body := getattr(error, "body", None):
            note(version, action, error.status, body.get("Code"), body.get("Message"))
        raise


def note_answer(prepared, answer):
    """Notes the answer to a request over bare HTTP, if it is a refusal that says of what."""
    is_json = answer.headers.get("content-type", "").startswith("application/json")
    if answer.status < 400 or not answer.raw or not is_json:
        return
    query = urlsplit(prepared.target).query + "&" + (prepared.body or b"").decode(errors="replace")
    params = {name: values[0] for name, values in parse_qs(query).items()}
    headers = {name.lower(): value for name, value in prepared.headers.items()}
    version = params.get("Version") or headers.get("x-acs-version")
    action = params.get("Action") or headers.get("x-acs-action")
    if version and action:
        note(version, action, answer.status, answer.json.get("Code"), answer.json.get("Message"))
