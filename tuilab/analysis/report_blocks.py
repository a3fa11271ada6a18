"""A report as a list of blocks, and its two renderings: Markdown and a self-contained HTML page."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TypeAlias, assert_never

from tuilab.analysis.report_charts import Chart
from tuilab.analysis.report_svg import svg
from tuilab.analysis.report_text import text_chart


@dataclass(frozen=True, slots=True)
class Heading:
    """Starts a section; level 1 is the title."""

    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Text; ``strong`` for the sentence that matters most. Blank lines part paragraphs."""

    text: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first column is text, the others align right."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart, drawn as SVG on a page and as text in Markdown."""

    chart: Chart


@dataclass(frozen=True, slots=True)
class Code:
    """Text to be copied exactly."""

    text: str
    language: str = ""


Block: TypeAlias = Heading | Paragraph | Bullets | Table | Figure | Code

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")


def _plain(text: str) -> str:
    """Text with Markdown's own characters escaped, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def to_markdown(blocks: Sequence[Block]) -> str:
    """The report as CommonMark with pipe tables."""
    return "\n\n".join(map(_markdown, blocks)) + "\n"


def _markdown(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * level} {_plain(text)}"
        case Paragraph(text, strong):
            parts = [_plain(part) for part in re.split(r"\n\s*\n", text) if part.strip()]
            return "\n\n".join(f"**{part}**" if strong else part for part in parts)
        case Bullets(items):
            return "\n".join(f"- {_plain(item)}" for item in items)
        case Table(header, rows):
            rule = ["---", *["---:"] * (len(header) - 1)]
            cells = [[_plain(cell) for cell in row] for row in (header, *rows)]
            return "\n".join(f"| {' | '.join(row)} |" for row in [cells[0], rule, *cells[1:]])
        case Figure(chart):
            return f"**{_plain(chart.title)}.** {_plain(chart.about)}\n\n{_fenced(text_chart(chart), 'text')}"
        case Code(text, language):
            return _fenced(text, language)
        case never:
            assert_never(never)


def _fenced(text: str, language: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
p, ul { max-width: 48rem; }
.answer { border-left: .3rem solid #0072b2; padding: .4rem 1rem; font-size: 1.1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid #8885; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
figure { margin: 1.5rem 0; max-width: 48rem; }
figcaption { font-size: .9rem; opacity: .8; }
pre { background: #8882; padding: .8rem; overflow-x: auto; font-size: .85rem; }
"""


def to_html(blocks: Sequence[Block], title: str) -> str:
    """The report as one page that loads nothing."""
    body = "\n".join(map(_html, blocks))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _html(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{escape(text)}</h{level}>"
        case Paragraph(text, strong):
            parts = [escape(part) for part in re.split(r"\n\s*\n", text) if part.strip()]
            kind = ' class="answer"' if strong else ""
            return "\n".join(f"<p{kind}>{part}</p>" for part in parts)
        case Bullets(items):
            return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"
        case Table(header, rows):
            head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
            body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
            return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        case Figure(chart):
            caption = f"<strong>{escape(chart.title)}.</strong> {escape(chart.about)}"
            return f"<figure>{svg(chart)}<figcaption>{caption}</figcaption></figure>"
        case Code(text, _):
            return f"<pre><code>{escape(text.rstrip())}</code></pre>"
        case never:
            assert_never(never)
