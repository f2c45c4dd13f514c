"""The diagram: the same flow gives the same bytes, and every text stands in it, whatever it holds."""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree

from PIL import Image

from trialbids.exporter.select.drawing import CRITICAL, bare_png, png_chunks, width_of, wrapped
from trialbids.exporter.select.flow import BEFORE, CRITERION, NOT_NEEDED, PLANNED, Flow, Item, Step, count_flow
from trialbids.exporter.select.flowchart import WIDTH, flowchart

SVG = "{http://www.w3.org/2000/svg}"


def flow_of(n: int, sentence: str = "Criterion number", sites: int = 3) -> Flow:
    """A flow of ``n`` criteria, each of which takes out one subject."""
    chosen = [Step(f"criterion-c{k}", CRITERION, f"{sentence} {k}", "subject", "exclude") for k in range(n)]
    items = [
        Item(f"P{k}", "V1", f"S{k % sites}", (f"u{k}",), f"s{k}", f"criterion-c{k}" if k < n else "", untold=k == 1)
        for k in range(n + sites)
    ]
    items.append(Item("P0", "V1", "S0", ("u",), "loc", NOT_NEEDED.id, "not-needed"))
    return count_flow(items, (*BEFORE, *chosen, PLANNED), {"not-needed": "localizers are not needed"}, 2)


def texts(svg: bytes) -> list[str]:
    return [e.text or "" for e in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_the_same_flow_gives_the_same_bytes() -> None:
    flow = flow_of(2)
    assert flowchart(flow, "a trial").to_svg() == flowchart(flow, "a trial").to_svg()
    assert flowchart(flow, "a trial").to_png() == flowchart(flow, "a trial").to_png()


def test_every_step_stands_in_the_diagram_with_its_numbers() -> None:
    said = texts(flowchart(flow_of(20), "a trial").to_svg())
    for k in range(20):
        assert f"Criterion number {k}" in said
        assert f"{22 - k} subjects, {22 - k} sessions, {22 - k} series, {22 - k} stacks" in said
    assert "1 stack: localizers are not needed" in said
    assert "of these could not be told: 1 subject, 1 session, 1 series, 1 stack" in said
    assert "2 subjects of the clinical tables without images" in said
    assert "Not images" not in said  # nothing left there


def test_the_picture_is_as_large_as_the_page_and_holds_the_image_alone() -> None:
    page = flowchart(flow_of(3), "a trial")
    data = page.to_png()
    assert {name for name, _ in png_chunks(data)} <= set(CRITICAL)
    with Image.open(io.BytesIO(data)) as picture:
        assert abs(picture.width / picture.height - page.width / page.height) < 0.01
        assert min(picture.convert("L").tobytes()) < 60  # there is ink on it
        assert not picture.info


def test_what_a_sentence_holds_is_text_and_nothing_else() -> None:
    odd = '<script>&amp; $x^2$ "quotes" ]]> Größe ≥ 3 mm 画像'
    page = flowchart(flow_of(1, odd), "a & b <c>")
    page.to_png()
    said = texts(page.to_svg())
    assert f"{odd} 0" in said
    assert "a & b <c>" in said
    assert b"<script" not in page.to_svg()


def test_no_line_is_wider_than_its_box() -> None:
    sentence = "Wide words " * 12 + "W" * 90
    page = flowchart(flow_of(1, sentence), "a trial")
    for place, size, text in re.findall(
        r'<text x="([\d.]+)" y="[\d.]+" font-size="([\d.]+)"[^>]*>([^<]*)<', page.to_svg().decode()
    ):
        if "Wide" in text or "WW" in text:
            assert float(place) + width_of(text, float(size)) <= WIDTH
    assert "".join(wrapped(sentence, 200, 9)).replace(" ", "") == sentence.replace(" ", "")


def test_many_sites_stand_in_a_table_of_several_parts() -> None:
    said = texts(flowchart(flow_of(2, sites=40), "a trial").to_svg())
    assert {f"S{k}" for k in range(40)} <= set(said)
    assert said.count("Subjects that remain, by site") > 1


def test_a_picture_without_its_end_is_none() -> None:
    data = flowchart(flow_of(1), "").to_png()
    assert bare_png(data) == data
    for wrong in (b"GIF89a", data[:-4], data + b"more"):
        try:
            list(png_chunks(wrong))
        except ValueError:
            continue
        raise AssertionError("taken for a PNG")
