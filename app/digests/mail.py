"""A digest as a mail: HTML with its charts as pictures, the same as plain text, and the PDF."""

import re
from functools import cache
from pathlib import Path
from typing import Final

import jinja2

from app.charts.draw import draw
from app.digests import content as words
from app.digests.content import Content
from connectors.notices import Rich
from domain.masking import Masker

CHART: Final = (400, 180)  # drawn for a hand; a desk shows it WIDE pixels wide
WIDE: Final = 560
CHARTS_MAX: Final = 12  # pictures of a mail, of some 10 kB; the PDF has all
SIGNS: Final = {1: "▲", -1: "▼", 0: ""}


def subject(content: Content) -> str:
    """Of the mail."""
    return f"{content.title}: {content.words}"


def rich(content: Content, masker: Masker | None) -> tuple[str, Rich]:
    """(the text, what stands beside it). Blocks for up to a second."""
    from app.charts.raster import png  # libraries of pictures and PDFs: loaded by the first digest
    from app.digests.pdf import pdf

    images: dict[str, bytes] = {}
    figures = []
    for n, one in enumerate(content.figures):
        chart = words.chart_of(content, one, masker)
        drawing = None if chart is None or len(images) >= CHARTS_MAX else draw(chart, *CHART)
        name = says = ""
        if drawing is not None:
            name, says = f"chart-{n}", drawing.says
            images[name] = png(drawing)
        title = one.title if masker is None else masker.text(one.title)
        rows = words.rows(one, masker)
        figures.append({
            "title": title, "failed": one.failed, "image": name, "says": says, "rows": rows,
            "sentence": words.sentence(rows[0], content.every) if len(rows) == 1 else "",
            "more": max(0, one.series - len(one.lines)),
        })  # fmt: skip
    html = _template().render(
        content=content, figures=figures, failing=[words.failing(name) for name in content.failing],
        before=words.before_words(content.every), signs=SIGNS, wide=WIDE,
    )  # fmt: skip
    file = f"{_file(content.title)}-{content.first}.pdf"
    return text(content, masker), Rich(html, images, (file, pdf(content, masker)))


def text(content: Content, masker: Masker | None) -> str:
    """The mail for who reads no HTML."""
    made = [content.title, f"{content.words}, {content.zone}"]
    if content.partial:
        made[-1] += ", not over yet"
    made += [words.failing(name) for name in content.failing]
    for one in content.figures:
        title = one.title if masker is None else masker.text(one.title)
        if one.failed:
            made += ["", title, f"  {one.failed}"]
            continue
        rows = words.rows(one, masker)
        if len(rows) == 1 and one.series == 1 and not one.lines[0].name:
            made += ["", f"{title}: {words.sentence(rows[0], content.every)}"]
            continue
        made += ["", title]
        made += [f"  {row.name}: {words.sentence(row, content.every)}" for row in rows]
        if one.series > len(one.lines):
            made.append(f"  and {one.series - len(one.lines):,} more")
    made += ["", f"Figures as of {content.made[:16]}Z. The charts are in the PDF."]
    return "\n".join(made) + "\n"


def _file(title: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", title).strip("-").lower()[:60] or "digest"


@cache
def _template() -> jinja2.Template:
    folder = Path(__file__).parent / "templates"
    loader = jinja2.FileSystemLoader(folder)
    made = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    return made.get_template("mail.html")
