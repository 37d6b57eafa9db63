"""From results to tables, aims and the section of a document. Everything here is a function of results.json alone."""

from __future__ import annotations

import re
import statistics
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

Fields = Dict[str, Any]
NOT_MEASURED, FAILED = "not measured", "failed"


class Spread(NamedTuple):
    median: float
    least: float
    most: float


def spread_of(values: Sequence[float]) -> Optional[Spread]:
    return Spread(statistics.median(values), min(values), max(values)) if values else None


def rates(record: Fields) -> Dict[int, float]:
    """Images a second by round; of a turn's steps the median counts."""
    return {turn["round"]: record["batch"] / statistics.median(turn["seconds"]) for turn in record["turns"]}


def rate(record: Fields) -> Optional[Spread]:
    return spread_of(list(rates(record).values()))


def ratio(record: Fields, other: Fields) -> Optional[Spread]:
    """How many times as fast, of turns in the same round: what slows a whole round slows both sides."""
    own, others = rates(record), rates(other)
    return spread_of([own[number] / others[number] for number in own if number in others])


def fastest(records: Sequence[Fields]) -> Optional[Fields]:
    measured = [record for record in records if record["turns"]]
    return max(measured, key=lambda record: rate(record).median) if measured else None


def group_of(results: Fields, record: Fields) -> List[Fields]:
    place = ("stage", "work", "batch")
    return [one for one in results["contestants"] if all(one[name] == record[name] for name in place)]


def best_peer(results: Fields, record: Fields) -> Optional[Fields]:
    return fastest([one for one in group_of(results, record) if one["side"] != "qfw"])


def ceiling_rate(results: Fields, record: Fields) -> Optional[float]:
    """Images a second if a step were its convolutions alone. Small images of a trial have other convolutions."""
    columns = (results.get("ceilings") or {}).get("convolutions", {}).get(str(record["batch"]), {})
    parts = [columns.get(name) for name in record["ceiling"]]
    if results["quick"] or not parts or None in parts or sum(parts) == 0:
        return None
    return 1000 * record["batch"] / sum(parts)


def peak_rate(record: Fields) -> Optional[float]:
    peaks = [turn["peak_images_per_second"] for turn in record["turns"] if turn.get("peak_images_per_second")]
    return statistics.median(peaks) if peaks else None


def number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def share(part: Optional[Spread], whole: Optional[float]) -> str:
    return f"{100 * part.median / whole:.0f} %" if part and whole else ""


def mark_of(*records: Fields) -> str:
    return "*" if any(turn["disturbed"] for record in records for turn in record["turns"]) else ""


def rate_text(record: Fields) -> str:
    found = rate(record)
    if not found:
        return FAILED if record["failure"] else NOT_MEASURED
    return f"{number(found.median)} [{number(found.least)}..{number(found.most)}]{mark_of(record)}"


def against_peer(results: Fields, record: Fields) -> str:
    peer = best_peer(results, record) if record["side"] == "qfw" else None
    found = ratio(record, peer) if peer else None
    return f"{found.median:.2f} x {peer['side']} {peer['label']}" if found else ""


HEADINGS = ("stage", "batch", "work", "contestant", "images/s", "of the fastest peer", "of bare convolutions", "of the peak")


def rows_of(results: Fields) -> List[List[str]]:
    rows = []
    for record in results["contestants"]:
        found = rate(record)
        rows.append([
            record["stage"], str(record["batch"]), record["work"], f"{record['side']} {record['label']}", rate_text(record),
            against_peer(results, record), share(found, ceiling_rate(results, record)), share(found, peak_rate(record))
        ])
    return rows


def text_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in [headings, *rows]) for column in range(len(headings))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in [headings, *rows]]
    return "\n".join(lines)


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("*", "\\*") for cell in cells) + " |"

    return "\n".join([line(headings), "|" + "---|" * len(headings), *(line(row) for row in rows)])


AIM_HEADINGS = ("aim", "wanted", "measured", "verdict")


def aim_row(results: Fields, aim: Fields) -> List[str]:
    records = {record["key"]: record for record in results["contestants"]}
    wanted = f">= {aim['factor']:.3g} x" + (f" ({aim['note']})" if aim["note"] else "")
    own = records.get(aim["faster"])
    other = fastest([records[key] for key in aim["others"] if key in records])
    found = ratio(own, other) if own and other else None
    if not found:
        return [aim["text"], wanted, NOT_MEASURED, ""]
    measured = f"{found.median:.2f} x [{found.least:.2f}..{found.most:.2f}]{mark_of(own, other)}"
    verdict = "a trial" if results["quick"] else "reached" if found.median >= aim["factor"] else "missed"
    return [aim["text"], wanted, measured, verdict]


def aim_rows(results: Fields) -> List[List[str]]:
    return [aim_row(results, aim) for aim in results["aims"]]


def disturbances(results: Fields) -> str:
    turns = [turn for record in results["contestants"] for turn in record["turns"]]
    known = [turn["foreign_cores"] for turn in turns if turn["foreign_cores"] is not None]
    if not known:
        return "What other processes took is not known here."
    again = sum(turn["attempts"] - 1 for turn in turns)
    marked = sum(turn["disturbed"] for turn in turns)
    return (f"Other processes took {statistics.median(known):.2f} cores in the median turn, {max(known):.2f} at most; {again} "
            f"turns were repeated, and {marked} (marked *) stayed disturbed by more than 0.1.")


def failures_of(results: Fields) -> List[str]:
    """Each reason once, with those that it stopped."""
    reasons: Dict[str, List[str]] = {}
    for record in results["contestants"]:
        if record["failure"]:
            reasons.setdefault(record["failure"], []).append(record["key"])
    return [f"Failed: {', '.join(keys)}: {reason}" for reason, keys in reasons.items()]


def without_folders(text: str) -> str:
    """Where something lay on the machine that measured is nobody's business."""
    return re.sub(r"(?<![\w.])/(?:[^\s/:]+/)+", "", text)


def ceilings_text(results: Fields) -> str:
    memory = (results.get("ceilings") or {}).get("memory")
    return f"Memory: {memory['read']:.0f} GB/s read, {memory['triad']:.0f} GB/s triad." if memory else ""


def notes_of(results: Fields) -> str:
    return " ".join(filter(None, (ceilings_text(results), disturbances(results))))


def heading_of(results: Fields) -> str:
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in sorted(results["versions"].items()))
    trial = " A trial with small images and batches: its numbers mean nothing." if results["quick"] else ""
    cut = " It was interrupted." if results["interrupted"] else ""
    return (f"{machine['processor']} ({machine['kind']}), {machine['threads']} threads on as many cores, "
            f"{machine['memory_gib']:.0f} GiB; {results['date']}; {versions}. Medians [least..most] of {results['rounds']} "
            f"rounds.{trial}{cut}")


def text_report(results: Fields) -> str:
    tables = [text_table(HEADINGS, rows_of(results)), text_table(AIM_HEADINGS, aim_rows(results))]
    parts = [heading_of(results), *tables, notes_of(results), *failures_of(results)]
    return "\n\n".join(parts)


def markdown_report(results: Fields, chart: str) -> str:
    parts = [f"### {results['machine']['kind']}", heading_of(results), markdown_table(HEADINGS, rows_of(results)),
             *map(without_folders, failures_of(results)), notes_of(results).replace("*", "\\*"),
             markdown_table(AIM_HEADINGS, aim_rows(results)), f"![images/s of each contestant]({chart})"]
    return "\n\n".join(parts)


FIRST, LAST, NEXT = "<!-- bench: {} -->", "<!-- end -->", "<!-- bench: more -->"


def with_section(document: str, name: str, section: str) -> Optional[str]:
    """The document with this kind's section replaced, or put before the mark for further ones; nothing if it has neither."""
    block = f"{FIRST.format(name)}\n{section}\n{LAST}\n"
    head, mark, rest = document.partition(FIRST.format(name) + "\n")
    if mark:
        _, end, tail = rest.partition(LAST + "\n")
        return head + block + tail if end else None
    head, mark, tail = document.partition(NEXT)
    return head + block + "\n" + mark + tail if mark else None
