"""A search says what it did not get: empty pages are passed, and what a server leaves out is a line of its own."""

import json

import pytest
from shapely.geometry import box
from stac_server import answering, landing_page
from test_search import item

from crossres.acquire.stac import api
from crossres.acquire.stac.api import from_api
from crossres.acquire.stac.offered import Offered, Unusable
from crossres.errors import UserError
from crossres.settings.search import StacApiSource

AREA = box(10, 50, 11, 51)
NINE = [item(f"low{k}", time=f"2021-06-{k:02d}T10:00:00Z") for k in range(1, 10)]
ALL = [one["id"] for one in NINE]


def gets(number, url):
    return [{"rel": "next", "href": f"{url}/search?page={number}", "method": "GET"}]


def found(answer, methods=("GET",), **changes):
    """Return the ids that a search finds, the lines on what it did not, and what was asked."""
    asked = []

    def served(url, method, path, question):
        if path == "/":
            return landing_page(url, methods=methods)
        asked.append((path, question))
        content = answer(url, int(question.get("page", 1)), path, question)
        return {"type": "FeatureCollection", **content} if isinstance(content, dict) else content

    with answering(served) as url:
        source = StacApiSource(**({"kind": "stac-api", "url": url, "collections": ("x",)} | changes))
        rows = list(from_api(source, AREA, None))
    got = [one.item["id"] for one in rows if isinstance(one, Offered)]
    said = [one for one in rows if isinstance(one, Unusable)]
    assert all(len(row.reason) <= 300 and "\n" not in row.reason for row in said)
    assert all(row.id == url for row in said)
    return got, [row.reason for row in said], asked


def test_pages_without_items_do_not_end_a_search():
    pieces = {1: NINE[:2], 4: NINE[2:7], 6: NINE[7:]}

    def answer(url, page, *_):
        return {"features": pieces.get(page, []), "links": gets(page + 1, url) if page < 6 else []}

    assert found(answer)[:2] == (ALL, [])
    assert found(lambda url, page, *_: {"features": [NINE, []][page - 1], "links": gets(2, url)[: 2 - page]})[0] == ALL
    assert found(lambda url, page, *_: {"features": [[], NINE][page - 1], "links": gets(2, url)[: 2 - page]})[0] == ALL


def test_a_search_without_results_is_no_error():
    for links in ({}, {"links": []}, {"links": None}, {"links": [None, {"rel": "self"}]}):
        assert found(lambda *_, links=links: {"features": [], **links})[:2] == ([], [])


@pytest.mark.parametrize("page", [1, 2])
def test_a_link_that_leads_back_ends_the_search_with_a_line(page):
    got, said, asked = found(
        lambda url, at, *_: {"features": NINE[3 * at - 3 : 3 * at], "links": gets(page if at == 2 else 2, url)}
    )
    assert got == ALL[:6]
    assert said == [
        "the search broke off after 6 items (its link to the next page leads back to a page that it gave already)"
    ]
    assert len(asked) <= 3


def test_a_link_that_leads_to_itself_ends_the_search_with_a_line():
    got, said, asked = found(
        lambda url, *_: {"features": NINE[:3], "links": [{"rel": "next", "href": f"{url}/search"}]}
    )
    assert got == ALL[:3]
    assert "broke off after 3 items" in said[0]
    assert len(asked) <= 3


def test_pages_that_repeat_under_new_tokens_end_too(monkeypatch):
    monkeypatch.setattr(api, "MOST_IDLE_PAGES", 7)
    got, said, asked = found(lambda url, page, *_: {"features": NINE, "links": gets(page + 1, url)})
    assert got == ALL
    assert said == ["the search broke off after 9 items (7 pages one after the other brought nothing new)"]
    assert len(asked) == 8


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ({"href": "/gone?page=2"}, "400"),
        ({"href": "file:///etc/passwd"}, "leads to no http"),
        ({"href": "s3://bucket/x"}, "leads to no http"),
        ({"href": "http://[::1"}, "is no address"),
        ({"href": "http://169.254.169.254/latest/meta-data"}, "169.254.169.254: is a private address"),
        ({"href": "http://10.1.2.3/x"}, "10.1.2.3: is a private address"),
        ({"href": 7}, "cannot be followed"),
        ({}, "cannot be followed"),
        ({"href": "/search", "method": "DELETE"}, "cannot be followed"),
    ],
)
def test_a_next_page_that_cannot_be_had_leaves_what_was_had(link, reason):
    def answer(url, page, path, _):
        return {"features": NINE[:3], "links": [{"rel": "next", **link}]} if path == "/search" and page == 1 else None

    got, said, _ = found(answer)
    assert got == ALL[:3]
    assert len(said) == 1
    assert said[0].startswith("the search broke off after 3 items (")
    assert reason in said[0]


def test_where_nothing_was_had_the_search_fails():
    for answer in (
        lambda *_: None,
        lambda *_: {"features": "many"},
        lambda *_: {"features": None},
        lambda url, page, *_: {"features": [], "links": [{"rel": "next", "href": 5}]},
    ):
        with pytest.raises(UserError, match=r"the search failed \(.*try again or check the source") as caught:
            found(answer)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("says", [lambda n: {"numberMatched": n}, lambda n: {"context": {"matched": n}}])
def test_fewer_items_than_match_is_said(says):
    assert found(lambda *_: {"features": NINE, **says(9)})[:2] == (ALL, [])
    assert found(lambda *_: {"features": NINE, **says(12)})[:2] == (
        ALL, ["gave 9 of the 12 items that it says match"]
    )  # fmt: skip
    for nonsense in (-1, "12", None, True, 1.5, [12]):
        assert found(lambda *_, n=nonsense: {"features": NINE, **says(n)})[:2] == (ALL, [])


@pytest.mark.parametrize("matched", [None, 9, 12])
def test_a_search_that_stops_at_max_items_says_so(matched):
    def answer(url, page, *_):
        more = {} if matched is None else {"numberMatched": matched}
        return {"features": NINE[2 * page - 2 : 2 * page], "links": gets(page + 1, url) if page < 5 else [], **more}

    of = "" if matched is None else f" of {matched}"
    assert found(answer, max_items=5)[:2] == (ALL[:5], [f"stopped after max_items = 5{of}; there may be more"])
    assert len(found(answer, max_items=4)[2]) == 2
    rest = [] if matched in (None, 9) else ["gave 9 of the 12 items that it says match"]
    assert found(answer, max_items=9)[:2] == (ALL, rest)
    assert found(answer, max_items=10)[:2] == (ALL, rest)


@pytest.mark.parametrize("merge", [True, False, None])
def test_bodies_of_next_pages_replace_the_question_or_are_added_to_it(merge):
    def answer(url, page, path, question):
        at = int(question.get("token", 0))
        link = {"rel": "next", "href": "search", "method": "post", "body": {"token": at + 3}}
        link |= {} if merge is None else {"merge": merge}
        return {"features": NINE[at : at + 3], "links": [link] if at < 6 else []}

    got, said, asked = found(answer, methods=("POST",))
    assert (got, said) == (ALL, [])
    assert [set(question) for _, question in asked[1:]] == [set(asked[0][1]) | {"token"} if merge else {"token"}] * 2


def test_relative_hrefs_are_those_of_the_page_never_of_what_an_item_says_of_itself(tmp_path):
    secret = tmp_path / "secret.json"
    secret.write_text("{}")
    lying = [
        item(f"a{n}", href="{band}.tif") | {"links": [{"rel": "self", "href": href}]}
        for n, href in enumerate([str(secret), secret.as_uri(), "/vsicurl/http://a.org/x.json", "s3://b/x.json"])
    ]
    with answering(lambda url, method, path, _: landing_page(url) if path == "/" else {"features": lying}) as url:
        source = StacApiSource(kind="stac-api", url=url, collections=("x",))
        bases = {one.base for one in from_api(source, AREA, None)}
    assert bases == {f"{url}/search"}


def test_a_search_link_that_leads_into_this_machine_is_not_read(tmp_path):
    page = tmp_path / "page.json"
    page.write_text(json.dumps({"type": "FeatureCollection", "features": NINE}))
    for href in (str(page), page.as_uri()):

        def answer(url, method, path, _, href=href):
            links = [{"rel": "search", "href": href, "method": "GET", "type": "application/geo+json"}]
            return landing_page(url) | {"links": links} if path == "/" else None

        with answering(answer) as url, pytest.raises(UserError, match="the search failed"):
            list(from_api(StacApiSource(kind="stac-api", url=url, collections=("x",)), AREA, None))


@pytest.mark.parametrize(
    "landing",
    [
        [], {}, "x", {"type": "Catalog"}, {"type": "Catalog", "id": 5, "links": 5}, {"conformsTo": 5},
        {"conformsTo": [5]}, {"links": [{"rel": 5}]}, {"links": [None]}, {"links": None}, {"type": "Feature"},
    ],
)  # fmt: skip
def test_a_landing_page_that_is_none_is_one_line(landing):
    def answer(url, method, path, _):
        whole = landing_page(url)
        return whole | landing if isinstance(landing, dict) and landing else landing

    with answering(answer) as url, pytest.raises(UserError, match="the search failed") as caught:
        list(from_api(StacApiSource(kind="stac-api", url=url, collections=("x",)), AREA, None))
    assert "\n" not in str(caught.value)
