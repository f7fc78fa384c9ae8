"""Small files in the very layouts that published sets of pairs have."""

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import rasterio
import torch
from rasterio.transform import from_origin
from scipy.ndimage import gaussian_filter
from shapely.geometry import box

S2_OF_FOUR = (0, 0, 1, 2, 2, 3, 3, 3, 3, 3, 2, 2)
"""Which of blue, green, red and nir stands for each of the 12 bands of a stack of L2A."""


def scene(seed: int, side: int, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Return LR (4, side, side) and HR (4, side * factor, ...) reflectance of blue, green, red and nir."""
    rng = np.random.default_rng(seed)
    hr = np.stack([gaussian_filter(rng.normal(size=(side * factor,) * 2), 2) for _ in range(4)])
    hr = (0.2 + 0.05 * hr / hr.std() + 0.05 * np.arange(4)[:, None, None]).clip(0.02, 0.9).astype(np.float32)
    return hr.reshape(4, side, factor, side, factor).mean(axis=(2, 4)), hr


def dn(values: np.ndarray, dtype: str = "uint16") -> np.ndarray:
    return np.rint(values * 10_000).astype(dtype)


def rgbn(values: np.ndarray) -> np.ndarray:
    return values[[2, 1, 0, 3]]


def l2a(values: np.ndarray) -> np.ndarray:
    return values[list(S2_OF_FOUR)]


def write_tif(path: Path, values: np.ndarray, corner=(500_000.0, 4_000_000.0), gsd=10.0, crs="EPSG:32612", **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    place = {} if crs is None else dict(crs=crs, transform=from_origin(*corner, gsd, gsd))
    count, height, width = values.shape
    with rasterio.open(
        path, "w", driver="GTiff", count=count, height=height, width=width, dtype=values.dtype, **place, **more
    ) as target:
        target.write(values)
    return path


def corner_of(k: int) -> tuple[float, float]:
    return 500_000.0 + 5_000 * k, 4_000_000.0


def sen2naip_folders(folder: Path, places: int = 2) -> None:
    """Version 1: `cross-sensor.zip`, unpacked; HR is 8-bit."""
    for k in range(places):
        lr, hr = scene(k, 36, 4)
        roi = folder / "cross-sensor" / f"ROI_{k:04}"
        write_tif(roi / "lr.tif", dn(rgbn(lr)), corner_of(k))
        write_tif(roi / "hr.tif", np.rint(rgbn(hr) * 400).clip(0, 255).astype(np.uint8), corner_of(k), 2.5)


def tortilla(parts: list[tuple[dict, bytes]], start: bytes = b"#y") -> bytes:
    """Return a tortilla file: header of 200 bytes, the files, a Parquet table of them."""
    offset, rows, blob = 200, [], b""
    for said, content in parts:
        rows.append({**said, "tortilla:offset": offset + len(blob), "tortilla:length": len(content)})
        blob += content
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink, compression="zstd")
    table = sink.getvalue().to_pybytes()
    head = start + (200 + len(blob)).to_bytes(8, "little") + len(table).to_bytes(8, "little")
    return head.ljust(200, b"\0") + blob + table


def sen2naip_taco(folder: Path, places: int = 2) -> None:
    """Version 2: one TACO file, each row a tortilla of lr and hr."""
    samples = []
    for k in range(places):
        lr, hr = scene(k, 36, 4)
        parts = []
        for role, values, gsd in (("lr", lr, 10.0), ("hr", hr, 2.5)):
            path = write_tif(folder / "parts" / f"{k}{role}.tif", dn(rgbn(values)), corner_of(k), gsd)
            parts.append(({"tortilla:id": role, "tortilla:file_format": "GTiff"}, path.read_bytes()))
            path.unlink()
        said = {
            "tortilla:id": f"NA5120_E1183N075{k}__m_3912321_nw_10_060_20220710",
            "tortilla:file_format": "TORTILLA", "tortilla:data_split": "train", "stac:time_start": 1657411200.0 + k,
        }  # fmt: skip
        samples.append((said, tortilla(parts)))
    (folder / "parts").rmdir()
    (folder / "sen2naipv2-crosssensor.taco").write_bytes(tortilla(samples, b"WX"))


def worldstrat(folder: Path, splits: tuple[str, ...] = ("train", "test"), revisits: int = 2) -> None:
    """HR and LR in degrees, revisits, dates, clouds and splits."""
    lines = ["tile,n,lon,lat,lowres_date,highres_date,cloud_cover"]
    for k in range(len(splits)):
        place = f"Landcover-{770000 + k}"
        lr, hr = scene(k, 60, 5)  # LR pixels of 10 m, HR of 2 m
        corner, step = (10.0 + k / 10, 48.0), 10 / 111_320
        for n in range(1, revisits + 1):
            values = l2a(lr)
            write_tif(
                folder / "lr_dataset" / place / "L2A" / f"{place}-{n}-L2A_data.tiff", values, corner, step, "EPSG:4326"
            )
            lines.append(f"{place},{n},{corner[0]},{corner[1]},2020-05-{10 * n:02},2020-05-11,0.0{n}")
        for kind in ("ps", "rgbn"):
            write_tif(
                folder / "hr_dataset" / "12bit" / place / f"{place}_{kind}.tiff",
                dn(rgbn(hr)),
                corner,
                step / 5,
                "EPSG:4326",
            )
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n")
    rows = [f"{k},Landcover-{770000 + k},Forest,11,Landcover,x,{split}" for k, split in enumerate(splits)]
    head = ",tile,IPCC Class,SMOD,source,strat,split"
    (folder / "stratified_train_val_test_split.csv").write_text("\n".join([head, *rows]) + "\n")


def sen2venus(folder: Path, patches: int = 2, placed: bool = True) -> None:
    """One site and date: tensors of int16 and where the patches lie."""
    site = folder / "ALSACE"
    site.mkdir(parents=True)
    base = "ALSACE_C_32ULU_2019-02-17"
    pairs = [scene(k, 36, 2) for k in range(patches)]
    for name, k in (("10m", 0), ("05m", 1)):
        numbers = np.stack([dn(pair[k], "int16") for pair in pairs])
        torch.save(torch.from_numpy(numbers), site / f"{base}_{name}_b2b3b4b8.pt")
    if placed:
        boxes = [box(300_000 + 2000 * k, 5_400_000, 300_360 + 2000 * k, 5_400_360) for k in range(patches)]
        gpd.GeoDataFrame(geometry=boxes, crs="EPSG:32632").to_file(site / f"{base}_patches.gpkg", driver="GPKG")


def oli2msi(folder: Path, crs: str | None = "EPSG:32649") -> None:
    """float32 reflectance, x3, train and test."""
    for k, split in enumerate(("train", "train", "test")):
        lr, hr = scene(k, 36, 3)
        name = f"L8_126038_20190923_S2B_20190923_T49SCR_N{k:04}.TIF"
        for role, values, gsd in (("lr", lr, 30.0), ("hr", hr, 10.0)):
            write_tif(folder / f"{split}_{role}" / name, values[[2, 1, 0]], corner_of(k), gsd, crs, photometric="RGB")


def opensr_test(folder: Path, places: int = 2) -> None:
    """Version 100 of the set naip: 12 bands of LR, 4 of HR, and a table."""
    own = folder / "100" / "naip"
    lines = ["lr_file,hr_file,roi,lr_gee_id,reflectance,spectral,spatial,crs,affine"]
    for k in range(places):
        lr, hr = scene(k, 36, 4)
        roi, gee = f"ROI_{k:05}", "20210917T172859_20210917T173341_T14TMP"
        low, high = f"{roi}__{gee}", f"HR__{roi}__m_4411338_ne_12_060_20210917"
        write_tif(own / "L2A" / f"{low}.tif", dn(l2a(lr)), corner_of(k))
        write_tif(own / "hr_harmonized" / f"{high}.tif", dn(rgbn(hr)), corner_of(k), 2.5)
        affine = f"2.5, 0.0, {corner_of(k)[0]}, 0.0, -2.5, {corner_of(k)[1]}"
        lines.append(f'{low},{high},{roi},{gee},0.1,0.2,0.0,EPSG:32612,"{affine}"')
    (own / "naip_metadata.csv").write_text("\n".join(lines) + "\n")


def opensr_test_arrays(folder: Path, places: int = 2) -> None:
    """Version 020 of the set naip: two arrays."""
    own = folder / "020" / "naip"
    own.mkdir(parents=True)
    pairs = [scene(k, 36, 4) for k in range(places)]
    for name, k in (("lr", 0), ("hr", 1)):
        np.save(own / f"{name}.npy", np.stack([dn(rgbn(pair[k])) for pair in pairs]))


def sen2neon(folder: Path, tiles: int = 2) -> None:
    """12 bands each, LR without data is 65535, HR 0; one split."""
    lines = ["id,name,split,lr,hr,hr_2_5m_path,hr_1m_path,s2_date,neon_date,bands"]
    for k in range(tiles):
        lr, hr = scene(k, 36, 4)
        name = f"2018_MLBS_3__0_{k}"
        write_tif(folder / "s2_l2a_10m" / f"{name}.tif", dn(l2a(lr)), corner_of(k + 10), nodata=65535)
        write_tif(folder / "neon_2.5m_linearized" / f"{name}.tif", dn(l2a(hr)), corner_of(k + 10), 2.5, nodata=0)
        hr_path = f"neon_2.5m_linearized/{name}.tif"
        lines.append(
            f'{name},{name}.tif,validation,s2_l2a_10m/{name}.tif,{hr_path},{hr_path},,2018-07-08,2018-06-15,'
            + '"' + json.dumps(["B1", "B2"]).replace('"', '""') + '"'
        )  # fmt: skip
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n")
