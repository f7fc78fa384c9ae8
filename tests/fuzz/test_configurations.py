"""Configurations with something wrong in them, as a file and as the JSON that stages are given."""

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from mutations import VALUES, fuzz, mutated_bytes, mutated_fields, mutated_json

from crossres.commands import config, search
from crossres.settings.config import load, parse

FILES = {path.stem: path for path in sorted((Path(__file__).parents[2] / "config").glob("*.yaml"))}
WORDS = [
    b":", b": ", b"- ", b"\n", b"\n  ", b"\t", b"&a ", b"*a", b"<<: *a", b"!!float ", b"!!binary ", b"2020-99-99",
    b"0o9", b"!!python/object/apply:os.system [x]", b"1:60", b"? ", b"| ", b"> ", b"'", b'"', b"#", b"%YAML 9.9\n",
    b"---\n", b"...\n", b"{", b"}", b"[", b"]", b"{{", b"[" * 500, b"a: [" * 200, b"@", b"`", b"~", b".nan", b".inf",
    b"\xff\xfe", b"\x85", b"\0", b"\xf0\x9f", b"\\ud800", b"${HOME}", b"{run}", b"${", b"https://user:word@x/?k=word",
]  # fmt: skip
SCALARS = [
    "", "~", "no", "-1", "0", "1e400", ".nan", "-.inf", "9" * 5000, "1e99999999", "2020-01-01", "12:30:45", "0x10",
    "!!int x", "*x", "&x", "[]", "{}", "[[1]]", "{a: 1}", "'", '"\\ud800"', '"\\0"', "密云", "../x", "{run}/../../x",
    "${", "${HOME}", "a" * 5000, "stac-api", "https://user:word@example.org/", "[1, 2, 3, 4]", "[181, 0, 0, 91]", "| x",
    "1_0", "$",
]  # fmt: skip
KEPT: list[Any] = [
    *VALUES, 2, 3.5, -0.001, 1e9, 2**31, "stac-api", "sentinelhub", "catalog", "{run}/world", "$", "https://u:p@x",
    [1, 2, 3, 4], ["red"], ["red", "red"], ["red", "nir", "nir"], {"main": {}}, {"a/b": {}}, {"kind": "catalog"}, "all",
]  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_files(bounded, name):
    """What a file with something wrong says is a whole configuration, or a line with the name of the file."""
    path = bounded.folder / f"{name}.yaml"
    text = FILES[name].read_text()

    @settings(fuzz, max_examples=40)
    @given(
        mutated_bytes(text.encode(), WORDS)
        | mutated_fields(text, r": +([^\s#][^\n#]*)", SCALARS).map(lambda text: text.encode(errors="replace"))
    )
    def check(content):
        path.write_bytes(content)
        found = bounded(lambda: load(path))
        assert found is not None or bounded.refused.startswith(str(path))
        assert "word@" not in str(bounded.refused)
        if found is not None:  # the workflow writes it down, and reads it again
            again = bounded(lambda: parse(json.loads(json.dumps(found.model_dump(mode="json")))))
            assert again == found

    check()


@pytest.mark.parametrize("name", FILES)
def test_values(bounded, name):
    """Values of any kind and size in any place are taken, or refused by the name of their key."""
    original = load(FILES[name]).model_dump(mode="json")

    @settings(fuzz, max_examples=40)
    @given(mutated_json(original, KEPT))
    def check(content):
        found = bounded(lambda: parse(content))
        assert found is not None or bounded.refused.startswith("config: ")

    check()


def test_settings_of_commands(bounded):
    """`--settings` is a file or JSON: what a command makes of it is a configuration of its own, or a line."""
    given_file, output = bounded.folder / "given.yaml", bounded.folder / "written.yaml"
    original = load(FILES["config"]).model_dump(mode="json")

    @settings(fuzz, max_examples=60)
    @given(mutated_json(original, KEPT).map(lambda content: json.dumps(content, default=str)))
    def check(text):
        given_file.write_text(text, encoding="utf-8", errors="surrogatepass")
        for arguments in [argparse.Namespace(settings=one, output=output) for one in (text, str(given_file))]:
            bounded(partial(config.run, arguments))
            if bounded.refused is None:
                assert bounded(lambda: load(output)) is not None
        asked = argparse.Namespace(settings=text, lr=[], hr=[], output=bounded.folder / "items")
        bounded(lambda: search.run(asked))
        assert bounded.refused is not None  # there is no catalogue

    check()
