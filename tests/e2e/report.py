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


def high_availability(kills, counts, slowest_s):
    times = "A new one led after | No write to the database for | No success for"
    yield f"| | The primary was | Primary before | and after | {times} |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for number, kill in enumerate(kills, 1):
        times = " | ".join(f"{kill[name]:.1f} s" for name in ("led_s", "database_gap_s", "gap_s"))
        yield f"| {number} | {kill['how']} | {kill['old']} | {kill['new']} | {times} |"
    gaps = sorted(kill["gap_s"] for kill in kills)
    yield ""
    frozen = sum(kill["how"] == "frozen" for kill in kills)
    yield f"- Primaries killed: {len(kills) - frozen}; frozen: {frozen}; servers killed: {len(kills)}."
    yield f"- Gap in service: {gaps[len(gaps) // 2]:.1f} s in the middle, {gaps[-1]:.1f} s at most."
    yield (
        f"- Acknowledged: {counts['requests']} requests, among them {counts['images']} new images,"
        f" {counts['launches']} launches and {counts['deletes']} deletes."
    )
    yield "- Acknowledged and lost: none. Deleted and back: none. In use and deleted: none."
    yield "- `calotype check --deep` on every server: nothing is wrong."
    yield (
        f"- Told that the service is away: {counts['unanswered']} requests, the slowest after {slowest_s:.1f} s."
    )
