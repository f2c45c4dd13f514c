"""Protocols as files: what is shipped, what contradicts itself, and that writing and reading is one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialbids.mappings.parameters import PARAMETERS
from trialbids.mappings.protocol import BValues, Limit, Protocol, Range, Slot, Window
from trialbids.mappings.protocolfile import ProtocolError, load_protocol, protocol_names, protocol_yaml
from trialbids.mappings.record import Record

HEAD = "protocol: own\nsources: {paper: a paper}\nslots:\n  - slot: t2\n    match: {sequence: T2w}\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "own.yaml"
    path.write_text(text)
    return path


def test_the_shipped_protocols_are_those_that_the_page_names() -> None:
    assert protocol_names() == ("none", "orads-mri", "pi-rads-2.1", "pi-rads-2.1-biparametric")
    assert load_protocol("none").slots == ()


@pytest.mark.parametrize("name", protocol_names())
def test_every_figure_of_a_shipped_protocol_names_its_source(name: str) -> None:
    for slot in load_protocol(name).slots:
        assert all(limit.source for limit in slot.limits.values()), slot.slot
        assert slot.bvalues is None or slot.bvalues.source


def test_the_biparametric_variant_is_the_same_without_the_dynamic_scan() -> None:
    whole, variant = load_protocol("pi-rads-2.1"), load_protocol("pi-rads-2.1-biparametric")
    assert {s.slot for s in whole.slots} - {s.slot for s in variant.slots} == {"dce"}
    assert variant.slot("dwi") == whole.slot("dwi")


def test_a_file_overrides_what_it_is_based_on(tmp_path: Path) -> None:
    text = (
        "protocol: own\nbased_on: pi-rads-2.1\nwithout: [dce]\nslots:\n"
        "  - {slot: adc, optional: true, match: {sequence: ADC}}\n"
        "  - {slot: t1, match: {sequence: T1w}, limits: {te: {max: 20, unit: ms, source: primer}}}\n"
    )
    own, reference = load_protocol(written(tmp_path, text)), load_protocol("pi-rads-2.1")
    assert own.slot("dce") is None and not own.slots[[s.slot for s in own.slots].index("adc")].is_required
    assert own.slot("t1") is not None and own.slot("t2-ax") == reference.slot("t2-ax")
    assert own.protocol == "own" and own.bodyparts == reference.bodyparts


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (HEAD + "    limits:\n      te: {min: 90, max: 60, unit: ms}\n", 7, ("t2.limits.te.min", "above max 60")),
        (HEAD + "    limits:\n      te: {max: 0.09, unit: ms}\n", 7, ("0.09 ms", "0.2 to 2000", "another unit")),
        (HEAD + "    limits:\n      te: {max: 90, unit: s}\n", 7, ("te is stated in ms", "'s'")),
        (HEAD + "    limits:\n      duration:\n        unit: ms\n        min: 120\n", 8, ("stated in s",)),
        (HEAD + "    limits:\n      echo: {max: 90, unit: ms}\n", 7, ("'echo' is no parameter", "te, tr")),
        (HEAD + "    limits:\n      te: {unit: ms}\n", 7, ("has no figure",)),
        (HEAD + "    limits:\n      te: {max: '90', unit: ms}\n", 7, ("limits.te.max", "a number")),
        (
            HEAD + "    limits:\n      te: {unit: ms, vendors: {acme: {max: 9}}}\n",
            7,
            ("'acme' is no vendor", "siemens"),
        ),
        (HEAD + "    limits:\n      te: {max: 90, unit: ms, source: hearsay}\n", 7, ("'hearsay'", "paper, ours")),
        (HEAD + "    required: true\n    optional: true\n", 7, ("required and optional at once",)),
        (HEAD + "    pick: [prettiest]\n", 6, ("'prettiest'", "slices")),
        (HEAD + "  - slot: t2\n    match: {sequence: ADC}\n", 6, ("stands twice",)),
        (HEAD + "  - slot: any\n    any_of: [t2, t9]\n", 7, ("'t9'", "there are: t2")),
        (HEAD + "    required: true\n  - slot: any\n    any_of: [t2]\n", 8, ("'t2'", "required by itself")),
        (HEAD + "  - slot: any\n", 6, ("expected match",)),
        (HEAD + "    any_of: [t2]\n", 6, ("any_of and a match",)),
        (HEAD.replace("T2w", "T2"), 5, ("'T2' is not in the vocabulary", "T2w")),
        (HEAD.replace("{sequence: T2w}", '"age > 3"'), 5, ("no column 'age'",)),
        (HEAD + "    bvalues: {unit: s/mm2, windows: [{min: 900, max: 800}]}\n", 6, ("above max 800",)),
        (HEAD + "    bvalues: {unit: s/m2, windows: [{min: 800}]}\n", 6, ("stated in s/mm2",)),
        (HEAD + "    bvalues: {unit: s/mm2, windows: [{min: 0.8}]}\n", 6, ("no b-value in s/mm2",)),
        (HEAD + "    colour: red\n", 6, ("colour", "unknown key")),
        (HEAD + "    slot: t2\n", 6, ("stands twice",)),
        (HEAD + "bodyparts: [toe]\n", 6, ("'toe' is no body part",)),
        ("protocol: own\nbased_on: pi-rads\n", 2, ("'pi-rads' is no protocol", "pi-rads-2.1")),
        ("protocol: own\nbased_on: pi-rads-2.1\nwithout: [t2-sag]\n", 2, ("'t2-sag', which there is not",)),
        (
            "protocol: own\nbased_on: pi-rads-2.1\nwithout: [dce, zzz]\n",
            3,
            ("'zzz' is no slot of pi-rads-2.1", "t2-ax"),
        ),
        (HEAD + "without: [t2]\n", 6, ("without: belongs to a file that is based_on",)),
        (HEAD + "variants:\n  a:\n    without: [zz]\n", 8, ("variants.a.without: 'zz' is no slot of own",)),
        ("protocol: own\nbased_on: pi-rads-2.1\nvariants: {a: {without: [dce]}}\n", 3, ("variants: a file that is",)),
        ("protocol: own\n[a, b]: 3\n", 2, ("a key is a list or a map; expected a word",)),
        ("protocol: own\n? {a: b}\n: 3\n", 2, ("a key is a list or a map; expected a word",)),
        (HEAD.replace("{sequence", "{[a]: b, sequence"), 5, ("a key is a list or a map",)),
        ("protocol: own\nversion: " + "9" * 5000 + "\n", 2, ("looks like a int but is none that can be used",)),
        (HEAD + "    limits:\n      te: {min: " + "9" * 400 + ", unit: ms}\n", 7, ("te.min: expected a number",)),
        (HEAD + "    limits:\n      te: {min: " + "9" * 5000 + ", unit: ms}\n", 7, ("looks like a int",)),
        (HEAD.replace("{sequence: T2w}", "{echo_index: 1e999}"), 5, ("echo_index='1e999' must be a number",)),
        ("protocol: own\nmeaning: \x00\n", 2, ("a control character",)),
        ("protocol: own\nslots: {a: b}\n", 2, ("slots: expected a list",)),
        ("protocol: [\n", 2, ("no YAML",)),
        ("- a\n", 1, ("expected keys and values",)),
    ],
)
def test_a_contradiction_is_one_sentence_with_its_line(
    tmp_path: Path, text: str, line: int, words: tuple[str, ...]
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ProtocolError) as caught:
        load_protocol(path)
    sentence = str(caught.value)
    assert sentence.startswith(f"{path}: line {line}:") and "\n" not in sentence
    for word in words:
        assert word in sentence


def test_a_protocol_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(ProtocolError, match="'prostate' is no protocol; expected none, orads-mri"):
        load_protocol("prostate")


def test_a_slot_matches_by_attributes_or_by_a_condition() -> None:
    sagittal = Record(sequence="T2w", plane="sag", technique="tse")
    by_words = Slot(slot="a", match={"sequence": ("T2w",), "plane": ("sag", "cor")})
    by_text = Slot(slot="b", match="has(T2w, sag) and technique != 'haste'")
    for slot in (by_words, by_text):
        assert slot.matches(sagittal) is True
        assert slot.matches(sagittal.but(plane="ax")) is False
    assert by_text.matches(sagittal.but(technique="haste")) is False
    assert by_text.matches(sagittal.but(technique="unknown")) is None


def test_a_vendor_has_its_own_range() -> None:
    limit = Limit(min=80, max=120, unit="ms", vendors={"ge": Range(max=70)})
    assert limit.range_for("ge").words() == "at most 70"
    assert limit.range_for("siemens").words() == "80 to 120"


def ranges(name: str) -> st.SearchStrategy[Limit]:
    parameter = PARAMETERS[name]
    figure = (
        st.floats(parameter.least, parameter.most)
        .map(lambda x: float(f"{x:.5g}"))
        .filter(lambda x: parameter.least <= x <= parameter.most)
    )
    bounds = st.tuples(figure, figure).map(sorted)
    tolerance = st.none() | st.integers(0, 50).map(lambda n: n / 100)
    return st.builds(
        lambda b, t: Limit(min=b[0], max=b[1], unit=parameter.unit, tolerance=t, source="ours"), bounds, tolerance
    )


limits = st.dictionaries(st.sampled_from(sorted(PARAMETERS)), st.none(), max_size=4).flatmap(
    lambda names: st.fixed_dictionaries({name: ranges(name) for name in names})
)


@settings(max_examples=40, deadline=None)
@given(limits, st.booleans(), st.lists(st.integers(0, 3000), min_size=1, max_size=3))
def test_a_protocol_that_is_written_is_read_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, given: dict[str, Limit], required: bool, bs: list[int]
) -> None:
    windows = tuple(Window(min=float(b), required=required) for b in bs)
    slot = Slot(
        slot="a", match={"sequence": ("DWI", "trace")}, required=required, limits=given,
        bvalues=BValues(unit="s/mm2", windows=windows),
    )  # fmt: skip
    protocol = Protocol(protocol="law", bodyparts=("prostate",), slots=(slot,))
    path = tmp_path_factory.mktemp("law") / "law.yaml"
    path.write_text(protocol_yaml(protocol), encoding="utf-8")
    assert load_protocol(path) == protocol


@pytest.mark.parametrize("name", protocol_names())
def test_a_shipped_protocol_is_written_and_read_back(tmp_path: Path, name: str) -> None:
    assert load_protocol(written(tmp_path, protocol_yaml(load_protocol(name)))) == load_protocol(name)


def test_the_example_of_the_page_is_a_protocol(tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs" / "protocols.md").read_text(encoding="utf-8")
    example = load_protocol(written(tmp_path, page.split("```yaml\n")[2].split("```")[0]))
    slot = example.slot("t2-sag")
    assert slot is not None and slot.limits["te"].range_for("ge").words() == "75 to 110"
    assert example.slot("t1-arterial") is None and example.slot("dwi") is not None


def test_the_page_names_every_parameter() -> None:
    page = (Path(__file__).parents[1] / "docs" / "protocols.md").read_text(encoding="utf-8")
    assert [name for name in PARAMETERS if f"`{name}`" not in page] == []


def test_a_figure_is_compared_without_a_model_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    ranged, window = Range(min=2.0, max=4.0), Window(min=800.0, max=1000.0)
    monkeypatch.setattr(Range, "allowed", lambda *_: pytest.fail("a model was built"))
    monkeypatch.setattr(Window, "allowed", lambda *_: pytest.fail("a model was built"))
    assert [ranged.holds(x, x, 0.05, 0.0) for x in (1.89, 1.9, 4.2, 4.21)] == [False, True, True, False]
    assert ranged.holds(1.8, 4.3, 0.05, 0.3) and not ranged.holds(1.8, 4.4, 0.05, 0.3)
    assert [window.holds(b) for b in (759, 760, 1050, 1051)] == [False, True, True, False]
