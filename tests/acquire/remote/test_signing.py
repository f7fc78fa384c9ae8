"""What is asked of a server for an href of S3, by the variables that GDAL knows."""

import os

import pytest

from crossres.acquire.remote.signing import address

HREF = "s3://sentinel-s2-l2a/tiles/20/B02.jp2"


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({}, "https://sentinel-s2-l2a.s3.us-east-1.amazonaws.com/tiles/20/B02.jp2"),
        ({"AWS_REGION": "eu-central-1"}, "https://sentinel-s2-l2a.s3.eu-central-1.amazonaws.com/tiles/20/B02.jp2"),
        (
            {"AWS_S3_ENDPOINT": "eodata.dataspace.copernicus.eu", "AWS_VIRTUAL_HOSTING": "FALSE"},
            "https://eodata.dataspace.copernicus.eu/sentinel-s2-l2a/tiles/20/B02.jp2",
        ),
        (
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:9000/", "AWS_VIRTUAL_HOSTING": "NO"},
            "http://127.0.0.1:9000/sentinel-s2-l2a/tiles/20/B02.jp2",
        ),
    ],
)
@pytest.mark.parametrize("payer", [None, "requester"])
def test_endpoints_regions_and_payers(monkeypatch, variables, url, payer):
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "YES")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    if payer:
        monkeypatch.setenv("AWS_REQUEST_PAYER", payer)
    assert address(HREF) == (url, {"x-amz-request-payer": payer} if payer else {}, None)
