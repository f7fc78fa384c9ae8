"""A small Sentinel Hub for tests: OAuth tokens, the Catalog API with pages, and a Process API that runs evalscripts.

Its archive is made of tiles whose every number follows from its place, so that an answer can be checked pixel by pixel.
The evalscript is run by a JavaScript engine: once for each set of tiles that have data, with names in the place of
numbers; the names that come out say which band of which tile each output band is.
"""

import io
import itertools
import json
import re
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs

import numpy as np
import quickjs
from local_server import listening
from pyproj import CRS, Transformer
from rasterio.io import MemoryFile
from rasterio.transform import from_bounds
from shapely.geometry import box, mapping, shape

from crossres.acquire.regions import LON_LAT, reproject

LARGEST_SIDE = 2500
CLIENT_ID = "5a1f9d2e-the-client-id-of-a-test"
CLIENT_SECRET = "s3cret+of/a=test&with.odd~signs"
BANDS = ("B02", "B03", "B04", "B08", "SCL")


@dataclass(frozen=True)
class Tile:
    """One product of the archive: a Sentinel-2 tile, 10 m, `side` pixels a side."""

    product: str
    time: str
    epsg: int
    west: int
    north: int
    side: int = 10980
    cloud: float = 5.0
    seed: int = 0
    empty: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Rows from, to and columns from, to that have no data."""
    footprint: tuple[int, int, int, int] | None = None
    """What the catalogue says that it covers, in the tile's CRS, where that is not the whole tile."""
    tells_product: bool = True
    """Whether the service names the product of a tile, or only the tile's own id."""

    @property
    def baseline(self) -> str:
        return re.sub(r".*_N(\d\d)(\d\d)_.*", r"\1.\2", self.product)

    @property
    def bounds(self):
        return (self.west, self.north - 10 * self.side, self.west + 10 * self.side, self.north)

    @property
    def region(self):
        return reproject(box(*(self.footprint or self.bounds)), CRS.from_epsg(self.epsg), LON_LAT)

    def has_data(self, rows, cols):
        inside = (rows >= 0) & (rows < self.side) & (cols >= 0) & (cols < self.side)
        top, bottom, left, right = self.empty
        return inside & ~((rows >= top) & (rows < bottom) & (cols >= left) & (cols < right))

    def numbers(self, band, rows, cols):
        """Return the product's own numbers at rows and columns, which broadcast; 0 where it has no data."""
        if band == "SCL":
            values = np.where((rows // 40 + cols // 40) % 7 == 0, 9, 4 + (rows // 200) % 3)
        else:
            values = 1100 + (rows * 37 + cols * 11 + (rows // 64) * (cols // 64) + 401 * BANDS.index(band)) % 2900
            values = values + self.seed
        return np.where(self.has_data(rows, cols), values, 0).astype(np.uint16)

    def feature(self, suffix=".SAFE"):
        return {
            "type": "Feature", "stac_version": "1.0.0", "id": self.product + suffix, "collection": "sentinel-2-l2a",
            "geometry": {**mapping(self.region), "crs": {"type": "name"}}, "bbox": list(self.region.bounds),
            "properties": {"datetime": self.time, "platform": self.product[:3].lower(), "instruments": ["msi"],
                           "constellation": "sentinel-2", "proj:epsg": self.epsg, "proj:bbox": list(self.bounds),
                           "gsd": 10, "eo:cloud_cover": self.cloud},
            "assets": {"data": {"href": "s3://somewhere/" + self.product, "type": "inode/directory"}}, "links": [],
        }  # fmt: skip

    def scene(self, number):
        """Return what an evalscript is told of a tile."""
        name = re.match(r"(S2.)_MSIL2A_(\d{8}T\d{6})_N(\d\d)(\d\d)_R\d{3}_(T\w{5})_(\d{8}T\d{6})", self.product)
        original = f"{name[1]}_OPER_MSI_L2A_TL_2APS_{name[6]}_A012345_{name[5]}_N{name[3]}.{name[4]}"
        told = {"date": self.time, "tileOriginalId": original, "cloudCoverage": self.cloud, "__idx": number}
        return told | ({"productId": self.product} if self.tells_product else {"dataPath": "s3://tiles/32/U/NA/2023"})


@dataclass
class Service:
    """What a test tells the server to do, and what the server saw."""

    tiles: list[Tile]
    url: str = ""
    page: int = 2
    requests_per_token: int = 10**9
    """A token is taken back after so many requests."""
    busy_every: int = 0
    """Each so-manieth request is answered 429."""
    broken: bytes | None = None
    """When set, each request to process is answered 500 with this."""
    refused: str | None = None
    """When set, each request to process is answered 400 with this message; {token} is the token it came with."""
    seen: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    bodies: list[dict] = field(default_factory=list)
    uses: int = 0


class Refused(Exception):
    """The answer to a request that the service does not take."""


def process(service, body):
    """Return the bytes of the tar that answers a Process API request."""
    bounds, output, [data] = body["input"]["bounds"], body["output"], body["input"]["data"]
    width, height = output["width"], output["height"]
    service.sizes.append((width, height))
    if max(width, height) > LARGEST_SIDE:
        raise Refused(f"Output image dimensions may not exceed {LARGEST_SIDE}")
    assert data["type"] == "sentinel-2-l2a"
    assert data["processing"] == {"upsampling": "NEAREST", "downsampling": "NEAREST", "harmonizeValues": False}
    assert [r["identifier"] for r in output["responses"]] == ["default", "userdata"]
    epsg = int(re.fullmatch(r"http://www.opengis.net/def/crs/EPSG/0/(\d+)", bounds["properties"]["crs"])[1])
    west, south, east, north = bounds["bbox"]
    transform = from_bounds(west, south, east, north, width, height)
    x = transform.c + transform.a * (np.arange(width) + 0.5)
    y = transform.f + transform.e * (np.arange(height) + 0.5)
    times = data["dataFilter"]["timeRange"]
    wanted = reproject(box(west, south, east, north), CRS.from_epsg(epsg), LON_LAT)
    there = [t for t in service.tiles if times["from"] <= t.time <= times["to"] and t.region.intersects(wanted)]

    script = quickjs.Context()
    script.eval(body["evalscript"])
    setup = json.loads(script.eval("JSON.stringify(setup())"))
    assert setup["mosaicking"] == "TILE"
    assert setup["input"][0]["units"] == "DN"
    (out,) = setup["output"]
    assert (out["id"], out["sampleType"]) == ("default", "UINT16")
    scenes = json.dumps({"scenes": {"tiles": [tile.scene(i) for i, tile in enumerate(there)]}})
    kept = json.loads(script.eval(f"JSON.stringify(preProcessScenes({scenes}).scenes.tiles)"))
    used = [there[scene["__idx"]] for scene in kept]
    user_data = json.loads(
        script.eval(f"var m = {{}}; updateOutputMetadata({json.dumps({'tiles': kept})}, {{}}, m); "
                    "JSON.stringify(m.userData)")
    )  # fmt: skip

    places = []
    for tile in used:
        rows, cols = np.broadcast_arrays(y[:, None], x[None, :])
        if tile.epsg != epsg:
            cols, rows = Transformer.from_crs(epsg, tile.epsg, always_xy=True).transform(cols, rows)
        else:
            rows, cols = y[:, None], x[None, :]
        places.append((np.floor((tile.north - rows) / 10).astype(int), np.floor((cols - tile.west) / 10).astype(int)))
    masks = [np.broadcast_to(tile.has_data(*place), (height, width)) for tile, place in zip(used, places, strict=True)]
    image = np.zeros((out["bands"], height, width), np.uint16)
    for pattern in itertools.product((0, 1), repeat=len(used)):
        names = setup["input"][0]["bands"]
        samples = [
            {name: f"{k}:{name}" for name in names} | {"dataMask": on} for k, on in enumerate(pattern)
        ]  # fmt: skip
        result = json.loads(script.eval(f"JSON.stringify(evaluatePixel({json.dumps(samples)}))"))
        here = np.ones((height, width), bool)
        for mask, on in zip(masks, pattern, strict=True):
            here &= mask == bool(on)
        if not here.any():
            continue
        for band, value in enumerate(result):
            if isinstance(value, str):
                k, _, name = value.partition(":")
                found = np.broadcast_to(used[int(k)].numbers(name, *places[int(k)]), (height, width))
                image[band][here] = found[here]
            else:
                image[band][here] = value
    return archive({"default.tif": geotiff(image, epsg, transform), "userdata.json": json.dumps(user_data).encode()})


def geotiff(image, epsg, transform):
    count, height, width = image.shape
    with MemoryFile() as file:
        profile = dict(driver="GTiff", count=count, height=height, width=width, dtype="uint16", interleave="pixel")
        with file.open(**profile, crs=f"EPSG:{epsg}", transform=transform) as dst:
            dst.write(image)
        return file.read()


def archive(members):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name, member in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(member)
            tar.addfile(info, io.BytesIO(member))
    return content.getvalue()


def search_page(service, body):
    """Return one page of the catalogue, as the Catalog API words it."""
    assert body["collections"] == ["sentinel-2-l2a"]
    start, _, end = body["datetime"].partition("/")
    area = shape(body["intersects"])
    found = [t for t in service.tiles if start <= t.time <= end and t.region.intersects(area)]
    first, size = body.get("next", 0), min(body["limit"], service.page)
    context = {"limit": size, "returned": len(found[first : first + size])}
    if first + size < len(found):
        context["next"] = first + size
    return {
        "type": "FeatureCollection", "links": [], "context": context,
        "features": [tile.feature() for tile in found[first : first + size]],
    }  # fmt: skip


@contextmanager
def serve(service: Service):
    """Run the service; its URL is in `service.url`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            content = self.rfile.read(int(self.headers["Content-Length"]))
            service.seen.append(self.path)
            if self.path == "/token":
                self._token({k: v[0] for k, v in parse_qs(content.decode()).items()})
                return
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            service.uses += 1
            if not service.tokens or token != service.tokens[-1] or service.uses > service.requests_per_token:
                self._send(401, {"error": {"status": 401, "reason": "Unauthorized", "message": f"bad token {token}"}})
            elif service.busy_every and len(service.seen) % service.busy_every == 0:
                self._send(429, {"error": {"status": 429, "message": "You have exceeded your rate limit"}}, wait=30)
            elif self.path == "/api/v1/catalog/1.0.0/search":
                self._send(200, search_page(service, json.loads(content)))
            elif self.path != "/api/v1/process":
                self._send(404, {"error": {"status": 404, "message": "not found"}})
            elif service.broken is not None:
                self._send(500, service.broken)
            elif service.refused is not None:
                self._send(400, {"error": {"status": 400, "message": service.refused.format(token=token)}})
            else:
                service.bodies.append(json.loads(content))
                try:
                    self._send(200, process(service, json.loads(content)), "application/tar")
                except Refused as error:
                    self._send(400, {"error": {"status": 400, "reason": "Bad Request", "message": str(error)}})
                except Exception as error:  # seen in the test as what the server said
                    self._send(418, {"error": {"status": 418, "message": f"{type(error).__name__}: {error}"}})

        def _token(self, form):
            if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
                said = f"Invalid client {form.get('client_id')} with {form.get('client_secret')}"
                self._send(401, {"error": "invalid_client", "error_description": said})
                return
            service.tokens.append(f"eyJhbGciOi.token-{len(service.tokens)}-of-a-test.Zm9vYmFy_{'x' * 40}")
            service.uses = 0
            self._send(200, {"access_token": service.tokens[-1], "expires_in": 3600, "token_type": "Bearer"})

        def _send(self, status, content, content_type="application/json", wait=None):
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(data)))
            if wait is not None:
                self.send_header("Retry-After", str(wait))  # milliseconds, as Sentinel Hub means it
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args):
            pass

    with listening(Handler) as service.url:
        yield service
