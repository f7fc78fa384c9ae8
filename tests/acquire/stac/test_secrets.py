"""What is shown or kept of a URL or a text holds no user, password or signature, whoever invented it."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossres.secrets import one_line, shown, unsigned, without_signature

S = "s3cr3tW0rd"
SIGNED = {
    "Azure": f"https://a.blob.core.windows.net/c/x.tif?st=2025&se=2026&sp=rl&sv=2021&sr=c&skoid={S}&sig={S}%3D",
    "AWS v2": f"https://b.s3.amazonaws.com/x.tif?AWSAccessKeyId={S}&Expires=17&Signature={S}%2B",
    "AWS v4": f"https://b.s3.amazonaws.com/x.tif?X-Amz-Credential={S}%2F2025&X-Amz-Signature={S}&X-Amz-Security-Token={S}",
    "AWS v4 in other letters": f"https://b.s3.amazonaws.com/x.tif?x-aMZ-signature={S}&x-AMZ-credential={S}",
    "Google v2": f"https://storage.googleapis.com/b/x.tif?GoogleAccessId={S}%40x&Expires=1&Signature={S}",
    "Google v4": f"https://storage.googleapis.com/b/x.tif?X-Goog-Credential={S}&X-Goog-Signature={S}",
    "CloudFront": f"https://d1.cloudfront.net/x.tif?Policy={S}_&Signature={S}__&Key-Pair-Id={S}",
    "Alibaba": f"https://b.oss-cn-beijing.aliyuncs.com/x.tif?OSSAccessKeyId={S}&Signature={S}&security-token={S}",
    "Tencent": f"https://b.cos.ap-beijing.myqcloud.com/x.tif?q-sign-algorithm=sha1&q-ak={S}&q-signature={S}",
    "Huawei": f"https://b.obs.cn-north-4.myhuaweicloud.com/x.tif?AccessKeyId={S}&x-obs-security-token={S}&Signature={S}",
    "Planet": f"https://api.planet.com/x?token={S}", "an API key": f"https://a.org/x.tif?api_key={S}",
    "apikey": f"https://a.org/x.tif?apikey={S}", "key": f"https://a.org/x.tif?assets=B04&key={S}",
    "access_token": f"https://a.org/x.tif?access_token={S}", "auth": f"https://a.org/x.tif?auth={S}",
    "subscription": f"https://a.org/x.tif?subscription-key={S}", "client": f"https://a.org/x?client_secret={S}",
    "password": f"https://a.org/x?user={S}&password={S}", "its own": f"https://a.org/x.tif?hdnts=exp%3D1~hmac%3D{S}",
    "only a key": f"https://a.org/x.tif?{S}", "semicolons": f"https://a.org/x.tif?a=1;sig={S}",
    "a fragment": f"https://a.org/x.tif#access_token={S}", "a user": f"https://{S}@a.org/x.tif",
    "a password": f"https://me:{S}@a.org/x.tif", "a password with signs": f"https://me:a/b?c#{S}@a.org/x.tif",
    "a password that is a port": f"https://{S}:80@a.org/x.tif", "capitals": f"HTTPS://ME:{S}@A.ORG/x.tif?SIG={S}",
    "keys of S3": f"s3://AKIA:{S}@bucket/x.tif", "keys of S3 with a slash": f"s3://AKIA:ab/{S}+@bucket/x.tif",
    "ftp": f"ftp://me:{S}@a.org/x.tif", "redirected": f"https://a.org/go?url=https%3A%2F%2Fb.org%2Fx%3Fsig%3D{S}",
    "redirected twice": f"https://a.org/go?url=https%3A%2F%2Fb.org%2Fgo%3Furl%3Dhttps%253A%252F%252Fc.org%253Fsig%253D{S}",
    "redirected by a user": f"https://a.org/go?url=https%3A%2F%2Fme%3A{S}%40b.org%2Fx",
    "redirected otherwise": f"https://a.org/go?target=https%3A%2F%2Fb.org%2Fx%3Fsig%3D{S}",
    "a page that is a token": f"https://a.org/search?page={S}&limit={S}", "not to be parsed": f"https://[::1/x?sig={S}",
}  # fmt: skip
PLACES = {
    "alone": lambda url: url,
    "in a sentence": lambda url: f"cannot read '{url}' (as {url}), see <{url}>.",
    "in JSON in a text": lambda url: json.dumps({"href": url, "more": [url]}),
    "in escaped JSON": lambda url: json.dumps({"href": url}).replace("/", "\\/").replace("&", "\\u0026"),
    "in HTML": lambda url: f'<a href="{url.replace("&", "&amp;")}">x</a>',
    "over lines": lambda url: f"x {url}".replace("&", "&\n ").replace("?", "?\n"),
    "as curl": lambda url: f"curl -H 'Authorization: Bearer {S}' '{url}'",
}


def breaks(place, url):
    """Whether a break would part the secret from all that tells that it is one."""
    return place == "over lines" and S in url.partition("?")[0] + url.partition("?")[2].partition("=")[0]


@pytest.mark.parametrize(
    ("url", "place"),
    [
        pytest.param(url, PLACES[place], id=f"{kind}-{place}")
        for kind, url in SIGNED.items() for place in PLACES if not breaks(place, url)
    ],
)  # fmt: skip
def test_no_kind_of_secret_passes(url, place):
    text = place(url)
    for kept in (shown(text, 2000), json.dumps(unsigned({"a": [text], text: {"description": text}}))):
        assert S not in kept
    if text == url:
        assert S not in without_signature(url) + json.dumps(unsigned({"assets": {"red": {"href": url}}}))


@pytest.mark.parametrize(
    "text",
    [f"Max retries exceeded with url: /x?foo={S}&bar={S} (Caused by X)", f"Authorization: Bearer {S}", f"api_key: {S}",
     f"{{'X-Api-Key': '{S}', 'token': '{S}'}}", f"aws_secret_access_key = {S}", f"SH_CLIENT_SECRET={S}", f"sig={S}",
     f"https%3A%2F%2Fa.org%2Fx%3Fsig%3D{S}", f"x-amz-security-token:{S}", f"password='{S}'", f"q-signature={S}"],
)  # fmt: skip
def test_a_secret_by_its_name_is_cut_wherever_it_stands(text):
    assert S not in shown(text)
    assert S not in json.dumps(unsigned([text]))
    assert S not in one_line(OSError(text))


@pytest.mark.parametrize(
    "url",
    ["https://a.org/x.tif", "https://a.org:8443/x%20y.tif", "s3://bucket/a/x.tif", "https://a.org/x?f=tif",
     "https://a.org/collections/x/items/S2A_1/assets?assets=B04&assets=B03&bidx=1", "https://a.org/search?bbox=1,2,3.5,-4",
     "https://a.org/cog?url=https://b.org/x.tif", "https://a.org/odata/v1/Products(0a-1b)/$value",
     "/data/x?y=1&token=2.tif", "../a b/key=1.tif", "C:\\x.tif", "s3://bucket/a b/c.tif", "https://a.org/x?datetime=2020-05-10T17:03:20Z"],
)  # fmt: skip
def test_an_address_without_a_secret_stays_what_it_is(url):
    assert without_signature(url) == url
    assert unsigned({"href": url}) == {"href": url}


def test_what_else_an_item_says_stays_what_it_is():
    content = {
        "id": "S2A", "proj:wkt2": 'GEOGCRS["WGS 84",DATUM["x",ELLIPSOID["y",6378137,298.257223563]],ID["EPSG",4326]]',
        "n": 1.5, "none": None, "list": [True, {"description": "Bands: red, green; 10 m (B04 = red)"}],
        "datetime": "2020-05-10T17:03:20Z", "view:sun_azimuth": 1, "stac_extensions": ["https://a.org/v1.0.0/schema.json"],
    }  # fmt: skip
    assert unsigned(content) == content
    assert unsigned({"token": S, "headers": {"Authorization": S}, "keys": ["x"]}) == {"headers": {}, "keys": ["x"]}


def test_a_shown_text_is_one_visible_line():
    assert shown("a\n  b\tc\0\x1b[31m\x7f\u202e\ud800\u2028d") == "a b c\\x00\\x1b[31m\\x7f\\u202e\\ud800 d"
    assert shown("\u9ec4\u6cb3 B04 \u00e9") == "\u9ec4\u6cb3 B04 \u00e9"
    assert len(shown("x" * 10_000, 50)) == 50
    assert one_line(KeyError()) == "KeyError"


def test_no_text_takes_long():
    pieces = (
        "a", "a.", "a-", "a_", "_", "@", "/", " ", "://", "https://", "http://@:", "http://a/@", "?a=", "&a=", "key=",
        "sig", "token:", "bearer ", "x-amz-", "q-", "%3A%2F%2F", "a%3A%2F%2F", "%25", "a%25", "%3F", "\\/", "'", "=",
        ":", "a:\\/\\/", "\\", "secret_", "access_key_", "session-", "amz", "https://?\n", "& a=", "&\n",
    )  # fmt: skip
    for piece in pieces:
        for text in (piece * (80_000 // len(piece)), f"https://a.org/{piece * 10_000}=", f"{piece * 10_000}\n@"):
            start = time.process_time()
            unsigned([text])
            shown(text)
            assert time.process_time() - start < 3, piece


PIECES = st.sampled_from([*"ab:/?&=@#%\\[]\" '<>\n;.", "https://", "3A", "2F", "sig", "token", "url="])


@settings(max_examples=1000, deadline=None, derandomize=True)
@given(
    st.lists(PIECES, max_size=30).map("".join), st.sampled_from(["?sig=", "&sig=", ";token=", "?x=", "&x-y.z=", "?"])
)
def test_whatever_stands_before_a_value_of_a_query_it_is_cut(text, key):
    whole = f"https://a.org/{text}{'' if key != '?' else 'https://b.org/c'}{key}{S}"
    assert S not in shown(whole, 500)
    assert shown(whole, 500).isprintable()
    assert S not in json.dumps(unsigned([whole]))
    if key != "&x-y.z=":
        assert S not in without_signature(f"https://a.org/x{key}{S}&{text}")
