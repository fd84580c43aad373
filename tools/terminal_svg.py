#!/usr/bin/env python3
"""Draws terminal output (ANSI colours allowed) as an SVG picture.

usage: some-command | terminal_svg.py TITLE > picture.svg
"""
import html
import re
import sys

CELL_WIDTH, LINE_HEIGHT, MARGIN, TITLE_HEIGHT = 8.4, 19, 18, 34
COLORS = {"31": "#e06c75", "32": "#98c379", "33": "#e5c07b", "34": "#61afef", "35": "#c678dd", "36": "#56b6c2"}
FOREGROUND, BACKGROUND, DIM = "#d7dae0", "#1e2127", "#8a919e"


def spans(line):
    """(text, style) pieces of a line; style is (colour, bold)."""
    color, bold = FOREGROUND, False
    for piece in re.split(r"(\x1b\[[0-9;]*m)", line):
        match = re.fullmatch(r"\x1b\[([0-9;]*)m", piece)
        if not match:
            if piece:
                yield piece, color, bold
            continue
        for code in match.group(1).split(";"):
            if code in ("", "0"):
                color, bold = FOREGROUND, False
            elif code == "1":
                bold = True
            elif code == "2":
                color = DIM
            elif code in COLORS:
                color = COLORS[code]


def main():
    title = sys.argv[1] if len(sys.argv) > 1 else ""
    lines = [line.split("\r")[-1].replace("\x1b[K", "") for line in sys.stdin.read().rstrip("\n").split("\n")]
    longest = max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in lines)
    width = 2 * MARGIN + longest * CELL_WIDTH
    height = TITLE_HEIGHT + MARGIN + len(lines) * LINE_HEIGHT
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
           f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{html.escape(title, quote=True)}">',
           f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>']
    for at, dot in enumerate(("#ff5f56", "#ffbd2e", "#27c93f")):
        out.append(f'<circle cx="{MARGIN + at * 18}" cy="{TITLE_HEIGHT / 2}" r="5.5" fill="{dot}"/>')
    out.append(f'<text x="{width / 2:.0f}" y="{TITLE_HEIGHT / 2 + 4}" text-anchor="middle" fill="{DIM}" '
               f'font-family="sans-serif" font-size="12">{html.escape(title)}</text>')
    out.append('<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" '
               'font-size="14" xml:space="preserve">')
    for number, line in enumerate(lines):
        y, column = TITLE_HEIGHT + LINE_HEIGHT * (number + 1) - 5, 0
        for text, color, bold in spans(line):
            if text.strip():
                weight = ' font-weight="bold"' if bold else ""
                # textLength keeps the columns straight whatever font the viewer has.
                out.append(f'<text x="{MARGIN + column * CELL_WIDTH:.1f}" y="{y}" fill="{color}"{weight} '
                           f'textLength="{len(text) * CELL_WIDTH:.1f}" lengthAdjust="spacingAndGlyphs">{html.escape(text)}</text>')
            column += len(text)
    out.append("</g></svg>")
    print("\n".join(out))


if __name__ == "__main__":
    main()
