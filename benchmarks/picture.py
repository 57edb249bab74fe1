"""How do the figures look at a glance? Bars as SVG, legible on a light and on a dark page, and in words."""

from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape

from benchmarks.figures import Line, Section

_WIDTH, _LABELS, _BARS = 860, 350, 420  # pixels: in all, of the names, of the longest bar
_ROW, _BAR, _HEAD, _GAP = 22, 14, 30, 18

# The colours of people who chose a dark page are another set: neither is legible on both.
_STYLE = """
    text { font: 13px system-ui, sans-serif; fill: #1f2328; }
    .title { font-weight: 600; font-size: 14px; }
    .ours { fill: #0a58ca; }
    .other { fill: #8c959f; }
    text.own { font-weight: 600; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .ours { fill: #58a6ff; }
      .other { fill: #6e7681; }
    }
""".strip("\n")


def drawn(sections: Iterable[Section]) -> str:
    """Draw those sections that are to be seen.

    Args:
        sections: All of them.

    Returns:
        An SVG document. Bars of one section have one scale, which begins at nought.
    """
    shown = [section for section in sections if section.pictured]
    parts: list[str] = []
    top = 0.0
    for section in shown:
        parts += _group(section, top)
        top += _HEAD + _ROW * len(section.lines) + _GAP
    words = escape(" ".join(_words(section) for section in shown))
    body = "\n".join(f"  {part}" for part in parts)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top:g}" role="img" aria-labelledby="t d">
  <title id="t">What a check costs, ours and others', as ratios</title>
  <desc id="d">{words}</desc>
  <style>
{_STYLE}
  </style>
{body}
</svg>
"""


def _group(section: Section, top: float) -> Iterator[str]:
    longest = max(line.value for line in section.lines)
    title = f"{section.title} (ratio to: {section.base})"
    yield f'<text class="title" x="0" y="{top + 18:g}">{escape(title)}</text>'
    for number, line in enumerate(section.lines):
        yield from _bar(line, top + _HEAD + _ROW * number, line.value / longest)


def _bar(line: Line, top: float, share: float) -> Iterator[str]:
    length, own = max(1.0, _BARS * share), ' class="own"' if line.ours else ""
    base = top + _BAR - 3
    yield f'<text{own} x="{_LABELS - 10}" y="{base:g}" text-anchor="end">{escape(line.name)}</text>'
    kind = "ours" if line.ours else "other"
    yield f'<rect class="{kind}" x="{_LABELS}" y="{top:g}" width="{length:.1f}" height="{_BAR}" rx="2"/>'
    yield f'<text{own} x="{_LABELS + length + 8:.1f}" y="{base:g}">{line.value:.2f}</text>'


def _words(section: Section) -> str:
    values = ", ".join(f"{line.name} {line.value:.2f}" for line in section.lines)
    return f"{section.title}, ratio to {section.base}: {values}."
