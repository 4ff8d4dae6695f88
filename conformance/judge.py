"""Compares what a client showed with what the scenario expects."""


def expected(step, client):
    """What a client is expected to show of a step; some have words of their own."""
    expect = dict(step.get("expect", {}))
    return expect | expect.pop("as", {}).get(client, {})


def failures(steps, lines, client):
    """Everything that is not as expected, by step, in words."""
    known = {step["id"] for step in steps}
    found = {line["step"]: line["shown"] for line in lines if line["step"] not in known}
    for step in steps:
        mine = [line for line in lines if line["step"] == step["id"]]
        if len(mine) != 1:
            found[step["id"]] = f"reported {len(mine)} times"
        elif wrong := failure(expected(step, client), mine[0]):
            found[step["id"]] = wrong
    return found


def score(steps, found):
    """How many of the steps passed, in words."""
    return f"{sum(step['id'] not in found for step in steps)} of {len(steps)}"


def failure(expect, line):
    """What is wrong with the outcome of one step, or None."""
    if "code" not in expect:
        if not line["ok"]:
            return f"refused: {line['shown']}"
        if "path" in expect and not same(line["value"], expect["value"]):
            return f"{expect['path']} is {line['value']!r}, not {expect['value']!r}"
        return None
    if line["ok"]:
        return f"not refused with {expect['code']}"
    if line["code"] != expect["code"]:
        return f"code {line['code']}, not {expect['code']}: {line['shown']}"
    if (text := expect.get("text", "")) not in line["shown"]:
        return f"shown without {text!r}: {line['shown']}"
    return None


def same(value, other):
    """Tells whether two values of JSON are equal; Python takes true for a 1."""
    return value == other and isinstance(value, bool) == isinstance(other, bool)
