"""What people read, taken apart: pages, their blocks of code, their links and the files and keys that they name."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "config/README.md", "results/README.md")),
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts),
]
MARKDOWN = MarkdownIt("commonmark").enable("table")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> str | None:
        """The file that a reader writes the block to, as its first line says."""
        found = re.match(r"# (config/\w+\.yaml)\n", self.text)
        return found and found[1]

    def commands(self) -> Iterator[list[str]]:
        """Yield the words of each command, without comments, `export` and the parts of loops."""
        for line in self.text.splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0] not in {"for", "done"} and "=" not in words[0]:
                yield words


def blocks(*languages: str, pages: list[Path] = PAGES) -> list[Block]:
    """Return the fenced blocks in these languages."""
    tokens = [(page, token) for page in pages for token in MARKDOWN.parse(page.read_text()) if token.type == "fence"]
    found = [
        Block(page.relative_to(ROOT).as_posix(), token.map[0] + 1, token.info, token.content) for page, token in tokens
    ]
    return [block for block in found if block.language in languages]


def inline(page: Path, kind: str) -> list[Token]:
    """Return the inline tokens of a kind, such as `code_inline`."""
    parents = [token for token in MARKDOWN.parse(page.read_text()) if token.children]
    return [child for token in parents for child in token.children if child.type == kind]


def links(page: Path) -> list[str]:
    """Return what a page's links and pictures point to beside it, without anchors."""
    targets = [
        *(token.attrs["href"] for token in inline(page, "link_open")),
        *(token.attrs["src"] for token in inline(page, "image")),
    ]
    return [target.split("#")[0] for target in targets if "://" not in target and not target.startswith("#")]


def codes(page: Path) -> list[str]:
    """Return what a page says between backticks."""
    return [token.content for token in inline(page, "code_inline")]
