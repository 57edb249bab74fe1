"""How does the jitter look? Fetches a second over the story, as SVG that is legible on light and on dark."""

from collections.abc import Iterator
from typing import Final
from xml.sax.saxutils import escape

from benchmarks.capacity.simulation import Fetches
from benchmarks.capacity.story import END, PHASES

_WIDTH: Final = 900
_HEIGHT: Final = 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 10, 50, 40
_BARS: Final = 270  # of half a minute each
_STYLE: Final = (
    "text{font:12px system-ui,sans-serif;fill:#57606a}.bar{fill:#0969da}line{stroke:#8c959f;stroke-width:.5}"
    "@media (prefers-color-scheme:dark){text{fill:#9198a1}.bar{fill:#4493f8}}"
)


def picture(fetches: Fetches) -> str:
    """Draw it; each bar is the mean of its time.

    Args:
        fetches: Of one fleet.
    """
    width = END / _BARS
    bars = [
        sum(fetches.rate(second) for second in range(round(at * width), round((at + 1) * width))) / width
        for at in range(_BARS)
    ]
    top = 1.1 * max(bars) or 1.0
    title = f"Fetches of the certs endpoint by {fetches.workers:,} workers"
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
            'aria-labelledby="title description">',
            f'<title id="title">{escape(title)}</title>',
            f'<desc id="description">{escape(_told(fetches))}</desc>',
            f"<style>{_STYLE}</style>",
            f'<text x="{_LEFT}" y="18">{escape(title)}, a second (bars of {width:.0f} s)</text>',
            *_grid(top),
            *_bars(bars, top),
            *_labels(),
            "</svg>\n",
        )
    )


def _told(fetches: Fetches) -> str:
    return " ".join(
        f"{phase.text}: {fetches.mean(phase):.2f} on average, {fetches.busiest(phase):.2f} in the busiest ten seconds."
        for phase in PHASES
    )


def _grid(top: float) -> Iterator[str]:
    for part in range(5):
        y = _y(part / 4)
        yield f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_short(top * part / 4)}</text>'


def _bars(bars: list[float], top: float) -> Iterator[str]:
    step = (_WIDTH - _LEFT - _RIGHT) / len(bars)
    for number, value in enumerate(bars):
        y = _y(value / top)
        if value:
            yield (
                f'<rect class="bar" x="{_LEFT + number * step:.1f}" y="{y:.1f}" width="{step * 0.85:.1f}" '
                f'height="{_y(0) - y:.1f}"/>'
            )


def _labels() -> Iterator[str]:
    for number, phase in enumerate(PHASES):
        x = _LEFT + (_WIDTH - _LEFT - _RIGHT) * phase.begins / END
        y = _HEIGHT - _BOTTOM + 16 + 16 * (number % 2)  # neighbours are close
        yield f'<text x="{x:.1f}" y="{y}">{escape(phase.text)}</text>'


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _y(share: float) -> float:
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)
