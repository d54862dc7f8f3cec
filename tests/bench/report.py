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
    # A tiny run may take no time that the clock shows.
    results = {bench: {peer: figure for peer, figure in figures.items() if median(figure) > 0}
               for bench, figures in results.items()}
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

LABELS, BARS, FIGURES, ROW, GAP, HEAD = 150, 520, 270, 19, 12, 96
STYLE = """
    text { font: 12px 'DejaVu Sans', system-ui, sans-serif; fill: #222 }
    .title { font-size: 17px; font-weight: 600 } .bench { font-weight: 600 } .note { fill: #666 }
    .even { fill: #f5f7fa } .grid { stroke: #d8dde3 } .one { stroke: #555 } .goal { stroke: #c00; stroke-width: 2 }
    .met { fill: #7aa6d1 } .missed { fill: #e09a4f } .free { fill: #b3bac2 }
"""


def text(x, y, words, style="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" text-anchor="{anchor}">{escape(words)}</text>'


def line(x1, y1, x2, y2, style):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{style}"/>'


def box(x, y, width, height, style):
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" class="{style}"/>'


def peers_of(figures):
    return [peer for peer in figures if peer != "brood"]


def plot(results, goals):
    """A block a benchmark and a bar a peer, on a logarithmic axis, from the line that is brood's speed."""
    results = {bench: figures for bench, figures in results.items() if "brood" in figures and len(figures) > 1}
    factors = {(goal.bench, goal.peer): goal.factor for goal in goals}
    seen = [ratio(figures, peer) for figures in results.values() for peer in figures]
    low = math.floor(math.log10(min(seen, default=0.1)))
    high = max(1, math.ceil(math.log10(max(seen, default=10))))

    def across(relative):
        return LABELS + BARS * (math.log10(relative) - low) / (high - low)

    height = HEAD + sum(len(figures) * ROW + GAP for figures in results.values()) + 30
    width = LABELS + BARS + FIGURES
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        f"<style>{STYLE}</style>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    blocks, y = [], HEAD
    for i, (bench, figures) in enumerate(results.items()):
        size = len(figures) * ROW + GAP
        if i % 2 == 0:
            parts.append(box(0, y, width, size, "even"))
        blocks += block(y + GAP / 2, bench, figures, factors, across)
        y += size
    for power in range(low, high + 1):
        parts.append(line(across(10**power), HEAD, across(10**power), y, "one" if power == 0 else "grid"))
        for at in (HEAD - 6, y + 16):
            parts.append(text(across(10**power), at, "brood" if power == 0 else f"{10.0**power:g}×", "note", "middle"))
    return "\n".join(parts + legend() + blocks + ["</svg>"]) + "\n"


def legend():
    parts = [
        text(16, 26, "brood beside its peers", "title"),
        text(16, 46, "A bar is a peer's speed as a multiple of brood's, on a logarithmic scale: to the left it is slower than "
                     "brood, to the right faster.", "note"),
    ]
    x = 16
    for style, words in (("met", "brood's goal is met"), ("missed", "missed"), ("free", "no goal")):
        parts += [box(x, 56, 14, 11, style), text(x + 20, 66, words, "note")]
        x += 40 + 7 * len(words)
    return parts + [line(x, 55, x, 69, "goal"), text(x + 8, 66, "the goal: how far to the right the bar may reach", "note")]


def block(y, bench, figures, factors, across):
    """The benchmark's name with brood's own figure, and a row for each peer."""
    parts = [
        text(16, y + 14, bench, "bench"),
        text(LABELS + BARS + 16, y + 14, figure_text(figures["brood"]), "bench"),
    ]
    for peer in peers_of(figures):
        y += ROW
        relative, factor = ratio(figures, peer), factors.get((bench, peer))
        start, end = sorted((across(1), across(relative)))
        style = "free" if factor is None else "met" if 1 / relative >= factor else "missed"
        parts += [
            text(LABELS - 8, y + 14, peer, "", "end"),
            box(start, y + 4, max(end - start, 1), ROW - 7, style),
            text(LABELS + BARS + 16, y + 14, f"{figure_text(figures[peer])}, {how_fast(relative)}"),
        ]
        if factor is not None and LABELS <= across(1 / factor) <= LABELS + BARS:
            parts.append(line(across(1 / factor), y + 2, across(1 / factor), y + ROW - 1, "goal"))
    return parts


def figure_text(figure):
    return f"{number(median(figure))} {figure[0]}"


def how_fast(relative):
    return f"{relative:.3g} times as fast" if relative >= 1 else f"brood {1 / relative:.3g} times as fast"
