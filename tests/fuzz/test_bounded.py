"""The watch over all that is tried here sees what it is there for."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crossres.errors import UserError


def refuse(line: str) -> None:
    raise UserError(line)


def test_a_result_comes_back_and_a_line_is_kept(bounded):
    inside = bounded.folder / "a.txt"
    assert bounded(lambda: inside.write_text("four")) == 4 and bounded.refused is None
    assert bounded(lambda: refuse("a.txt: is no scene")) is None and bounded.refused == "a.txt: is no scene"


@pytest.mark.parametrize("line", ["", "two\nlines", "a \x1b[31m line", "\ud800", "a.txt: delete it"])
def test_a_line_that_is_none_fails(bounded, line):
    with pytest.raises(AssertionError):
        bounded(lambda: refuse(line))


def test_any_other_exception_fails(bounded):
    with pytest.raises(AssertionError, match="neither a result nor a line: ZeroDivisionError"):
        bounded(lambda: 1 / 0)


def test_files_outside_fail_through_links_and_when_the_error_is_swallowed(bounded, tmp_path):
    (tmp_path / "secret").write_text("of others")
    link = bounded.folder / "link"
    link.symlink_to(tmp_path / "secret")
    for path in (tmp_path / "secret", link, bounded.folder / ".." / "absent", Path("/etc/passwd")):
        with pytest.raises(AssertionError, match="reached out of its folder"):
            bounded(lambda path=path: path.exists() and path.read_text())
            bounded(lambda path=path: swallowed(path))


def swallowed(path: Path) -> None:
    try:
        path.read_text()
    except OSError:
        return


def test_an_endless_loop_fails(bounded):
    with pytest.raises(pytest.fail.Exception, match="of processor time"):
        replace(bounded, seconds=0.2)(lambda: sum(1 for _ in itertools.count()))


def test_memory_fails_that_was_given_back_too(bounded):
    with pytest.raises(AssertionError, match="memory grew by"):
        replace(bounded, megabytes=100)(lambda: np.ones(200_000_000 // 8).sum())
    assert replace(bounded, megabytes=100)(lambda: np.ones(10_000_000 // 8).size) == 1_250_000
