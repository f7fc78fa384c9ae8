"""Results in storage elsewhere, by Snakemake's plugins: jobs are given what Snakemake fetches, and give the same."""

import importlib.util
import re
import shutil
from pathlib import Path

import pytest
from moto_servers import KEYS, needs_s3_server, s3_server
from project import Project, copy_project, digests, write_small_config

pytestmark = pytest.mark.integration

CONFIG = ("--configfile", "config/small.yaml")


def plugin(name):
    """Skip what needs a plugin of Snakemake's where it is not installed."""
    missing = importlib.util.find_spec(f"snakemake_storage_plugin_{name}") is None
    return pytest.mark.skipif(missing, reason=f"no snakemake-storage-plugin-{name}: install crossres[storage]")


@pytest.fixture(scope="module")
def elsewhere(small_run, tmp_path_factory):
    """A project without results, the options with which they are in another folder, and that folder."""
    if shutil.which("rsync") is None:
        pytest.skip("no rsync, with which snakemake-storage-plugin-fs copies")
    project = copy_project(tmp_path_factory.mktemp("storage") / "project")
    write_small_config(project)
    shutil.copytree(small_run.folder / "results", project.folder.parent / "stored" / "results", symlinks=True)
    stored = project.folder.parent / "stored"
    return project, ("--default-storage-provider", "fs", "--default-storage-prefix", str(stored), *CONFIG), stored


@plugin("fs")
def test_a_finished_run_in_storage_is_seen_behind_both_checkpoints(elsewhere):
    project, options, _ = elsewhere
    assert "Nothing to be done" in project.run("--dry-run", *options)


@plugin("fs")
def test_results_that_are_made_from_storage_are_the_same_bytes(elsewhere, small_digests):
    """A scene of an item, an aligned pair of scenes, and all that reads many results; nothing is left beside them."""
    project, options, stored = elsewhere
    run = stored / "results/small"
    pair = next((run / "items/pairs").glob("*.json")).stem
    scene = pair.partition("--")[2]
    # From the end to the start: whatever is newer would bring the training.
    for name, others in (
        ("report.html", ["evaluation/summary.json"]), (f"scenes/{scene}", []),
        (f"aligned/{pair}/registration.json", [f"aligned/{pair}"]), ("pairs/summary.json", []),
    ):  # fmt: skip
        for gone in (run / name, *(run / other for other in others)):
            shutil.rmtree(gone) if gone.is_dir() else gone.unlink(missing_ok=True)
        project.run(f"results/small/{name}", *options)
    assert digests(Project(stored)) == small_digests
    assert not (project.folder / "results").exists()


@plugin("s3")
@needs_s3_server
def test_a_run_in_a_bucket_is_seen_and_goes_on(small_run, tmp_path):
    import boto3

    project = copy_project(tmp_path / "project")
    write_small_config(project)
    with s3_server(tmp_path) as endpoint:
        client = boto3.client(
            "s3", endpoint_url=f"http://{endpoint}", region_name="us-east-1",
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"], aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        )  # fmt: skip
        client.create_bucket(Bucket="bucket")
        results = small_run.folder / "results"
        made = {"claim.json", "claim.parquet", "claim.png"}
        # In the order in which they were made, which is then that of their times in the bucket.
        for path in sorted(results.rglob("*"), key=lambda path: path.stat().st_mtime_ns):
            if path.is_file() and path.name not in made and path.name != "report.html":
                client.upload_file(str(path), "bucket", f"mine/{path.relative_to(small_run.folder)}")
        options = (
            "--default-storage-provider", "s3", "--default-storage-prefix", "s3://bucket/mine",
            "--rerun-triggers", "input", *CONFIG,
        )  # fmt: skip
        environment = KEYS | {"SNAKEMAKE_STORAGE_S3_ENDPOINT_URL": f"http://{endpoint}"}
        planned = project.run("--dry-run", "--quiet", "rules", *options, environment=environment)
        assert set(re.findall(r"^(\w+) +\d+$", planned, re.M)) == {"all", "claim", "report", "total"}
        said = project.run("results/small/evaluation/claim.json", *options, environment=environment)
        found = client.list_objects_v2(Bucket="bucket", Prefix="mine/results/small/evaluation/claim")
    assert {Path(entry["Key"]).name for entry in found["Contents"]} == made
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in planned + said
