"""Plots as SVG text, from the standard library alone; they adapt to a dark page."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 830, 400
LEFT, RIGHT, TOP, BOTTOM = 64, 260, 54, 56
# The engine's colour on light and on dark ground: told apart also by readers who see fewer colours.
COLOURS = {
    "graft": ("#0b62b8", "#5aa9ff"), "llama.cpp": ("#c05600", "#ff9d4d"),
    "graft-guessing": ("#4aa3c7", "#a3d8f0"), "llama.cpp-ngram": ("#b98a5a", "#f0c9a0"),
    "vllm-ngram": ("#b07ab8", "#e3bfe8"),
    "openvino": ("#2d7d46", "#62c587"), "vllm": ("#8a3fa0", "#cf94e2"),
    "peft": ("#6b6b6b", "#a8a8a8"), "peft-1": ("#a08000", "#d9bd4a"),
}
LABEL_HEIGHT = 17


def line_plot(title, horizontal, vertical, series, ticks):
    """Lines over evenly spaced positions.

    `series` is [(engine, label, {tick: value})], `ticks` the horizontal positions in order; values
    start at 0.
    """
    top = nice_top(max(value for _, _, points in series for value in points.values()))
    canvas = Canvas(title, horizontal, vertical)
    canvas.vertical_axis(top)
    places = {tick: LEFT + (index + 0.5) * canvas.width / len(ticks)
              for index, tick in enumerate(ticks)}
    for tick, x in places.items():
        canvas.text(x, HEIGHT - BOTTOM + 20, str(tick), "middle")
    ends = []
    for engine, label, points in series:
        shown = [(places[t], canvas.y(points[t], top)) for t in ticks if t in points]
        canvas.line(engine, shown)
        for (x, y), tick in zip(shown, [t for t in ticks if t in points]):
            canvas.dot(engine, x, y, f"{label}, {tick}: {points[tick]:.0f}")
        ends.append((shown[-1][1], engine, label))
    canvas.labels(ends)
    return canvas.finish()


def distribution_plot(title, horizontal, series):
    """For each engine the share of answers (0…100 %) that were there after so many seconds.

    `series` is [(engine, label, sorted seconds)]. The axis is logarithmic.
    """
    low = min(values[0] for _, _, values in series) * 0.8
    high = max(values[-1] for _, _, values in series) * 1.1
    canvas = Canvas(title, horizontal, "share of answers")
    canvas.vertical_axis(100, "%")
    for tick in [t * 10.0**p for p in range(-2, 4) for t in (1, 2, 5)]:
        if low <= tick <= high:
            x = canvas.x_logarithmic(tick, low, high)
            canvas.grid_vertical(x)
            canvas.text(x, HEIGHT - BOTTOM + 20, f"{tick:g} s", "middle")
    ends = []
    for engine, label, values in series:
        shown = [(canvas.x_logarithmic(values[0], low, high), canvas.y(0, 100))]
        for index, value in enumerate(values):
            x = canvas.x_logarithmic(value, low, high)
            shown += [(x, shown[-1][1]), (x, canvas.y(100 * (index + 1) / len(values), 100))]
        canvas.line(engine, shown)
        ends.append((canvas.y(100, 100) + LABEL_HEIGHT * len(ends), engine, label))
    canvas.labels(ends)
    return canvas.finish()


class Canvas:
    """An SVG under construction."""

    width = WIDTH - LEFT - RIGHT
    height = HEIGHT - TOP - BOTTOM

    def __init__(self, title, horizontal, vertical):
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{escape(title)}">',
            f"<title>{escape(title)}</title>",
            "<style>svg{font:13px system-ui,sans-serif}text{fill:#24292f}.g{stroke:#d0d7de}"
            ".l{fill:none;stroke-width:2.2;stroke-linejoin:round}.n{font-weight:600}"
            ".t{font-size:15px;font-weight:600}" + colour_rules(0)
            + "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.g{stroke:#3d444d}"
            + colour_rules(1) + "}</style>",
        ]
        self.text(LEFT, 22, title, "start", "t")
        self.text(LEFT, 42, vertical, "start")
        self.text(LEFT + self.width / 2, HEIGHT - 14, horizontal, "middle")

    def y(self, value, top):
        return TOP + self.height * (1 - value / top)

    def x_logarithmic(self, value, low, high):
        return LEFT + self.width * math.log(value / low) / math.log(high / low)

    def vertical_axis(self, top, unit=""):
        for step in range(5):
            value = top * step / 4
            y = self.y(value, top)
            self.parts.append(f'<line class="g" x1="{LEFT}" x2="{LEFT + self.width}" '
                              f'y1="{y:.1f}" y2="{y:.1f}"/>')
            self.text(LEFT - 8, y + 4, f"{value:g}{unit}", "end")

    def grid_vertical(self, x):
        self.parts.append(f'<line class="g" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" '
                          f'y2="{TOP + self.height}"/>')

    def text(self, x, y, words, anchor, kind=""):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
                          f'{f" class={chr(34)}{kind}{chr(34)}" if kind else ""}>{escape(words)}</text>')

    def line(self, engine, points):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline class="l {css(engine)}" points="{path}"/>')

    def dot(self, engine, x, y, words):
        self.parts.append(f'<circle class="d {css(engine)}" cx="{x:.1f}" cy="{y:.1f}" r="3.5">'
                          f"<title>{escape(words)}</title></circle>")

    def labels(self, ends):
        """Names at the right end of the lines, moved apart where they would touch."""
        for y, (_, engine, label) in zip(apart([e[0] for e in ends]), ends):
            self.text(LEFT + self.width + 10, y + 4, label, "start", f"n {css(engine)}")

    def finish(self):
        return "\n".join([*self.parts, "</svg>"]) + "\n"


def colour_rules(ground):
    """Style rules for lines, dots and names on light (0) or dark (1) ground."""
    return "".join(
        f".l.{css(name)}{{stroke:{both[ground]}}}.d.{css(name)},.n.{css(name)}{{fill:{both[ground]}}}"
        for name, both in COLOURS.items())


def css(engine):
    """A class name for an engine."""
    return "e-" + engine.replace(".", "-")


def nice_top(value):
    """The end of an axis that begins at 0: a round number of four equal steps."""
    size = 1.0
    while size * 10 <= value:
        size *= 10
    while size > value:
        size /= 10
    for factor in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10, 12):
        if factor * size >= value:
            return factor * size
    return 20 * size


def apart(places):
    """The places, in the same order, moved so that they are a label's height apart."""
    moved = list(places)
    order = sorted(range(len(places)), key=lambda index: places[index])
    for before, after in zip(order, order[1:]):
        moved[after] = max(moved[after], moved[before] + LABEL_HEIGHT)
    return moved
