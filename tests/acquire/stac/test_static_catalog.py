"""A static catalogue gives what can be read of it, and a line for each link that cannot."""

import json
import os

import pytest
from test_search import item
from web import serve

from crossres.acquire.stac import static_catalog
from crossres.acquire.stac.offered import Offered, Unusable
from crossres.acquire.stac.static_catalog import from_catalog
from crossres.errors import UserError


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def catalog(*links, kind="Catalog"):
    return {
        "type": kind, "id": "x", "description": "x", "stac_version": "1.0.0",
        "links": [{"rel": rel, "href": href} for rel, href in links],
    }  # fmt: skip


def read(href):
    rows = list(from_catalog(href))
    found = [row.item["id"] for row in rows if isinstance(row, Offered)]
    said: dict[str, str] = {}
    for row in rows:
        if isinstance(row, Unusable):
            said[row.id] = "; ".join(filter(None, [said.get(row.id), row.reason]))
    return found, said


@pytest.fixture
def broken(tmp_path):
    """A catalogue of two good items, and of every kind of link that cannot be followed."""
    www = tmp_path / "www"
    links = (
        "absent.json",
        "text.json",
        "page.html",
        "list.json",
        "number.json",
        "child/catalog.json",
        "/etc/hostname.json",
    )
    write(www / "catalog.json", catalog(
        ("self", "catalog.json"), ("item", "first.json"), *(("child", href) for href in links),
        ("child", "catalog.json"), ("item", "bad.json"), ("item", "last.json"),
    ) | {"more": [None]})  # fmt: skip
    write(www / "first.json", item("first"))
    write(www / "last.json", item("last"))
    write(www / "bad.json", item("bad") | {"assets": None})
    write(www / "text.json", '{"type": "Catalog"')
    (www / "page.html").write_bytes(b"\xff\xfe<html>")
    write(www / "list.json", [1])
    write(www / "number.json", {"type": ["Catalog"]})
    write(www / "child" / "catalog.json", catalog(("child", "../catalog.json"), ("item", "../first.json")))
    return www


def test_each_broken_link_of_a_catalogue_on_disk_is_a_line(broken):
    found, said = read(str(broken / "catalog.json"))
    assert found == ["first", "last"]
    assert said[str(broken / "absent.json")] == "no such file"
    assert said[str(broken / "text.json")].startswith("is not valid JSON")
    assert said[str(broken / "page.html")] == "is no text in UTF-8"
    assert (
        said[str(broken / "list.json")]
        == said[str(broken / "number.json")]
        == "is no STAC catalogue, collection or item"
    )
    back = "is a catalogue that leads back to itself"
    assert said[str(broken / "catalog.json")] == f"{back}; {back}"  # from itself, and from below
    assert said["bad"] == "is no STAC item: its assets are nothing"
    assert len(said) == 8


def test_each_broken_link_of_a_catalogue_on_a_server_is_a_line(broken, tmp_path):
    links = [("child", href) for href in (broken.as_uri() + "/first.json", str(broken / "first.json"), "s3://b/x.json")]
    links += [("child", "http://169.254.169.254/x.json"), ("child", "http://[::1/x.json"), ("child", "a\0b.json")]
    write(broken / "wide.json", catalog(*links, ("child", "catalog.json")))
    with serve(broken) as url:
        found, said = read(f"{url}/wide.json")
    assert found == ["first", "last"]
    assert said[f"{url}/absent.json"] == "cannot be read (404)"
    assert "is a catalogue that leads back to itself" in said[f"{url}/catalog.json"]
    of_links = said[f"{url}/wide.json"].split("; ")
    assert len([reason for reason in of_links if "may not point to a local file" in reason]) == 1
    assert "169.254.169.254: is a private address" in said[f"{url}/wide.json"]
    assert any("is no address" in reason for reason in of_links)
    assert any("control characters" in reason for reason in of_links)


def test_a_root_that_cannot_be_read_is_an_error(tmp_path):
    for name, content in (("a.json", "{"), ("b.json", []), ("c.json", {"type": "x"}), ("d.json", "[" * 100_000)):
        with pytest.raises(UserError, match=name) as caught:
            read(write(tmp_path / name, content))
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"absent\.json: no such file"):
        read(str(tmp_path / "absent.json"))
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(UserError, match=r"pipe\.json: no such file"):
        read(str(tmp_path / "pipe.json"))
    with serve(tmp_path) as url, pytest.raises(UserError, match=r"absent\.json: cannot be read \(404\)"):
        read(f"{url}/absent.json?token=SECRET")


def test_a_root_with_a_byte_order_mark_is_read(tmp_path):
    assert read(write(tmp_path / "one.json", "\ufeff" + json.dumps(item("one")))) == (["one"], {})


def test_depth_and_number_of_links_are_bounded(tmp_path, monkeypatch):
    for level in range(30):
        write(tmp_path / f"{level}.json", catalog(("child", f"{level + 1}.json"), ("item", f"i{level}.json")))
        write(tmp_path / f"i{level}.json", item(f"i{level}"))
    found, said = read(str(tmp_path / "0.json"))
    assert len(found) == static_catalog.DEEPEST == 16
    assert said == {str(tmp_path / "16.json"): "is nested deeper than 16 levels of catalogues"}
    monkeypatch.setattr(static_catalog, "MOST_LINKS", 5)
    found, said = read(str(tmp_path / "0.json"))
    assert list(said.values()) == ["5 links were followed; 7 more are not"]


def test_a_server_that_is_gone_is_not_asked_for_every_link(tmp_path, monkeypatch):
    monkeypatch.setattr(static_catalog, "MOST_FAILURES", 3)
    write(tmp_path / "catalog.json", catalog(*(("item", f"{n}.json") for n in range(50))))
    with serve(tmp_path) as url:
        found, said = read(f"{url}/catalog.json")
    assert found == []
    assert said[f"{url}/catalog.json"] == "3 links one after the other could not be read; 47 more are not"
    assert len(read(str(tmp_path / "catalog.json"))[1]) == 50
