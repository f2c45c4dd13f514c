"""What the sample says of the release: by stratum, weighted, over several inspections, and after repairs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import pytest
from test_qc_inspection_draw import released
from test_qc_inspection_verdicts import drawn

from trialbids.exporter.qc.inspection.bounds import at_most
from trialbids.exporter.qc.inspection.draw import Draw
from trialbids.exporter.qc.inspection.estimate import Inspection, estimate, sentences
from trialbids.exporter.qc.inspection.judged import judged_wrong, standing
from trialbids.exporter.qc.inspection.verdicts import Verdict
from trialbids.exporter.qc.names import ASPECTS

KEY = ("S01", "T2w")


def draw_from(number: int, tree: Iterable[int], images: Iterable[int]) -> Draw:
    """A draw of so many of a tree of one stratum."""
    return Draw(number, 1, {KEY: frozenset(drawn(n).state for n in tree)}, tuple(drawn(n) for n in images))


def said(images: Iterable[int], wrong: Iterable[int] = (), word: str = "wrong") -> dict[str, Verdict]:
    right = {drawn(n).path: Verdict(drawn(n).path, dict.fromkeys(ASPECTS, "right")) for n in images}
    paths = [drawn(n).path for n in wrong]
    return right | {p: Verdict(p, dict.fromkeys(ASPECTS, "right") | {"artefact": word}) for p in paths}


def result(draws: Iterable[Draw], taken: Mapping[int, Mapping[str, Verdict]]) -> Inspection:
    found = estimate({draw.number: draw for draw in draws}, taken)
    assert found is not None
    return found


def test_nothing_wrong_in_sixty_means_less_than_three_in_sixty() -> None:
    found = result([draw_from(1, range(3000), range(60))], {1: said(range(60))})
    assert found.sample.at_most == pytest.approx(at_most(0, 60))
    assert 0.048 < found.at_most < 3 / 60
    assert (found.rate, found.images, found.unread) == (0.0, 3000, 0)
    assert any("60 of 3,000 images" in s and "none" in s for s in sentences(found))


def test_what_a_reader_is_unsure_of_is_wrong_for_the_bound_alone() -> None:
    found = result([draw_from(1, range(500), range(50))], {1: said(range(50), [0, 1], "unsure")})
    assert (found.sample.wrong, found.sample.unsure, found.rate) == (0, 2, 0.0)
    assert found.sample.at_most == pytest.approx(at_most(2, 50))


def test_a_small_stratum_is_bounded_by_what_was_seen_in_it() -> None:
    found = result([draw_from(1, range(3), range(2))], {1: said(range(2))})
    assert found.strata[0].share.at_most == pytest.approx(1 / 3)
    assert found.strata[0].share.high == pytest.approx(1 / 3)
    whole = result([draw_from(1, range(3), range(3))], {1: said(range(3), [0])})
    assert (whole.rate, whole.at_most) == (pytest.approx(1 / 3), pytest.approx(1 / 3))


def test_strata_count_by_their_size() -> None:
    big, small = [drawn(n) for n in range(100)], [drawn(n) for n in range(900, 910)]
    other = ("S02", "ADC")
    moved = [type(d)(d.path, *other, d.state, d.stack_id, d.bases) for d in small]
    strata = {KEY: frozenset(d.state for d in big), other: frozenset(d.state for d in moved)}
    draw = Draw(1, 1, strata, (*big[:10], *moved[:10]))
    found = result([draw], {1: said(range(10)) | said([], range(900, 910))})
    assert found.sample.rate == 0.5
    assert found.rate == pytest.approx(10 / 110)
    assert {(p.site, p.sequence): p.share.wrong for p in found.strata} == {KEY: 0, other: 10}


def test_strata_of_which_none_was_looked_at_are_not_covered() -> None:
    strata = {KEY: frozenset(drawn(n).state for n in range(40)), ("S02", "ADC"): frozenset({"a", "b"})}
    found = result([Draw(1, 1, strata, (drawn(0), drawn(1)))], {1: said(range(2))})
    assert (found.images, found.covered) == (42, 40)


def test_two_samples_of_an_unchanged_tree_are_one() -> None:
    draws = [draw_from(1, range(1000), range(60)), draw_from(2, range(1000), range(60, 120))]
    found = result(draws, {1: said(range(60)), 2: said(range(60, 120))})
    assert (found.sample.n, found.inspections) == (120, 2)
    assert found.at_most < 3 / 120


def test_what_was_judged_wrong_and_taken_out_still_counts() -> None:
    draws = [draw_from(1, range(100), range(50)), draw_from(2, range(5, 100), range(50, 60))]
    found = result(draws, {1: said(range(50), range(5)), 2: said(range(50, 60))})
    assert (found.sample.n, found.sample.wrong) == (60, 5)
    assert found.images == 100


def test_where_a_stratum_was_repaired_its_new_sample_speaks_for_what_nobody_judged() -> None:
    """Of 100 five of the first 50 were wrong and were repaired: 45 are known, a sample tells of the other 55."""
    now = [*range(5, 100), *range(500, 505)]
    draws = [draw_from(1, range(100), range(50)), draw_from(2, now, [*range(500, 505), *range(50, 55)])]
    found = result(draws, {1: said(range(50), range(5)), 2: said([*range(500, 505), *range(50, 55)])})
    (part,) = found.strata
    assert (part.images, part.known, part.known_wrong, part.share.n) == (100, 45, 0, 10)
    assert found.at_most == pytest.approx(min(45, 55 * at_most(0, 10)) / 100)


def test_a_draw_that_nobody_has_read_says_nothing() -> None:
    draws = {1: draw_from(1, range(10), range(5))}
    assert estimate(draws, {1: {}}) is None
    both = [draws[1], draw_from(2, range(10), range(5, 8))]
    assert result(both, {1: said(range(5)), 2: {}}).unread == 0


def test_a_half_read_sample_says_how_much_is_left() -> None:
    found = result([draw_from(1, range(100), range(20))], {1: said(range(12))})
    assert (found.sample.n, found.unread) == (12, 8)


def test_the_result_for_the_release_is_counts_and_closed_words() -> None:
    found = result([draw_from(1, range(100), range(20))], {1: said(range(20), [3])})
    content = json.loads(json.dumps(found.to_json()))
    assert content["schema"] == "trialbids-inspection/1"
    assert content["strata"][0]["site"] == "S01"
    assert content["aspects"]["artefact"]["wrong"] == 1
    assert content["aspects"]["label"]["wrong"] == 0
    text = json.dumps(content)
    assert "sub-" not in text
    assert "stack" not in text


def test_a_wrong_image_is_an_error_of_its_stack_until_it_is_another_one() -> None:
    draws = {1: draw_from(1, range(9), range(3))}
    taken = {1: said(range(3), [1])}
    (wrong,) = judged_wrong(draws, taken)
    finding = wrong.finding()
    assert (finding.check, finding.severity, finding.stacks) == ("M04", "error", ("stack1",))
    image = released(1)
    assert standing([finding], image.voxels_sha256, image.affine, image.words) == (finding,)
    assert standing([finding], "f" * 64, image.affine, image.words) == ()
    renamed = {**image.words, "plane": "cor"}
    assert standing([finding], image.voxels_sha256, image.affine, renamed) == (finding,)


def test_a_wrong_label_is_repaired_by_another_label_and_a_wrong_orientation_by_another_affine() -> None:
    path = drawn(1).path
    words = {"label": "wrong", "orientation": "wrong", "completeness": "right", "artefact": "right"}
    found = judged_wrong({1: draw_from(1, range(3), [1])}, {1: {path: Verdict(path, words, "ADC")}})
    findings = [wrong.finding() for wrong in found]
    image = released(1)
    moved = (*image.affine[:3], 9.0, *image.affine[4:])
    still = standing(findings, image.voxels_sha256, image.affine, {**image.words, "sequence": "ADC"})
    assert [f.check for f in still] == ["M02"]
    assert [f.check for f in standing(findings, image.voxels_sha256, moved, image.words)] == ["M01"]
    assert len({f.id for f in findings}) == 2


def test_a_later_verdict_on_the_same_image_holds() -> None:
    draws = {1: draw_from(1, range(9), [1]), 2: draw_from(2, range(9), [1])}
    assert judged_wrong(draws, {1: said([], [1]), 2: said([1])}) == ()
    assert len(judged_wrong(draws, {1: said([1]), 2: said([], [1])})) == 1
