"""A configuration is read however an editor saved it, or refused in one line that tells where; it holds no secret."""

import json
import time

import pytest
import yaml

from crossres.errors import UserError
from crossres.settings.config import load, parse
from crossres.settings.paths import escaped, expand, holds_secret
from crossres.settings.yaml_text import parse_mapping

SMALL = "run: a # 湖\nsearch: {lr: {kind: catalog, href: a}, hr: {kind: catalog, href: b}}\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_configuration_is_read_in_the_encodings_that_editors_write(tmp_path, encoding):
    (tmp_path / "a.yaml").write_text(SMALL, encoding=encoding)
    assert load(tmp_path / "a.yaml").run == "a"


@pytest.mark.parametrize("encoding", ["gb18030", "gbk", "big5", "utf-16-le"])
def test_one_in_another_encoding_is_refused_in_one_line_with_its_name(tmp_path, encoding):
    (tmp_path / "a.yaml").write_text(SMALL, encoding=encoding)
    with pytest.raises(UserError, match=r"a\.yaml: ") as said:
        load(tmp_path / "a.yaml")
    assert "\n" not in str(said.value)


def bomb(first, level):
    lines = [f"a0: &a0 {first}"]
    return "\n".join([*lines, *(f"a{n}: &a{n} {level(f'*a{n - 1}')}" for n in range(1, 12))])


BROKEN = {
    "nested": "a: " + "[" * 5000,
    "nested JSON": '{"a": ' * 100_000,
    "aliases of lists": bomb("[x, x]", lambda a: "[" + ", ".join([a] * 9) + "]"),
    "aliases that are merged": bomb("{x: 1}", lambda a: "{<<: [" + ", ".join([a] * 9) + "]}"),
    "an alias in itself": "a: &a [*a]",
    "a key twice": "a: 1\nb: 2\na: 3",
    "a date that is none": "a: 2020-99-99",
    "a number that is none": "a: !!float x",
    "a tag that would run code": "a: !!python/object/apply:os.system [x]",
    "two documents": "a: 1\n---\nb: 1",
    "a list": "- 1",
    "nothing": "",
    "zero bytes": "a: \x00",
    "an alias of nothing": "a: *b",
    "a tab": "a:\n\tb: 1",
    "a large file": "a: " + "x" * 2**20,
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_what_is_no_configuration_is_refused_at_once_in_one_line(text):
    started = time.process_time()
    with pytest.raises(UserError, match=r"^own\.yaml: ") as said:
        parse_mapping(text, "own.yaml")
    assert time.process_time() - started < 5
    assert len(str(said.value)) < 300
    assert "\n" not in str(said.value)


def test_a_value_that_holds_itself_many_times_is_refused_at_once():
    value: list = ["x"]
    for _ in range(40):
        value = [value, value]
    content = yaml.safe_load(SMALL) | {"grid": value}
    with pytest.raises(UserError, match=r"^config: holds more than"):
        parse(content)


def test_anchors_and_merges_are_read_as_yaml_means_them():
    content = parse_mapping("a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: [*a, *a]", "own.yaml")
    assert content == {"a": {"x": 1}, "b": {"x": 1, "y": 2}, "c": [{"x": 1}, {"x": 1}]}


def test_json_is_read_as_json():
    content = {"name": "\U0001f600 湖", "small": 1e-05, "text": "on"}
    assert parse_mapping(json.dumps(content), "settings") == content


def test_a_broken_file_with_a_password_is_refused_without_it(tmp_path):
    (tmp_path / "a.yaml").write_text("url: https://me:hunter2@example.org\n  b: {\n")
    with pytest.raises(UserError) as said:
        load(tmp_path / "a.yaml")
    assert "hunter2" not in str(said.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://me:pw@example.org/a", "https://me@example.org", "s3://key:secret@bucket/a", "https://me:p/w@example.org",
        "https://example.org/a?sig=x", "https://example.org/a?x", "https://${ME}:pw@example.org", "/vsicurl/https://a:b@c/d",
        "https://example.org/a?t=${T}&u=x",
    ],
)  # fmt: skip
def test_a_secret_that_is_written_out_is_refused(url):
    assert holds_secret(url)
    content = yaml.safe_load(SMALL)
    content["search"]["lr"] = {"kind": "stac-api", "url": [url], "collections": ["a"]}
    with pytest.raises(UserError, match=r"\$\{NAME\}") as said:
        parse(content)
    assert url not in str(said.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a@2x/b", "https://${ME}:${PW}@example.org/a?sig=${SIG}", "https://example.org:8080/v1",
        "${URL}", "http://[::1]:80/a", "/a/b?c=d", "s3://bucket/a", "https://example.org/?${QUERY}",
    ],
)  # fmt: skip
def test_what_is_no_secret_or_in_a_variable_is_taken(url):
    assert not holds_secret(url)


def test_paths_are_filled_in_and_a_dollar_may_be_meant(tmp_path, monkeypatch):
    monkeypatch.setenv("WHERE", "there $x")
    assert expand("{run}/${WHERE}/$WHERE", tmp_path) == f"{tmp_path}/there $x/there $x"
    assert expand("a$$b$", tmp_path) == "a$b$"
    assert expand(escaped("a$WHERE${b}"), tmp_path) == "a$WHERE${b}"
    with pytest.raises(UserError, match="variable MISSING_ONE is not set"):
        expand("${MISSING_ONE}", tmp_path)
