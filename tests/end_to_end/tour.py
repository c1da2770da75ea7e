"""The commands that README.md shows, with what it says they print."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
ANY = "…"  # any text in a line; as a line of its own, any lines


@dataclass(frozen=True)
class Step:
    """One command line, and the lines that follow it."""

    command: str
    shown: tuple[str, ...]

    def fits(self, output: str) -> bool:
        """Whether the output is as shown; widths of columns don't count."""
        pattern = "".join(_line(line) for line in self.shown)
        return (
            re.fullmatch(pattern, "".join(f"{line}\n" for line in output.splitlines())) is not None
        )


def steps(text: str) -> list[Step]:
    """The commands of all console blocks, in order."""
    found: list[Step] = []
    for block in blocks(text, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *shown = part.rstrip("\n").split("\n")
            found.append(Step(command, tuple(shown)))
    return found


def blocks(text: str, language: str) -> list[str]:
    """The code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def _line(line: str) -> str:
    if line == ANY:
        return r"(?:.*\n)*?"
    words = (".*".join(map(re.escape, word.split(ANY))) for word in line.split())
    return r"[ ]*" + r"[ ]+".join(words) + r"[ ]*\n"
