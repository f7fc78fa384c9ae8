"""The report's first screen: what the product is, how good it is beside bicubic interpolation, what to distrust."""

from dataclasses import dataclass

from crossres.evaluate.metrics.registry import BY_KEY, shown
from crossres.evaluate.report.baselines import Arms, bicubic_of
from crossres.evaluate.results.arm_names import arm_label
from crossres.evaluate.results.intervals import Difference, Verdict
from crossres.evaluate.results.summary import Summary
from crossres.settings.sample import STARTS, ArmSettings


@dataclass(frozen=True)
class Score:
    """One number of the first screen."""

    name: str
    text: str


@dataclass(frozen=True)
class Opening:
    """What a reader who knows PSNR, and nothing else of this page, is told first."""

    answer: str
    scores: list[Score]
    """PSNR of the product, of bicubic, and their difference."""
    product: str
    distrust: list[str]


def opening(summary: Summary, arms: Arms) -> Opening:
    """Return the first screen; what is worse is called worse, and of few scenes only what was seen is said."""
    primary, bicubic = summary.primary, bicubic_of(summary, arms)
    scores = [Score("SR", shown("psnr_db", summary.value(primary, "mean", "psnr_db")))]
    apart = summary.differences[bicubic]["mean"]["psnr_db"] if bicubic else None
    if bicubic and apart:
        scores += [
            Score("bicubic", shown("psnr_db", summary.value(bicubic, "mean", "psnr_db"))),
            Score("difference", shown("psnr_db", apart.mean, signed=True)),
        ]
    answer = "There is no bicubic interpolation to compare with; the numbers below stand alone."
    if bicubic:
        answer = f"{_truer(summary, bicubic, apart)} {_sharper(summary, bicubic)}".strip()
    return Opening(answer, scores, _product(arms[primary]), _distrust(summary, bicubic, arms))


def _truer(summary: Summary, bicubic: str, apart: Difference | None) -> str:
    if apart is None:
        return "PSNR could not be measured."
    amount = shown("psnr_db", abs(apart.mean))
    side = "above" if apart.mean >= 0 else "below"
    if apart.n == 1:
        return f"On the one scene held out, SR is {amount} {side} bicubic interpolation in PSNR."
    if apart.few:
        return f"SR is {amount} {side} bicubic interpolation in PSNR, {apart.seen()} scenes."
    verdicts: dict[Verdict, str] = {
        "better": f"SR is truer than bicubic interpolation: {amount} above it in PSNR.",
        "worse": f"SR is less true than bicubic interpolation: {amount} below it in PSNR.",
        "undecided": "In PSNR, the scenes do not tell SR and bicubic interpolation apart.",
    }
    return verdicts[summary.verdict(bicubic, "mean", "psnr_db")]


def _sharper(summary: Summary, bicubic: str) -> str:
    apart = summary.differences[bicubic]["sample"]["spectrum_error"]
    if apart is None:
        return ""
    if apart.n == 1:
        return f"One sample’s fine detail is {'closer to' if apart.ahead else 'further from'} HR’s than bicubic’s."
    if apart.few:
        return f"One sample’s fine detail is closer to HR’s than bicubic’s in {apart.ahead} of {apart.n} scenes."
    verdicts: dict[Verdict, str] = {
        "better": "One sample has fine detail that bicubic lacks.",
        "worse": "One sample’s fine detail is further from HR’s than bicubic’s.",
        "undecided": "Whether one sample’s fine detail is closer to HR’s is not decided.",
    }
    return verdicts[summary.verdict(bicubic, "sample", "spectrum_error")]


def _product(arm: ArmSettings) -> str:
    """Return how the product is made, in one or two sentences."""
    if arm.start not in {*STARTS, "one-step"}:
        made = {
            "regression": "A neural network estimates SR from it directly, the super-resolved image",
            "bicubic": "Bicubic interpolation makes SR from it, the super-resolved image",
            "nearest": "Repeating its pixels makes SR, the super-resolved image",
        }
        return f"{made[arm.start]}: one image, without samples."
    begin = {
        "lr": "A diffusion model makes SR from it, the super-resolved image: it starts from LR with noise on it, not "
        "from noise alone",
        "noise": "A diffusion model makes SR from it, the super-resolved image: it starts from noise",
        "one-step": "A model makes SR from it, the super-resolved image, in one step of what is many in diffusion",
    }[arm.start]
    times = f"{arm.nfe} evaluation{'' if arm.nfe == 1 else 's'} of its network"
    if arm.samples == 1:
        return f"{begin}. It draws one image, in {times}."
    return (
        f"{begin}. It draws {arm.samples} images that could all be true (samples), each in {times}. SR is their mean; "
        "one sample is the sharper picture."
    )


def _distrust(summary: Summary, bicubic: str | None, arms: Arms) -> list[str]:
    """Return what a reader should not believe too easily, the gravest first."""
    found, primary = [], summary.primary
    if summary.note:
        held_out = len(summary.scenes)
        found.append(
            f"Only {held_out} scene{' was' if held_out == 1 else 's were'} held out: too few to say what holds "
            "elsewhere. “Ahead” says what was seen."
        )
    made_up = summary.value(primary, "sample", "hallucination")
    if made_up is not None:
        found.append(f"{100 * made_up:.0f} % of one sample’s detail is in neither LR nor HR: the model made it up.")
    shown_as_mean = [arm for arm in summary.arm_order if arm == primary or arm not in arms or not arms[arm].drawn_once]
    measured = {arm: summary.value(arm, "mean", "psnr_db") for arm in shown_as_mean}
    psnr = {arm: value for arm, value in measured.items() if value is not None}
    truest = max(psnr, key=lambda arm: psnr[arm], default=primary)
    if primary in psnr and psnr[truest] > psnr[primary]:
        found.append(f"Another method has a higher PSNR: “{arm_label(truest)}” with {shown('psnr_db', psnr[truest])}.")
    pixels = summary.differences[bicubic]["sample"]["psnr_db"] if bicubic else None
    if pixels and pixels.mean < 0:
        found.append(
            f"One sample is {shown('psnr_db', -pixels.mean)} below bicubic in PSNR: what it adds is often in the wrong "
            "place."
        )
    texture = summary.differences[bicubic]["sample"]["swd"] if bicubic else None
    if texture and texture.mean > 0 and (texture.verdict(BY_KEY["swd"]) == "worse" or texture.ahead == 0):
        found.append("The texture of one sample is further from HR’s than bicubic’s.")
    spread = summary.calibration[primary]
    if spread and spread.misjudged:
        found.append(f"The model is {spread.misjudged}: its std is {spread.ratio:.2f} of the real error.")
    return found
