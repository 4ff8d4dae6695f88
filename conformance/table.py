"""Writes what the clients did and showed as a document. It says nothing of times, places and ids."""

import json
import re

from judge import expected, failures, score

HEAD = """\
# What the vendor's clients do

Written by `cargo xtask conformance`. Each client is as its registry has it; only the endpoint and the keys are
ours. All take the same steps against the binary, and what each shows of each step is checked.
"""
NOTES = """\
- *typed*: the method or class of the operation. The other words name the client's own generic call, which takes
  the name of the operation; it is used where no package with the operation could be had.
- `getAcsResponse` is called with a request class that adds nothing to the one that typed packages are made of.
- All clients have their default settings.
"""


def document(steps, shown):
    """The document, from the steps and from the lines that each client printed."""
    clients = [row(client, steps, lines) for client, lines in shown.items()]
    parts = [
        HEAD,
        table(["Client", "Version", "Called through", "Operations", "Steps", "Result"], clients),
        NOTES,
        "## The steps\n",
        table(["Step", "Operation", "What must come"], [[step["id"], step["action"], wanted(step)] for step in steps]),
        "## What each client shows\n",
        "An ellipsis stands for what differs from call to call.\n",
    ]
    for step in steps:
        if "show_as" in step:
            words = [[client, *words_of(step, lines)] for client, lines in shown.items()]
            parts += [f"### {step['show_as']}\n", table(["Client", "Code", "Text"], words)]
    return "\n".join(parts)


def row(client, steps, lines):
    found = failures(steps, lines, client)
    operations = {(step["api"], step["action"]) for step in steps}
    version = next((line["version"] for line in lines if "version" in line), "").replace(", ", "<br>")
    result = "fails" if found else "passes"
    return [client, version, called_through(steps, lines), str(len(operations)), score(steps, found), result]


def called_through(steps, lines):
    """The ways of calling, each with the products that it serves, or with some of their operations."""
    ways = {}
    for step in steps:
        for line in lines:
            if line["step"] == step["id"]:
                ways.setdefault(line["how"], {}).setdefault(step["api"], set()).add(step["action"])
    whole = {step["api"]: {other["action"] for other in steps if other["api"] == step["api"]} for step in steps}
    texts = []
    for way, products in ways.items():
        served = [
            product if actions == whole[product] else f"{product} {', '.join(sorted(actions))}"
            for product, actions in products.items()
        ]
        texts.append(f"{way if way == 'typed' else f'`{way}`'}: {'; '.join(served)}")
    return "<br>".join(texts)


def wanted(step):
    expect = expected(step, None)
    if "code" in expect:
        return f"refused: `{expect['code']}`"
    if "path" in expect:
        return f"`{expect['path']}` is `{json.dumps(expect['value'])}`"
    return "success"


def words_of(step, lines):
    line = next((line for line in lines if line["step"] == step["id"]), None)
    if line is None or line["ok"]:
        return ["", "nothing was shown"]
    return [f"`{line['code']}`", f"`{plain(line['shown'])}`"]


def plain(text):
    """The text without what differs from call to call, in one line."""
    for pattern, instead in (
        (r"(Response|Data): \{.*", r"\1: {…}"),
        (r"StringToSign is \[.*\]", "StringToSign is […] server CanonicalRequest is […]"),
        (r"string to sign is:\S+", "string to sign is:…"),
        (r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}", "…"),
        (r"127\.0\.0\.1:\d+", "…"),
        (r"\s+", " "),
    ):
        text = re.sub(pattern, instead, text, flags=re.DOTALL)
    return text.strip()


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |\n" for line in lines)
