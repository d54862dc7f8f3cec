"""report.py - the table and the plot of a run of tools/bench.

Both show speeds as ratios to brood's: 2.0 means that the peer is twice as fast. Absolute figures move from
machine to machine; these do less.
"""

import math
import os
import platform
import statistics
import time
from xml.sax.saxutils import escape


def write(directory, results, goals, rounds):
    """Writes report.md and report.svg; `results` is {bench: {peer: (unit, [numbers])}}. Their paths."""
    results = {bench: figures for bench, figures in results.items() if figures}
    paths = []
    for name, text in (("report.md", table(results, goals, rounds)), ("report.svg", plot(results, goals))):
        paths.append(os.path.join(directory, name))
        with open(paths[-1], "w", encoding="utf-8") as file:
            file.write(text)
    return paths


def median(figure):
    return statistics.median(figure[1])


def speed(figure):
    """More is better: operations a second as they are, times inverted."""
    unit, value = figure[0], median(figure)
    return value if unit.endswith("/s") else 1 / value


def ratio(figures, peer):
    """The peer's speed by brood's, or None where brood was not measured."""
    return speed(figures[peer]) / speed(figures["brood"]) if "brood" in figures else None


def number(value):
    digits = max(0, 2 - math.floor(math.log10(value))) if value > 0 else 0
    return f"{value:,.{min(digits, 3)}f}"


def goal_text(goals, bench, figures, peer):
    for wanted in goals:
        if wanted.bench == bench and wanted.peer == peer and "brood" in figures:
            reached = 1 / ratio(figures, peer)
            verdict = "met" if reached >= wanted.factor else "missed"
            return f"brood at least {wanted.factor:.3g} times as fast: {reached:.3g}, {verdict}"
    return ""


def cpu_name():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def table(results, goals, rounds):
    lines = [
        "# brood beside its peers",
        "",
        f"{time.strftime('%Y-%m-%d')}, {platform.system()} {platform.release()}, {cpu_name()}, "
        f"{os.cpu_count()} CPUs, {rounds} rounds in turns, medians.",
        "Relative speed: the peer's speed divided by brood's.",
        "",
        "| bench | peer | median | unit | lowest to highest | relative speed | goal |",
        "|---|---|--:|---|--:|--:|---|",
    ]
    for bench, figures in results.items():
        for peer, (unit, numbers) in figures.items():
            relative = ratio(figures, peer)
            lines.append(
                f"| {bench} | {peer} | {number(median((unit, numbers)))} | {unit} "
                f"| {number(min(numbers))} to {number(max(numbers))} "
                f"| {'' if relative is None else f'{relative:.3g}'} | {goal_text(goals, bench, figures, peer)} |"
            )
    return "\n".join(lines) + "\n"


# --- the plot -----------------------------------------------------------------------------------

LABELS, BARS, FIGURES, ROW, HEAD = 210, 480, 210, 20, 70
STYLE = """
    text { font: 12px system-ui, sans-serif; fill: #222 }
    .title { font-size: 16px; font-weight: 600 } .bench { font-weight: 600 } .note { fill: #666 }
    .grid { stroke: #ddd } .one { stroke: #888 } .goal { stroke: #b00; stroke-width: 2 }
    .brood { fill: #2b6cb0 } .peer { fill: #a0aec0 }
"""


def text(x, y, words, style="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" text-anchor="{anchor}">{escape(words)}</text>'


def line(x1, y1, x2, y2, style):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{style}"/>'


def plot(results, goals):
    """Bars on a logarithmic axis, from the vertical line that is brood's speed."""
    results = {bench: figures for bench, figures in results.items() if "brood" in figures}
    ratios = [ratio(figures, peer) for figures in results.values() for peer in figures]
    low = math.floor(math.log10(min(ratios, default=0.1)))
    high = max(1, math.ceil(math.log10(max(ratios, default=10))))

    def across(relative):
        return LABELS + BARS * (math.log10(relative) - low) / (high - low)

    height = HEAD + sum(len(figures) + 1 for figures in results.values()) * ROW + 30
    width = LABELS + BARS + FIGURES
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        f"<style>{STYLE}</style>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
        text(16, 26, "brood beside its peers", "title"),
        text(16, 44, "speed relative to brood, logarithmic; to the right is faster; red: brood's goal", "note"),
    ]
    for power in range(low, high + 1):
        x = across(10**power)
        parts.append(line(x, HEAD - 8, x, height - 24, "one" if power == 0 else "grid"))
        parts.append(text(x, height - 8, f"{10.0**power:g}×", "note", "middle"))
    y = HEAD
    for bench, figures in results.items():
        parts.append(text(16, y + 14, bench, "bench"))
        for peer, figure in figures.items():
            y += ROW
            parts += bar(y, peer, figure, ratio(figures, peer), across)
            parts += [
                line(across(1 / wanted.factor), y + 2, across(1 / wanted.factor), y + ROW - 2, "goal")
                for wanted in goals
                if wanted.bench == bench and wanted.peer == peer and low <= -math.log10(wanted.factor) <= high
            ]
        y += ROW
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def bar(y, peer, figure, relative, across):
    start, end = sorted((across(1), across(relative)))
    if peer == "brood":
        start, end = start - 2, end + 2
    style = "brood" if peer == "brood" else "peer"
    return [
        text(LABELS - 10, y + 14, peer, "", "end"),
        f'<rect x="{start:.1f}" y="{y + 4}" width="{end - start:.1f}" height="{ROW - 8}" class="{style}"/>',
        text(LABELS + BARS + 10, y + 14, f"{number(median(figure))} {figure[0]}   ({relative:.3g}×)"),
    ]
