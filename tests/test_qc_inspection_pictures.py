"""What a reader sees is true: right is right, millimetres are square, the page needs nothing but itself."""

from __future__ import annotations

import base64
import itertools
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from test_qc_inspection_draw import released
from test_qc_inspection_verdicts import drawn
from treemaker import TreeMaker, small_trial

from trialbids.exporter.errors import UsageError
from trialbids.exporter.progress import Silent
from trialbids.exporter.qc.inspection import look, picture
from trialbids.exporter.qc.inspection.draw import Draw
from trialbids.exporter.qc.inspection.lay import make_cards
from trialbids.exporter.qc.inspection.orient import page
from trialbids.exporter.qc.inspection.population import Judgement, read_population
from trialbids.exporter.qc.inspection.sampling import Size, draw_sample
from trialbids.exporter.qc.inspection.sheet import Card, sheet
from trialbids.mappings.record import Record

WORLD = [(order, signs) for order in itertools.permutations(range(3)) for signs in itertools.product((1, -1), repeat=3)]
EDGES = {2: ("R", "L", "A", "P"), 1: ("R", "L", "S", "I"), 0: ("A", "P", "S", "I")}


@pytest.mark.parametrize(("order", "signs"), WORLD)
@pytest.mark.parametrize("through", range(3))
def test_the_right_front_top_of_the_patient_lies_where_the_letters_say(
    order: tuple[int, ...], signs: tuple[int, ...], through: int
) -> None:
    """In every orientation of the array the bright corner of the patient comes to the same corner of the page."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (world, sign) in enumerate(zip(order, signs, strict=True)):
        affine[world, axis] = sign * (axis + 1)
    volume = np.zeros((4, 5, 6))
    corner = tuple(n - 1 if sign > 0 else 0 for n, sign in zip(volume.shape, signs, strict=True))
    volume[corner] = 1  # the voxel furthest to the right, the front and the head
    laid = page(affine, through)
    plane = laid.lay(volume, corner[through])
    assert plane[0, 0] == 1
    assert plane.sum() == 1
    assert laid.marks == EDGES[order[through]]
    assert plane.shape == (volume.shape[laid.down], volume.shape[laid.across])
    assert laid.mm == (laid.down + 1, laid.across + 1)


def test_an_oblique_edge_has_two_letters() -> None:
    tilt = np.deg2rad(40)
    affine = np.eye(4)
    affine[:3, :3] = [[-1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]]
    assert page(affine, 2).marks == ("R", "L", "AS", "PI")


def test_a_page_has_square_millimetres() -> None:
    plane = np.ones((20, 100))
    assert picture.scaled(plane, (6.0, 0.5), 2.0, (0, 1)).shape == (240, 100)
    assert picture.tile(plane, (6.0, 0.5), (120, 120), (0, 1)).shape == (120, 50)


@pytest.mark.parametrize(
    "values",
    [np.zeros(100), np.full(100, np.nan), np.array([]), np.array([1.0, np.inf, -np.inf]), np.full(9, 7, np.uint16)],
)
def test_an_image_without_contrast_still_has_a_window(values: np.ndarray) -> None:
    low, high = picture.window(values)
    assert np.isfinite([low, high]).all()
    assert high > low


def test_a_few_bright_voxels_do_not_darken_the_rest() -> None:
    values = np.random.default_rng(0).normal(100, 10, 50_000)
    values[:20] = 1e6
    assert picture.window(values)[1] < 200


def jpeg_of(uri: str) -> np.ndarray:
    data = base64.b64decode(uri.removeprefix("data:image/jpeg;base64,"), validate=True)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert image is not None
    return image


def tree_of(root: Path, array: np.ndarray, affine: np.ndarray, **record: object) -> look.Look:
    tree = TreeMaker(root)
    tree.image("01", "T2w", {"sequence": "T2w", **record}, array=array, affine=affine)
    tree.finish()
    return look.load(root, read_population(root)[0])


def test_the_patients_right_is_at_the_left_of_the_picture(tmp_path: Path) -> None:
    """Stored as dcm2niix stores it: the first axis runs to the left."""
    array = np.zeros((64, 64, 10), np.int16)
    array[:16] = 1000  # low indices: with a negative first axis these lie at the patient's right
    seen = tree_of(tmp_path, array, np.diag([-2.0, 2, 5, 1]))
    figure = look.planes(seen)
    assert figure is not None
    shown = jpeg_of(figure.uri)
    native = shown[:, : shown.shape[1] // 2]
    columns = native[40:-40].mean(axis=0)
    assert columns[40:100].mean() > 150
    assert columns[-100:-40].mean() < 20


def test_first_and_last_slice_are_among_those_shown(tmp_path: Path) -> None:
    array = np.zeros((16, 16, 40), np.int16)
    array[..., 0] = array[..., -1] = 1000
    figure = look.slices(tree_of(tmp_path, array, np.eye(4)))
    shown, step = jpeg_of(figure.uri), look.TILE + picture.GAP
    assert shown[40:120, 40:120].mean() > 200
    assert shown[3 * step + 40 : 3 * step + 120, 5 * step + 40 : 5 * step + 120].mean() > 200
    assert "24 of 40 slices" in figure.caption


@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (30, 20, 1), (30, 20), (5, 1, 9), (12, 10, 3, 5), (8, 8, 2, 3, 2), (300, 3, 2)]
)
@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.uint8])
def test_an_image_of_any_shape_can_be_shown(tmp_path: Path, shape: tuple[int, ...], dtype: type) -> None:
    array = np.random.default_rng(0).integers(0, 200, shape).astype(dtype)
    seen = tree_of(tmp_path, array, np.eye(4))
    for figure in (look.slices(seen), look.planes(seen), look.volumes(seen)):
        if figure is not None:
            assert jpeg_of(figure.uri).shape == figure.size[::-1]


def test_an_rgb_image_is_shown_in_grey(tmp_path: Path) -> None:
    colours = np.zeros((8, 8, 2), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    colours["G"][:4] = 255
    seen = tree_of(tmp_path, colours, np.eye(4))
    assert seen.volumes[0, 0, 0, 0] > 100
    assert seen.volumes[7, 0, 0, 0] == 0


def test_a_negative_slope_does_not_turn_black_to_white(tmp_path: Path) -> None:
    tree = TreeMaker(tmp_path)
    array = np.arange(64, dtype=np.int16).reshape(4, 4, 4)
    tree.image("01", "T2w", {"sequence": "T2w"}, array=array, scale=(-1.0, 100.0))
    tree.finish()
    seen = look.load(tmp_path, read_population(tmp_path)[0])
    assert seen.volumes[0, 0, 0, 0] > seen.volumes[3, 3, 3, 0]


def test_a_damaged_image_is_said_in_one_sentence(tmp_path: Path) -> None:
    root = small_trial(tmp_path / "bids")
    image = read_population(root)[0]
    whole = (root / image.path).read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"no gzip at all", whole[:-9] + b"\0" * 9):
        (root / image.path).write_bytes(damaged)
        with pytest.raises(UsageError, match="cannot be read as NIfTI"):
            look.load(root, image)


class Links(HTMLParser):
    """All that a page would load, and its texts."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.alts: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        self.sources += [v or "" for n, v in attrs if n in ("src", "href", "srcset", "data", "action")]
        if tag == "img":
            self.alts.append(given.get("alt") or "")
        if given.get("id"):
            self.ids.append(given["id"] or "")


@pytest.fixture(scope="module")
def drawn_page(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Draw]:
    work = tmp_path_factory.mktemp("work")
    root = small_trial(work / "bids")
    images = read_population(root)
    (work / "plan.tsv").write_text("stack_id\tbids_path\tfinal_decision\n")
    draw = draw_sample(work, images, Size(n=12), 1)
    return sheet(draw, make_cards(draw, images, root, Silent()), "small", len(images)), draw


def test_the_page_needs_nothing_but_itself(drawn_page: tuple[str, Draw]) -> None:
    text, draw = drawn_page
    links = Links()
    links.feed(text)
    assert all(source.startswith(("data:image/jpeg;base64,", "#i")) for source in links.sources)
    assert {s[1:] for s in links.sources if s.startswith("#")} <= set(links.ids)
    assert not {"script", "link", "iframe", "object"} & set(links.tags)
    assert all(links.alts)
    assert links.tags.count("article") == 12
    assert "http" not in text.replace("http-equiv", "")
    assert len(re.findall(r"@import|url\(", text)) == 0
    for position, image in enumerate(draw.images, start=2):
        assert f"line {position} of verdicts.tsv" in text
        assert image.path in text


def test_the_strip_shows_the_phases_of_the_scan(drawn_page: tuple[str, Draw]) -> None:
    text, draw = drawn_page
    dynamic = sum(image.sequence == "DCE" for image in draw.images)
    assert dynamic >= 2
    assert text.count("this image is framed.</figcaption>") == dynamic
    assert text.count("The middle slice of all 3 volumes") == 2 * sum(i.sequence == "trace" for i in draw.images)


def test_whatever_stands_in_the_tree_is_escaped() -> None:
    image = released(1, site='<b>"S01"</b>', words={**Record(sequence="T2w").to_row(), "bodypart": "<i>x</i>"})
    judgement = Judgement("warn", (("G05", "warning", "<script>alert(1)</script>"),), (("<snr>", 1.0),))
    figure = look.Figure("data:image/jpeg;base64,", (1, 1), 'a "quoted" caption')
    text = sheet(Draw(1, 1, {}, (drawn(1),)), [Card(image, judgement, (figure,))], "<u>trial</u>", 1)
    links = Links()
    links.feed(text)
    assert not {"script", "i", "u", "snr"} & set(links.tags)
    assert links.alts == ['T2w: a "quoted" caption']


def test_a_large_noisy_image_stays_small_on_the_page(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 4000, (256, 256, 30)).astype(np.int16)
    seen = tree_of(tmp_path, array, np.diag([-0.9, 0.9, 4.0, 1]))
    figures = [look.slices(seen), look.planes(seen)]
    assert sum(len(figure.uri) for figure in figures if figure is not None) < 150_000
