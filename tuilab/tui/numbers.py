"""Numbers as people read them: exact counts with separators, short ones in headings, sensible digits."""

from math import floor, isfinite, log10

_UNITS = ((10**15, "P"), (10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K"))

_TOO_LONG = 10**10


def exact(count: int) -> str:
    """``12,345``."""
    return f"{count:,}"


def short(count: float) -> str:
    """``12.3K``; three significant digits, for headings and narrow columns."""
    for unit, suffix in _UNITS:
        if abs(count) >= unit * 0.9995:
            scaled = count / unit
            return f"{scaled:.3g}{suffix}" if abs(scaled) < 999.5 else f"{scaled:.0f}{suffix}"
    return f"{count:.3g}"


def fitting(count: int, width: int) -> str:
    """The exact count where it fits into ``width`` cells, else the short one."""
    text = exact(count)
    return text if len(text) <= width else short(count)


def tabled(count: int) -> str:
    """The exact count up to ten digits, else four of them: ``174.6B``; a longer one pushes names out of a table."""
    if abs(count) < _TOO_LONG:
        return exact(count)
    unit, suffix = next((unit, suffix) for unit, suffix in _UNITS if abs(count) >= unit)
    return f"{count / unit:,.1f}{suffix}"


def signed_percent(share: float) -> str:
    """``+1.2%``; the sign is always shown. ``>10×`` and ``-100%`` where digits would say no more."""
    if share >= 10:
        return ">10×"
    if share < -0.9985:
        return "-100%"
    return f"{share * 100:+.1f}%"


def value(number: float | None) -> str:
    """Four significant digits, plain where that is readable."""
    if number is None:
        return "–"
    if not isfinite(number):
        return "∞" if number > 0 else "–"
    if number == 0:
        return "0"
    return f"{number:.4f}"[:6] if 1e-3 <= abs(number) < 100 else f"{number:.3g}"


def with_half_width(mean: float | None, half_width: float | None) -> str:
    """``0.0136±0.0022``: digits as far as the half-width makes sense of them."""
    if mean is None:
        return "–"
    if half_width is None or not isfinite(half_width):
        return value(mean)
    if half_width == 0:
        return f"{value(mean)}±0"
    decimals = max(0, 1 - floor(log10(half_width)))
    decimals = min(6, decimals if decimals <= 4 else max(4, decimals - 1))
    return f"{mean:.{decimals}f}±{half_width:.{decimals}f}"


def rate(number: float | None) -> str:
    """``1,445`` optimiser steps a second."""
    if number is None:
        return "–"
    return exact(round(number)) if number < 99_999.5 else short(number)


def clock(seconds: float) -> str:
    """``0:41``, ``12:05`` or ``3:04:10``."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{secs:02}" if hours else f"{minutes}:{secs:02}"


def about(seconds: float) -> str:
    """``8 s``, ``3 min``, ``2 h``: a rough duration."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    if seconds < 36 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{round(seconds / 86400)} d" if seconds < 1000 * 86400 else f"{short(seconds / (365.25 * 86400))} years"


def ago(seconds: float) -> str:
    """``now``, ``5 min``, ``3 h``, ``12 d``: how long something is past."""
    if seconds < 60:
        return "now"
    if seconds < 3600:
        return f"{int(seconds // 60)} min"
    return f"{int(seconds // 3600)} h" if seconds < 48 * 3600 else f"{int(seconds // 86400)} d"


def count_of(number: int, noun: str) -> str:
    """``1 layer``, ``2 layers``."""
    return f"{exact(number)} {noun}{'' if number == 1 else 's'}"


def size(number: float) -> str:
    """``1.5 KiB``, ``334 GiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.3g} {unit}" if number < 1000 else f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.3g} TiB" if number < 1000 else f"{exact(round(number))} TiB"
