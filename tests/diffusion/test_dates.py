"""Several LR dates: what of them the network sees, how it fuses them, how it learns with some of them and samples."""

import json
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from command import super_resolve
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine
from small_world import BANDS, landscape, seen_by_lr, write_dataset
from test_scenes import dn, lr_scene, properties
from test_start_from import answers, model_of

from crossres.diffusion.model import checkpoint
from crossres.diffusion.model.dates import OFFSET_STD, joined, network_input
from crossres.diffusion.model.network import Network
from crossres.diffusion.model.prior import Prior
from crossres.diffusion.model.standardise import Standard
from crossres.diffusion.sample import scenes
from crossres.diffusion.train.batches import batches
from crossres.diffusion.train.data import Split, random_dates
from crossres.diffusion.train.distillation import distill
from crossres.diffusion.train.from_data import train
from crossres.diffusion.train.material import read_material
from crossres.diffusion.train.start import start_from
from crossres.errors import UserError
from crossres.imagery.lr_dates import LrDate, write_dates
from crossres.imagery.numbers import NODATA, to_reflectance
from crossres.imagery.scene import make_scene, write_scene
from crossres.settings.config import parse
from crossres.settings.distill import DistillSettings
from crossres.settings.model import ModelSettings
from crossres.settings.sample import ArmSettings, TilingSettings
from crossres.settings.train import GainSettings, TrainSettings

CPU = torch.device("cpu")
STANDARD = Standard((0.1, 0.12, 0.1, 0.3), (0.05, 0.06, 0.08, 0.1))
SHAPE = (20, 24)
FEW = TrainSettings(steps=2, batch=4, crop_px=32, validate_every=2)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> tuple[Path, Path, Path]:
    """Return eight patches of three LR dates."""
    return write_dataset(tmp_path_factory.mktemp("dates"), Fraction(4), 12, 6, 2, lr_dates=3)


@pytest.fixture
def split(dataset) -> Split:
    return Split(*dataset[:2], "train", Fraction(4), STANDARD)


def some_prior() -> Prior:
    torch.manual_seed(0)
    prior = Prior(3, 2, 8, 2, (8,), dates=True).requires_grad_(False).double()
    for p in prior.parameters():
        if not p.any():
            torch.nn.init.normal_(p, std=0.3)
    return prior


def some_dates(count: int) -> tuple[torch.Tensor, ...]:
    """Return a first date of three bands and `count` further ones, as `joined` takes them."""
    rng = torch.Generator().manual_seed(1)
    bands, offsets = (torch.randn(2, count, n, *SHAPE, generator=rng).double() for n in (3, 2))
    return torch.randn(2, 3, *SHAPE, generator=rng).double(), bands, offsets, torch.rand(2, count, 1, *SHAPE) > 0.2


def test_the_order_of_further_dates_does_not_matter():
    prior, (first, *further) = some_prior(), some_dates(3)
    seen, turned = prior(joined(first, *further)), prior(joined(first, *(of[:, [2, 0, 1]] for of in further)))
    assert (seen - turned).abs().max() < 1e-12 < (seen - prior(first)).abs().max()
    some = prior(joined(first, *(of[:, :2] for of in further)))
    assert (seen - some).abs().max() > 0.01, "and each of them is seen"


def test_a_date_without_data_changes_nothing_at_all():
    prior, (first, *further) = some_prior(), some_dates(3)
    further[2][:, 1] = False
    without = joined(first, *(of[:, [0, 2]] for of in further))
    assert torch.equal(prior(joined(first, *further)), prior(without))
    assert torch.equal(prior(joined(first, further[0], further[1], further[2] & False)), prior(first))


def test_what_a_pixel_sees_ends_at_the_reach():
    prior, (first, *further) = some_prior(), some_dates(2)
    whole = prior(joined(first, *further))
    cut = prior(joined(first, *further)[..., 4:, :])
    differs = (whole[..., 4:, :] - cut).abs().amax((0, 1, 3)) > 1e-12
    assert not differs[prior.reach_lr_px :].any() and differs[prior.reach_lr_px - 5]


def test_training_sees_what_sampling_sees(split):
    batch = split.batch(np.arange(len(split)))
    numbers = np.stack(split.read("lr", np.arange(len(split))))
    expected = torch.cat([network_input(to_reflectance(lr), STANDARD) for lr in numbers])
    assert batch.lr.shape[1] == 4 + 2 * 7 and torch.allclose(batch.lr, expected, atol=2e-5)
    missing = numbers[:, 4:10].min(1) == NODATA
    assert 0.05 < missing.mean() < 0.2
    assert not batch.lr[:, 4:11].movedim(1, -1)[torch.from_numpy(missing)].any()
    assert torch.equal(batch.lr[:, 10] == 0, torch.from_numpy(missing))


@pytest.mark.parametrize("turn", range(8))
def test_offsets_turn_with_the_image(split, turn):
    """Where a value was measured, seen from the middle of the crop, is put under the same symmetry as the crop."""
    prepare = split.preparation(CPU)
    corners = np.array([[2, 0], [0, 4]])
    plain, turned = (prepare(split._raw(np.arange(2), corners, (8, 8), None, how)).lr for how in (0, turn))
    rows, cols = np.mgrid[:8, :8] - 3.5

    def positions(seen: torch.Tensor) -> np.ndarray:
        down, right, valid = (seen[0, channel].numpy() for channel in (8, 9, 10))
        places = np.stack([rows + OFFSET_STD * down, cols + OFFSET_STD * right], -1)[valid > 0]
        order = np.lexsort(seen[0, 4:8].numpy()[:, valid > 0])
        return places[order]

    expected = positions(plain)
    expected[:, 0] *= -1 if turn & 2 else 1
    expected[:, 1] *= -1 if turn & 1 else 1
    expected = expected[:, ::-1] if turn & 4 else expected
    assert len(expected) > 40 and np.allclose(positions(turned), expected, atol=1e-5)


def test_a_gain_multiplies_all_dates_alike_and_leaves_offsets(split):
    prepare = split.preparation(CPU)
    raw = split._raw(np.arange(2), np.zeros((2, 2), int), (12, 12), None, 0)
    gain = torch.tensor([1.2, 0.8, 1.0, 1.1])[None, :, None, None].expand(2, -1, 1, 1)
    plain, bright = prepare(raw).lr, prepare(raw, gain).lr
    mean, std = (torch.tensor(v)[:, None, None] for v in (STANDARD.mean, STANDARD.std))
    for first in (0, 4, 11):
        valid = plain[:, first + 6 : first + 7] if first else torch.ones(1)
        expected = (gain * (plain[:, first : first + 4] * std + mean) - mean) / std * valid
        assert torch.allclose(bright[:, first : first + 4], expected, atol=1e-5)
    for other in (slice(8, 11), slice(15, 18)):
        assert torch.equal(plain[:, other], bright[:, other])


def test_half_of_the_crops_keep_all_dates_others_any_number_and_each_is_dropped_as_often():
    kept = random_dates(3, 4000, np.random.default_rng(0))
    assert np.allclose(np.bincount(kept.sum(1)) / 4000, [0.125, 0.125, 0.125, 0.625], atol=0.03)
    assert np.allclose(kept.mean(0), 0.75, atol=0.03)


def test_which_dates_are_kept_is_the_same_in_every_process(split):
    whole, part = (
        split.random_batch(np.arange(6), 32, 0.5, np.random.default_rng(4), own)
        for own in (slice(None), slice(2, 5))
    )  # fmt: skip
    assert torch.equal(whole.lr[2:5], part.lr) and torch.equal(whole.shift[:, 2:5], part.shift)
    gone = (whole.lr[:, 4:].float() == NODATA).all((2, 3))
    assert gone.any() and not gone.all()
    assert (whole.lr[:, :4].float() != NODATA).all(), "the first is always there"


def test_a_run_that_goes_on_drops_the_dates_that_it_would_have_dropped(split):
    whole, rest = (list(batches(split, 4, 4, 32, 0.0, 0, first=first)) for first in (0, 2))
    assert all(torch.equal(a.lr, b.lr) for a, b in zip(whole[2:], rest, strict=True))


def test_one_date_can_be_learnt_of_several(dataset, tmp_path):
    train(FEW.model_copy(update={"lr_dates": 1}), ModelSettings(), *dataset, tmp_path / "one")
    only = write_dataset(tmp_path, Fraction(4), 12, 6, 2)
    about = json.loads(dataset[2].read_text())
    assert about["statistics"] == json.loads(only[2].read_text())["statistics"]
    card = checkpoint.load_card(tmp_path / "one")
    assert card.lr_dates == 1 and checkpoint.load(tmp_path / "one").network.prior.dates is None


def test_the_card_says_how_many_and_a_run_gives_the_same_bytes(dataset, tmp_path):
    settings = FEW.model_copy(update={"gain": GainSettings(share=0.5), "max_shift_px": 0.5})
    for name in ("a", "b"):
        train(settings, ModelSettings(), *dataset, tmp_path / name)
    card = checkpoint.load_card(tmp_path / "a")
    assert card.lr_dates == 3 and card.lr_bands == BANDS
    assert card.weights_sha256 == checkpoint.load_card(tmp_path / "b").weights_sha256
    assert checkpoint.load(tmp_path / "a").network.prior.dates.exit.weight.any(), "it has learnt from them"
    two = FEW.model_copy(update={"lr_dates": 2})
    assert read_material(*dataset, "hr", two.lr_dates).lr_dates == 2


def test_a_student_learns_with_its_teachers_dates(dataset, tmp_path):
    train(FEW, ModelSettings(), *dataset, tmp_path / "teacher")
    distill(DistillSettings(steps=1), tmp_path / "teacher", *dataset, tmp_path / "student")
    assert checkpoint.load_card(tmp_path / "student").lr_dates == 3


def test_training_without_the_module_is_refused(dataset, tmp_path):
    with pytest.raises(UserError, match=r"model\.prior: concat shows the network one LR date, .*; use prior: module"):
        train(FEW, ModelSettings(prior="concat"), *dataset, tmp_path / "model")


def test_a_card_of_several_dates_without_the_module_is_refused(dataset, tmp_path):
    train(FEW, ModelSettings(), *dataset, tmp_path / "model")
    path = tmp_path / "model" / "card.json"
    card = json.loads(path.read_text())
    path.write_text(json.dumps(card | {"model": card["model"] | {"prior": "concat"}}))
    with pytest.raises(UserError, match=r"lr_dates above 1 need model\.prior: module"):
        checkpoint.load(tmp_path / "model")
    del card["lr_dates"]
    path.write_text(json.dumps(card))
    assert checkpoint.load_card(tmp_path / "model").lr_dates == 1, "a card of before"


SOURCES = {"lr": {"kind": "stac-api", "url": "https://a.org", "collections": ["x"]},
           "hr": {"kind": "gaofen2", "path": "x"}, "lr_dates": 4}  # fmt: skip


def test_arms_show_as_many_dates_as_there_are_and_are_learnt():
    arms = {"lr_start": {}, "two": {"lr_dates": 2}, "one": {"lr_dates": 1}, "many": {"lr_dates": 9},
            "bicubic": {"start": "bicubic"}, "few": {"model": "few"}}  # fmt: skip
    models = {"main": {}, "few": {"train": {"lr_dates": 3}}}
    config = parse({"run": "x", "search": SOURCES, "models": models, "sample": {"arms": arms}})
    assert [config.lr_dates_of(name) for name in arms] == [4, 2, 1, 4, 1, 3]
    config = parse({"run": "x", "search": SOURCES | {"lr_dates": 1}, "sample": {"arms": {"lr_start": {}}}})
    assert config.lr_dates_of("lr_start") == 1


def test_models_that_see_one_date_alone_say_so():
    content = {"run": "x", "search": SOURCES, "models": {"main": {"model": {"prior": "concat"}}}}
    with pytest.raises(UserError, match=r"models\.main\.model\.prior: concat shows the network no LR date but the"):
        parse(content)
    parse(content | {"train": {"lr_dates": 1}})


def started(folder: Path, lr_dates: int, *bands: str) -> Network:
    torch.manual_seed(0)
    network = Network(ModelSettings(), len(bands), lr_dates=lr_dates).eval()
    standard = Standard((0.1,) * len(bands), (0.05,) * len(bands))
    start_from(folder, network, ModelSettings(), TrainSettings(), bands, bands, standard)
    return network


def test_a_model_of_one_date_grows_into_one_of_several(tmp_path):
    known = model_of(tmp_path / "known", "red", "nir")
    network = started(tmp_path / "known", 4, "red", "nir")
    image = torch.randn(1, 2, 32, 32)
    for own, before in zip(answers(network, image), answers(known, image), strict=True):
        assert torch.equal(own, before)
    further = torch.randn(1, 2, 2, 8, 8), torch.rand(1, 2, 2, 8, 8), torch.ones(1, 2, 1, 8, 8, dtype=torch.bool)
    seen = joined(image[..., ::4, ::4], *further)
    assert torch.equal(network.prior(seen), known.prior(image[..., ::4, ::4])), "other dates count for nothing yet"
    assert network.prior.dates.entry.weight.any()


def test_a_model_of_several_dates_starts_from_one_band_by_band(tmp_path):
    known = model_of(tmp_path / "known", "red", "nir", lr_dates=3)
    network = started(tmp_path / "known", 2, "nir", "red")
    own, theirs = (of.prior.dates.entry.weight.unflatten(1, (-1, 2)) for of in (network, known))
    assert torch.equal(own, theirs.flip(2)), "each product of each date has both bands"
    assert torch.equal(network.prior.dates.score.weight, known.prior.dates.score.weight)
    assert started(tmp_path / "known", 1, "nir", "red").prior.dates is None


@pytest.fixture
def model(tmp_path) -> Path:
    """Return a model of up to three dates, its weights random."""
    torch.manual_seed(0)
    network = Network(ModelSettings(), 4, lr_dates=3)
    for p in network.parameters():
        if not p.any():
            torch.nn.init.normal_(p, std=0.05)
    (tmp_path / "model").mkdir()
    checkpoint.save(
        tmp_path / "model", network, bands=BANDS, lr_dates=3, factor=Fraction(4), lr_gsd_m=10.0, hr_gsd_m=2.5,
        standard=Standard((0.15,) * 4, (0.1,) * 4), sigma=0.3, residual_rms=0.4, model=ModelSettings(),
        train=TrainSettings(), data_sha256="0", code="0", metrics={},
    )  # fmt: skip
    return tmp_path / "model"


def with_dates(folder: Path, values: np.ndarray, count: int) -> tuple[Path, Path]:
    """Write an LR scene and `count` further dates of it, the last of them without data, where there are three."""
    scene = lr_scene(40, 32)
    lr, path = folder / "aligned" / "place" / "lr.tif", folder / "aligned" / "place" / "dates.tif"
    write_scene(lr, scene)
    rng = np.random.default_rng(0)
    dates = []
    for _ in range(count):
        offsets = np.broadcast_to(rng.uniform(-0.5, 0.5, (2, 1, 1)).astype(np.float32), (2, 40, 32))
        own = scene.reflectance.values + values
        own[:, :5] = np.nan
        dates.append(LrDate(own, offsets))
    write_dates(path, scene.odc.geobox, BANDS, dates if count < 3 else [*dates[:2], None])
    return lr, path


def sampled(folder: Path, model: Path, lr: Path, dates: Path | None, name: str, px: int = 4096, **how) -> Path:
    arm = ArmSettings(**({"steps": 1, "samples": 2} | how))
    output = folder / "sr" / name
    tiling = TilingSettings(block_px=px, precision="float32")
    scenes.sample_scene(arm, tiling, "arm", lr, model, output, dates=dates)
    return output


@pytest.mark.parametrize("start", ["lr", "regression"])
def test_as_many_dates_as_the_arm_says_are_seen_and_said(tmp_path, model, start):
    lr, dates = with_dates(tmp_path, np.float32(0.05), 3)
    one, two, three, most = (
        sampled(tmp_path, model, lr, dates, f"{count}", start=start, lr_dates=count) for count in (1, 2, 3, None)
    )
    without = sampled(tmp_path, model, lr, None, "without", start=start)
    images = [dn(of / "mean.tif") for of in (one, two, three, most, without)]
    assert np.array_equal(images[0], images[4]) and np.array_equal(images[2], images[3])
    assert not np.array_equal(images[0], images[1]) and not np.array_equal(images[1], images[2])
    assert [properties(of)["crossres:lr_dates"] for of in (one, two, three, most, without)] == [1, 2, 3, 3, 1]
    links = {link.get("title"): link["href"] for link in json.loads((two / "item.json").read_text())["links"]}
    assert (two / links["further LR dates"]).resolve() == dates.resolve()
    assert "further LR dates" not in (one / "item.json").read_text()


def test_a_missing_date_is_as_if_nobody_had_asked_for_it(tmp_path, model):
    lr, dates = with_dates(tmp_path, np.float32(0.05), 3)
    three = dn(sampled(tmp_path, model, lr, dates, "three") / "mean.tif")
    lr, dates = with_dates(tmp_path / "two", np.float32(0.05), 2)
    assert np.array_equal(dn(sampled(tmp_path, model, lr, dates, "two") / "mean.tif"), three)


def test_blocks_leave_no_trace_with_several_dates(tmp_path, model):
    lr, dates = with_dates(tmp_path, np.float32(0.05), 2)
    whole, blocks = (sampled(tmp_path, model, lr, dates, f"{px}", px=px, steps=2) for px in (4096, 64))
    for part in ("mean", "std", "sample"):
        assert abs(dn(whole / f"{part}.tif") - dn(blocks / f"{part}.tif")).max() <= 1


def test_what_does_not_look_at_them_does_not_say_so(tmp_path, model):
    lr, dates = with_dates(tmp_path, np.float32(0.05), 2)
    output = sampled(tmp_path, model, lr, dates, "bicubic", start="bicubic", samples=1)
    assert "lr_dates" not in properties(output).keys() - {"crossres:settings"}
    assert "crossres:lr_dates" not in properties(output)


def test_dates_of_another_grid_or_other_bands_are_one_clear_line(tmp_path, model):
    lr, dates = with_dates(tmp_path, np.float32(0.05), 2)
    grid = lr_scene(40, 32).odc.geobox
    write_dates(dates, grid[:39], BANDS, [None])
    with pytest.raises(UserError, match=r"dates\.tif: lies on another grid than the LR scene"):
        sampled(tmp_path, model, lr, dates, "other")
    write_dates(dates, grid, BANDS[:3], [None])
    with pytest.raises(UserError, match=r"dates\.tif: has no band nir@2"):
        sampled(tmp_path, model, lr, dates, "other")


@pytest.fixture(scope="module")
def passes(tmp_path_factory) -> list[Path]:
    """Return a scene, one of the same place that lies a quarter of a pixel off, and one of another place."""
    folder = tmp_path_factory.mktemp("passes")
    rng = np.random.default_rng(0)
    place, other = landscape(640, rng), landscape(640, rng)
    images = place, np.roll(place, (-1, 1), (1, 2)), other
    grid = GeoBox((160, 160), Affine(10, 0, 500000, 0, -10, 4000000), "EPSG:32650")
    for name, image in zip("abc", images, strict=True):
        seen = seen_by_lr(image, Fraction(4), rng)
        write_scene(folder / f"{name}.tif", make_scene(seen, grid, BANDS, {"sensor": "sentinel-2a"}))
    return [folder / f"{name}.tif" for name in "abc"]


def test_a_person_names_further_scenes_of_a_place(tmp_path, model, passes, caplog):
    caplog.set_level("INFO")
    first, near, elsewhere = passes
    results = {}
    for name, dates in (("one", ()), ("two", (near,)), ("off", (elsewhere,))):
        options = ("--dates", *map(str, dates)) if dates else ()
        super_resolve(first, model, tmp_path / name, "--steps", "1", *options, start="regression")
        results[name] = dn(tmp_path / name / "mean.tif")
    assert not np.array_equal(results["one"], results["two"]) and np.array_equal(results["one"], results["off"])
    said = " ".join(caplog.messages)
    assert "a: the model knows up to 3 LR dates, and is shown one (--dates)" in said
    assert re.search(r"b: lies 2\.[3-7] m east and 2\.[3-7] m north of the first", said)
    assert "c: is not used as a further date: " in said
    assert [properties(tmp_path / name)["crossres:lr_dates"] for name in ("one", "two")] == [1, 2]
    links = {
        link.get("title"): link["href"] for link in json.loads((tmp_path / "two" / "item.json").read_text())["links"]
    }
    assert (tmp_path / "two" / links["LR date 2"]).resolve() == near
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "off", "one", "two"]


def test_further_scenes_that_do_not_fit_are_one_clear_line(tmp_path, model, passes):
    with pytest.raises(UserError, match="--dates: 3 further scenes, and the model has learnt from 2; name fewer"):
        super_resolve(passes[0], model, tmp_path / "out", "--dates", *map(str, [passes[1]] * 3))
