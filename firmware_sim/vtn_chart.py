"""A report's values as a small chart: bars in SVG, the zero line inside, the numbers in its title."""

from __future__ import annotations

from html import escape

WIDTH, HEIGHT, GAP = 240.0, 48.0, 1.0
MOST_BARS = 96


def chart(label: str, values: list[float]) -> str:
    """SVG of the last values, oldest at the left; empty for a single one, which a number tells better."""
    shown = values[-MOST_BARS:]
    if len(shown) < 2:
        return ""
    low, high = min(0.0, *shown), max(0.0, *shown)
    scale = HEIGHT / ((high - low) or 1.0)
    step = WIDTH / len(shown)
    bars = "".join(_bar(place * step, step, value, high, scale) for place, value in enumerate(shown))
    title = escape(f"{label}: {', '.join(f'{value:g}' for value in shown)}")
    return (
        f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" preserveAspectRatio="none"><title>{title}</title>{bars}'
        f'<line x1="0" x2="{WIDTH:g}" y1="{high * scale:.1f}" y2="{high * scale:.1f}"/></svg>'
    )


def _bar(left: float, step: float, value: float, high: float, scale: float) -> str:
    top = (high - max(value, 0.0)) * scale
    width = max(step - GAP, 0.5)
    return f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{abs(value) * scale:.1f}"/>'
