"""What the long forms of the tests found, for the documentation: they write it themselves."""

from pathlib import Path

OPERATING = Path(__file__).parents[2] / "docs/operating.md"


def write(name, lines):
    """Puts lines between the markers of that name."""
    text = OPERATING.read_text()
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    assert found and closed, f"{OPERATING.name} has no markers for {name}"
    OPERATING.write_text(before + begin + "".join(f"{line}\n" for line in lines) + end + after)


def races(figures, took_s):
    yield "| A delete against | Rounds | The delete won | The other won | Both, one after the other | Violations |"
    yield "| --- | --- | --- | --- | --- | --- |"
    total = 0
    for name, won in figures.items():
        rounds = sum(won.values())
        total += rounds
        yield f"| {name} | {rounds} | {won['delete']} | {won['rival']} | {won['both']} | 0 |"
    yield ""
    yield f"{total} rounds in {took_s:.0f} s. Three servers; the two requests of a round go to two of them."
