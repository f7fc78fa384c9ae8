"""Packages in the archives of others: repacked, cut off, or made to harm."""

import bz2
import gzip
import io
import lzma
import shutil
import tarfile
import time
import tracemalloc
import zipfile

import pytest
from made_gaofen2 import NAME, members, write_archive

from crossres.acquire.gaofen2.package import find_packages, read_package, unpacked
from crossres.errors import UserError


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return members()


def tar(files: dict[str, bytes], **how) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", **how) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return content.getvalue()


def zipped(path, files: dict[str, bytes], method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def line_of(path) -> str:
    """Return the one line that a package is refused with, quickly and without much memory."""
    tracemalloc.start()
    started = time.process_time()
    with pytest.raises(UserError) as caught:
        package = read_package(path)
        (path.parent / "scratch").mkdir(exist_ok=True)
        unpacked(package, [package.pan, package.mss], path.parent / "scratch")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.process_time() - started < 5 and peak < 100e6
    assert str(caught.value).isprintable() and len(str(caught.value)) < 400
    assert "delete" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("suffix", ["zip", "tar.gz", "tar"])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_is_read_whatever_its_name(tmp_path, files, suffix, method):
    path = zipped(tmp_path / f"{NAME}.{suffix}", {f"{NAME}/{n}": c for n, c in files.items()}, method)
    package = read_package(path)
    assert find_packages(tmp_path) == {path: NAME}
    out = unpacked(package, [package.pan], tmp_path)
    assert out[package.pan.tiff].read_bytes() == files[f"{NAME}-PAN1.tiff"]
    assert package.mss == read_package(write_archive(tmp_path / f"{NAME}.tgz", files)).mss


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [
        ("tar.gz", bz2.compress),
        ("tar.bz2", bz2.compress),
        ("tar.xz", lzma.compress),
        ("tar.zst", lambda c: b"\x28\xb5\x2f\xfd" + c),
    ],
)
def test_what_is_packed_otherwise_says_so(tmp_path, files, suffix, pack):
    path = tmp_path / f"{NAME}.{suffix}"
    path.write_bytes(pack(tar(files)))
    assert find_packages(tmp_path) == {path: NAME}
    assert "unpack it: folders are read as well" in line_of(path)


def test_gzip_of_several_members_is_read_whole(tmp_path, files):
    content = tar(files)
    path = tmp_path / f"{NAME}.tar.gz"
    path.write_bytes(b"".join(gzip.compress(content[i : i + 50_000]) for i in range(0, len(content), 50_000)))
    package = read_package(path)
    out = unpacked(package, [package.pan, package.mss], tmp_path)
    assert {name: p.read_bytes() for name, p in out.items()} == {n: c for n, c in files.items() if n.endswith("tiff")}


def test_what_follows_the_archive_does_no_harm(tmp_path, files):
    path = write_archive(tmp_path / f"{NAME}.tar.gz", files)
    with path.open("ab") as file:
        file.write(b"not gzip" * 1000)
    assert read_package(path).name == NAME


@pytest.mark.parametrize("packed", [True, False])
def test_an_archive_cut_off_at_any_byte_is_one_line(tmp_path, files, packed):
    order = sorted(files, key=lambda name: (not name.endswith("tiff"), name))  # the images come first, as delivered
    content = tar({name: files[name] for name in order})
    content = gzip.compress(content, 1) if packed else content[: len(content.rstrip(b"\0"))]
    path = tmp_path / f"{NAME}.tar.gz"
    ends = {*range(0, 40), *range(500, 1030, 53), *range(40, len(content) - 1, len(content) // 40)}
    for end in sorted(ends):
        path.write_bytes(content[:end])
        assert f"{NAME}.tar.gz: " in line_of(path), end


@pytest.mark.parametrize("format_", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_folders_named_in_chinese_are_read(tmp_path, files, format_):
    for encoding in ("utf-8", "gbk"):
        path = tmp_path / f"{NAME}.tar"
        path.write_bytes(
            tar({f"密云站/{'长' * 20}/{n}": c for n, c in files.items()}, format=format_, encoding=encoding)
        )
        assert read_package(path).mss.tiff == f"{NAME}-MSS1.tiff"


def test_what_a_mac_adds_is_not_there(tmp_path, files):
    added = {f"__MACOSX/._{n}": b"\0\5\x16\7" for n in files} | {f"__MACOSX/{n}": b"" for n in files}
    added |= {f"._{n}": b"\0\5\x16\7" for n in files} | {".DS_Store": b"", "Thumbs.db": b""}
    packed = write_archive(tmp_path / f"{NAME}.tar.gz", added | files)
    zipped(tmp_path / f"{NAME}.zip", added | files)
    shutil.copy(packed, tmp_path / f"._{NAME}.tar.gz")
    folder = tmp_path / "open"
    for name, content in (added | files).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    assert set(find_packages(tmp_path)) == {packed, tmp_path / f"{NAME}.zip", folder}
    assert all(read_package(p).mss == read_package(packed).mss for p in find_packages(tmp_path))


def header(name: str, size: int, kind: bytes) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def pax(**records: str) -> bytes:
    said = b""
    for key, value in records.items():
        record = f" {key.replace('__', '.')}={value}\n".encode()
        length = next(n for n in range(len(record), len(record) + 20) if len(str(n)) + len(record) == n)
        said += str(length).encode() + record
    return header("x", len(said), tarfile.XHDTYPE) + said + bytes(-len(said) % 512)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
@pytest.mark.parametrize("size", [10 << 30, 2 << 20, -1])
def test_names_and_attributes_of_gigabytes_are_refused_before_they_are_read(tmp_path, files, kind, size):
    path = tmp_path / f"{NAME}.tar.gz"
    with gzip.open(path, "wb", compresslevel=1) as archive:
        archive.write(header("x", size, kind) + b"1" * (3 << 20) + tar(files))
    assert "unsafe archive, it says more than 1 MiB of its files" in line_of(path)


def test_names_of_names_have_an_end(tmp_path, files):
    for kind in (tarfile.GNUTYPE_LONGNAME, tarfile.XGLTYPE):
        path = tmp_path / f"{NAME}.tar"
        path.write_bytes(header("x", 0, kind) * 3000 + tar(files))
        assert "unsafe archive, it says more" in line_of(path)


def test_the_digits_of_an_attribute_take_no_time(tmp_path, files):
    path = tmp_path / f"{NAME}.tar"
    path.write_bytes(header("x", 1_000_000, tarfile.XHDTYPE) + b"1" * 1_000_448 + tar(files))
    assert "broken or cut off (bad attributes)" in line_of(path)


@pytest.mark.parametrize(
    "before",
    [
        header(f"{NAME}-PAN1.tiff", 512, tarfile.GNUTYPE_SPARSE),
        pax(GNU__sparse__major="1", GNU__sparse__minor="0") + header("x", 512, tarfile.REGTYPE) + b"9" * 512,
        pax(GNU__sparse__map="0,1") + header("x", 0, tarfile.REGTYPE),
    ],
)
def test_sparse_files_are_refused(tmp_path, files, before):
    path = tmp_path / f"{NAME}.tar"
    path.write_bytes(before + tar(files))
    assert "unsafe archive, a member is" in line_of(path)


def test_sizes_of_attributes_count(tmp_path, files):
    path = tmp_path / f"{NAME}.tar"
    path.write_bytes(pax(size=str(1 << 40)) + header("x", 0, tarfile.REGTYPE) + tar(files))
    assert "unsafe archive, it unpacks to 1099.5 GB" in line_of(path)
    data = files[f"{NAME}-PAN1.xml"]
    path.write_bytes(
        pax(size=str(len(data)))
        + header(f"{NAME}-PAN1.xml", 0, tarfile.REGTYPE)
        + data
        + bytes(-len(data) % 512)
        + tar(files)
    )
    assert read_package(path).name == NAME


def test_attributes_that_lead_outside_are_refused(tmp_path, files):
    path = tmp_path / f"{NAME}.tar"
    path.write_bytes(pax(path=f"../../{NAME}-PAN1.tiff") + header("x", 0, tarfile.REGTYPE) + tar(files))
    assert "unsafe archive, a member points outside of it" in line_of(path)


def test_an_archive_of_thousands_of_files_is_refused(tmp_path, files):
    many = {f"{i}": b"" for i in range(5000)}
    assert "unsafe archive, it says more" in line_of(write_archive(tmp_path / f"{NAME}.tar.gz", many | files))
    assert "unsafe archive, it says more" in line_of(zipped(tmp_path / f"{NAME}.zip", many | files))


def test_an_archive_that_unpacks_to_a_hundred_times_its_size_is_refused(tmp_path, files):
    zeros = {f"{NAME}-PAN1.tiff": bytes(300 << 20)}
    assert "unsafe archive, it unpacks to 0.3 GB" in line_of(zipped(tmp_path / f"{NAME}.zip", zeros))
    with gzip.open(tmp_path / f"{NAME}.tar.gz", "wb", compresslevel=1) as archive:
        archive.write(header(f"{NAME}-PAN1.tiff", 300 << 20, tarfile.REGTYPE) + bytes(1 << 20))
    assert "unsafe archive, it unpacks to 0.3 GB" in line_of(tmp_path / f"{NAME}.tar.gz")


@pytest.mark.parametrize(
    "name", ["{}-PAN1.tiff\n", "{}-PAN1\0.tiff", "{}\x1b[31m-PAN1.tiff", "x" * 60_000 + "/{}-PAN1.tif\r"]
)
def test_names_that_no_file_has_are_no_part_of_it(tmp_path, files, name):
    path = tmp_path / f"{NAME}.tar"
    path.write_bytes(tar({name.format(NAME): b"", **files}))
    assert read_package(path).pan.tiff == f"{NAME}-PAN1.tiff"


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.replace(
            b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x08", b"PK\x01\x02\x14\x03\x14\x00\x01\x00\x08"
        ),  # encrypted
        lambda c: c.replace(
            b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x08", b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x0c"
        ),  # bzip2
        lambda c: c[: len(c) // 2],
        lambda c: c[:-30],
        lambda c: c[:300] + bytes(400) + c[700:],
        lambda c: b"PK\3\4" + c[:100],
    ],
    ids=["encrypted", "bzip2", "half", "end", "hole", "head"],
)
def test_a_damaged_or_odd_zip_is_one_line(tmp_path, files, change):
    path = zipped(tmp_path / f"{NAME}.zip", files)
    path.write_bytes(change(path.read_bytes()))
    assert f"{NAME}.zip: " in line_of(path)


def test_the_list_of_files_of_a_zip_has_a_limit(tmp_path, files):
    path = zipped(tmp_path / f"{NAME}.zip", files)
    content = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(64 << 20)
        end = bytearray(content[-22:])
        end[12:16] = (60 << 20).to_bytes(4, "little")
        file.write(end)
    assert "its list of files has 60 MiB" in line_of(path)
