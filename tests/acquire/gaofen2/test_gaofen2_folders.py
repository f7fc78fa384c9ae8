"""Packages in the folders of others: odd names, odd files, other people's encodings."""

import os

import pytest
from made_gaofen2 import NAME, members, write_archive

from crossres.acquire.catalog import catalog_gaofen2
from crossres.acquire.gaofen2.package import find_packages, read_package
from crossres.errors import UserError
from crossres.files import read_json

OTHER = NAME.replace("4793969", "4793970")


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return members()


def put(folder, files: dict[str, bytes]):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def renamed(files: dict[str, bytes], name: str = OTHER) -> dict[str, bytes]:
    return {n.replace(NAME, name): c for n, c in files.items()}


def line_of(call) -> str:
    with pytest.raises(UserError) as caught:
        call()
    assert str(caught.value).isprintable() and len(str(caught.value)) < 400
    return str(caught.value)


def test_suffixes_in_capitals_and_a_folder_within_a_folder_of_its_name_are_read(tmp_path, files):
    upper = {f"{n.rpartition('.')[0]}.{n.rpartition('.')[2].upper()}": c for n, c in files.items()}
    inner = put(tmp_path / NAME / NAME, upper)
    assert find_packages(tmp_path) == {inner: NAME}
    assert read_package(tmp_path / NAME) == read_package(inner)


def test_two_scenes_in_one_folder_are_named(tmp_path, files):
    put(put(tmp_path / "mixed", files), renamed(files))
    line = line_of(lambda: read_package(tmp_path / "mixed"))
    assert f"holds two scenes, {NAME} and {OTHER}" in line
    put(tmp_path / "two" / "a", files)
    put(tmp_path / "two" / "b", renamed(files))
    assert "holds two packages, a and b" in line_of(lambda: read_package(tmp_path / "two"))
    put(tmp_path / "twice", files | {f"{NAME}-PAN1.tif": b""})
    assert "holds both" in line_of(lambda: read_package(tmp_path / "twice"))


def test_names_that_are_not_utf8_are_declined_by_name_and_end_nothing(tmp_path, files):
    put(tmp_path / "in" / "good", files)
    put(tmp_path / "in" / os.fsdecode("密云".encode("gbk")), renamed(files))
    odd = tmp_path / "in" / os.fsdecode(b"GF2_PMS1_" + "密云".encode("gbk") + b".tar.gz")
    write_archive(odd, files)
    catalog_gaofen2(tmp_path / "in", tmp_path / "out")
    assert [p.stem for p in (tmp_path / "out" / "items").iterdir()] == [NAME]
    declined = (tmp_path / "out" / "declined.csv").read_text(encoding="utf-8")
    assert OTHER in declined and r"GF2_PMS1_\udcc3\udcdc" in declined
    assert declined.count("the name is not UTF-8; rename it") == 2


def test_links_pipes_and_folders_without_permission_end_nothing(tmp_path, files, caplog):
    root = tmp_path / "in"
    put(root / "good", files)
    (root / "loop").symlink_to(root, target_is_directory=True)
    (root / f"{OTHER}.tar.gz").symlink_to(root / f"{OTHER}.tar.gz")
    (root / f"{OTHER}.tgz").symlink_to(root / "nothing")
    os.mkfifo(root / f"{OTHER}.tar")
    closed = put(root / "closed", renamed(files))
    closed.chmod(0)
    try:
        assert root / "good" in find_packages(root)
        if os.geteuid():
            assert "closed: cannot be searched (Permission denied)" in caplog.text
        catalog_gaofen2(root, tmp_path / "out")
    finally:
        closed.chmod(0o700)
    declined = (tmp_path / "out" / "declined.csv").read_text()
    assert "symbolic links" in declined and "No such file" in declined and "is not a file" in declined


def test_a_part_of_a_package_that_cannot_be_opened_is_named(tmp_path, files):
    folder = put(tmp_path / "in", files)
    (folder / f"{NAME}-PAN1.xml").unlink()
    (folder / f"{NAME}-PAN1.xml").symlink_to("/nowhere/at/all")
    assert "the PAN metadata (.xml) is missing" in line_of(lambda: read_package(folder))


def test_folders_without_end_are_searched_so_far(tmp_path, caplog):
    path = tmp_path
    for _ in range(45):
        path = path / "a"
    path.mkdir(parents=True)
    assert find_packages(tmp_path) == {}
    assert "folders below it are not searched" in caplog.text


def test_an_item_says_what_it_is_without_words_of_our_own(tmp_path, files):
    put(tmp_path / "in" / NAME, files)
    catalog_gaofen2(tmp_path / "in", tmp_path / "out")
    item = read_json(tmp_path / "out" / "items" / f"{NAME}.json")
    assert set(item["assets"]) == {"package"}
    assert item["properties"]["platform"] == "gaofen-2" and item["properties"]["instruments"] == ["pms1"]
    assert "crossres:" not in str(item)
