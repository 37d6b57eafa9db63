"""A bar chart as SVG: a group for each comparison, every group with a scale of its own, so that ratios can be seen."""

from __future__ import annotations

from html import escape
from typing import Any, Dict, List, Tuple

from .report import ceiling_rate, number, rate

WIDTH, LABELS, BARS, LINE, TITLE = 880, 300, 440, 20, 30
NUMBER = 40  # what a number takes beside its bar
COLORS = {"qfw": "#1f6fb4", "PyTorch": "#e0752d", "ONNX Runtime": "#4c9a5b"}

Fields = Dict[str, Any]


def text(x: float, y: float, words: str, **style: str) -> str:
    attributes = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in style.items())
    return f'<text x="{x:.1f}" y="{y:.1f}"{attributes}>{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, **style: str) -> str:
    attributes = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in style.items())
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"{attributes}/>'


def box(x: float, y: float, width: float, height: float, color: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{color}"/>'


def groups_of(results: Fields) -> Dict[str, List[Fields]]:
    groups: Dict[str, List[Fields]] = {}
    for record in results["contestants"]:
        if record["turns"]:
            groups.setdefault(f"{record['stage']}, {record['work']}, batch {record['batch']}", []).append(record)
    return groups


def bar(results: Fields, record: Fields, y: float, scale: float) -> List[str]:
    found, ceiling = rate(record), ceiling_rate(results, record)
    middle = y + LINE / 2
    parts = [
        text(LABELS - 8, middle + 4, f"{record['side']} {record['label']}", text_anchor="end"),
        box(LABELS, y + 3, found.median * scale, LINE - 6, COLORS[record["side"]]),
        line(LABELS + found.least * scale, middle, LABELS + found.most * scale, middle, stroke="#222", stroke_width="1.5"),
    ]
    end = LABELS + found.most * scale
    if ceiling:
        x = LABELS + ceiling * scale
        parts.append(line(x, y + 1, x, y + LINE - 1, stroke="#222", stroke_dasharray="3 2"))
        end = x if end <= x < end + NUMBER else end
    return parts + [text(end + 6, middle + 4, number(found.median))]


def group(results: Fields, title: str, records: List[Fields], y: float) -> Tuple[List[str], float]:
    most = max(max(rate(record).most, ceiling_rate(results, record) or 0) for record in records)
    parts = [text(8, y + TITLE - 9, title, font_weight="bold")]
    y += TITLE
    for record in records:
        parts += bar(results, record, y, BARS / most)
        y += LINE
    return parts, y


def chart(results: Fields) -> str:
    machine = results["machine"]
    parts = [text(8, 18, f"ResNet50, images/s on {machine['processor']}, {machine['threads']} cores", font_weight="bold"),
             text(8, 36, "Bars: medians; black: least to most; dashed: the convolutions alone. Each group has its own scale.")]
    y = 44.0
    for title, records in groups_of(results).items():
        more, y = group(results, title, records, y)
        parts += more
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + 12:.0f}" viewBox="0 0 {WIDTH} {y + 12:.0f}" '
            'font-family="sans-serif" font-size="12">')
    return "\n".join([head, '<rect width="100%" height="100%" fill="#fff"/>', *parts, "</svg>", ""])
