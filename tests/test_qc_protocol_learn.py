"""Protocols read from data, compared with a reference, and exchanged with dicompare; the commands around them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from protocolmaker import changed, plan, prostate
from typer.testing import CliRunner

from trialbids.exporter.cli_protocol import protocol as commands
from trialbids.exporter.errors import UsageError
from trialbids.exporter.qc.protocol.check import check_protocol
from trialbids.exporter.qc.protocol.compare import compare
from trialbids.exporter.qc.protocol.dicompare import FIELDS, import_schema, read_schema
from trialbids.exporter.qc.protocol.dicompareout import export_schema
from trialbids.exporter.qc.protocol.learn import learn
from trialbids.exporter.trial import load_trial
from trialbids.mappings.parameters import PARAMETERS
from trialbids.mappings.protocol import Limit, Protocol, Range, Slot
from trialbids.mappings.protocolfile import load_protocol, protocol_names, protocol_yaml

REFERENCE = load_protocol("pi-rads-2.1")


def test_a_learned_protocol_says_what_was_scanned_by_vendor(tmp_path: Path) -> None:
    trial = [prostate(n, "siemens") for n in range(3)] + [prostate(n, "ge") for n in (3, 4)]
    trial[3]["t2-ax"] = changed(trial[3]["t2-ax"], EchoTime=110.0)
    learned = learn(plan(trial))
    slot = learned.slot("t2w-tse-ax-2d")
    assert slot is not None and slot.is_required
    te = slot.limits["te"]
    assert (te.min, te.max, te.n) == (100.0, 110.0, 5)
    assert te.vendors["ge"] == Range(min=100.0, max=110.0, n=2, source="learned")
    assert te.vendors["siemens"].max == 100.0
    path = tmp_path / "learned.yaml"
    path.write_text(protocol_yaml(learned))
    assert load_protocol(path) == learned


def test_what_a_protocol_was_learned_from_keeps_it() -> None:
    planned = plan([prostate(n, vendor) for n, vendor in enumerate(("siemens", "ge", "philips"))])
    assert check_protocol(planned, learn(planned)) == ()


def test_a_learned_protocol_is_compared_with_the_reference() -> None:
    trial = [prostate(n, "siemens") for n in range(3)] + [prostate(n, "ge") for n in (3, 4)]
    trial[3]["dwi"] = changed(trial[3]["dwi"], EchoTime=120.0)
    trial[4]["dwi"] = changed(trial[4]["dwi"], EchoTime=120.0)
    rows = compare(learn(plan(trial)), REFERENCE)
    verdicts = {(r.slot, r.vendor, r.parameter): r.verdict for r in rows}
    assert verdicts["dwi", "siemens", "te"] == "within"
    assert verdicts["dwi", "ge", "te"] == "outside"
    assert verdicts["t2-orthogonal", "all", "present"] == "within"
    assert verdicts["t2-cor", "all", "present"] == "missing"
    assert {r.verdict for r in rows if r.slot == "dce" and r.parameter == "duration"} == {"within"}


def limits() -> st.SearchStrategy[dict[str, Limit]]:
    def of(name: str) -> st.SearchStrategy[Limit]:
        parameter = PARAMETERS[name]
        low, high = max(parameter.least, 1.0), min(parameter.most, 5000.0)
        figures = st.tuples(*[st.floats(low, high).map(lambda x: min(max(round(x, 2), low), high))] * 2).map(sorted)
        share = st.none() | st.sampled_from((0.0, 0.05, 0.1))
        own = st.dictionaries(st.sampled_from(("siemens", "ge")), figures.map(lambda b: Range(min=b[0], max=b[1])))
        return st.builds(
            lambda b, t, v: Limit(min=b[0], max=b[1], unit=parameter.unit, tolerance=t, source="paper", vendors=v),
            figures, share, own,
        )  # fmt: skip

    names = st.lists(st.sampled_from(sorted(FIELDS)), unique=True, max_size=4)
    return names.flatmap(lambda chosen: st.fixed_dictionaries({name: of(name) for name in chosen}))


@settings(max_examples=60, deadline=None)
@given(limits(), st.booleans())
def test_what_dicompare_can_say_comes_back_as_it_went(given: dict[str, Limit], required: bool) -> None:
    slot = Slot(
        slot="t2-sag", meaning="T2", match={"sequence": ("T2w",), "plane": ("sag",)}, required=required or None,
        limits=given, pick=("last",), source="paper",
    )  # fmt: skip
    sources = {"paper": "a paper"} if given else {}
    slot = slot if given else slot.model_copy(update={"source": ""})
    protocol = Protocol(protocol="law", meaning="a law", version="2", sources=sources, slots=(slot,))
    schema = json.loads(json.dumps(export_schema(protocol).schema))
    assert import_schema(schema).protocol == protocol
    assert export_schema(import_schema(schema).protocol).schema == schema


@pytest.mark.parametrize("name", protocol_names())
def test_what_a_schema_cannot_say_is_listed(name: str) -> None:
    protocol = load_protocol(name)
    made = export_schema(protocol)
    said = " ".join(made.unexpressed)
    for slot in protocol.slots:
        for parameter in slot.limits:
            there = any(
                f["field"] == FIELDS.get(parameter, ("",))[0]
                for f in made.schema["acquisitions"].get(slot.slot, {}).get("fields", ())
            )
            assert there or f"{slot.slot}: the limit of {parameter}," in said
        assert slot.slot in made.schema["acquisitions"] or slot.slot in said


SCHEMA: dict[str, Any] = {
    "name": "Spine Study",
    "version": "r1",
    "acquisitions": {
        "T1w_3D": {
            "description": "3D T1-weighted",
            "fields": [
                {"field": "MRAcquisitionType", "value": "3D"},
                {"field": "FlipAngle", "value": 9, "tolerance": 1},
                {"field": "EchoTime", "min": 2, "max": 4, "errorMin": 1.8, "errorMax": 4.4},
                {"field": "SliceThickness", "value": 1.0, "severity": "warning"},
                {"field": "RepetitionTime", "value": 0.2},
                {"field": "BaseResolution", "value": 320},
            ],
            "series": [
                {
                    "name": "GE",
                    "fields": [
                        {"field": "Manufacturer", "value": "GE"},
                        {"field": "RepetitionTime", "value": 2507, "tolerance": 500},
                    ],
                },
            ],
            "rules": [{"id": "isotropic", "name": "x", "implementation": "raise SystemExit", "fields": []}],
        },
        "mystery": {"fields": [{"field": "BaseResolution", "value": 3}]},
    },
}


def test_a_schema_of_dicompares_library_becomes_a_protocol(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(SCHEMA))
    made = import_schema(read_schema(path))
    (slot,) = made.protocol.slots
    assert (made.protocol.protocol, made.protocol.version, slot.slot) == ("spine-study", "r1", "t1w-3d")
    assert slot.match == {"sequence": ("T1w",), "dim": ("3d",)} and slot.is_required
    assert (slot.limits["flip"].min, slot.limits["flip"].max) == (8.0, 10.0)
    assert (slot.limits["te"].max, slot.limits["te"].tolerance) == (4.0, 0.1)
    assert slot.limits["tr"].vendors["ge"].words() == "2007 to 3007"
    said = " | ".join(made.unexpressed)
    for word in ("SliceThickness is for information", "in ms", "BaseResolution", "isotropic", "mystery"):
        assert word in said
    assert "thickness" not in slot.limits


FIELD = '{"acquisitions": {"a": {"fields":\n [{"field": "EchoTime", "min": %s}]}}}'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"name": "a",\n "acquisitions": }', ("line 2", "no JSON")),
        ("[]", ("line 1", "the file", "expected keys and values")),
        ('{"acquisitions":\n {"a": {"fields": [{"value": 3}]}}}', ("line 2", "a.fields.0.field", "is missing")),
        (FIELD % '"x"', ("line 2", "acquisitions.a.fields.0.min", "expected a valid number")),
        ('{"acquisitions": {"a":\n {"rules": 5}}}', ("line 2", "acquisitions.a.rules", "expected a list")),
        ('{"acquisitions": {"a":\n {"tags": 5}}}', ("line 2", "acquisitions.a.tags", "expected a list")),
        ('{"acquisitions": {"a":\n {"tags": [5]}}}', ("line 2", "acquisitions.a.tags.0", "expected a text")),
        ('{"acquisitions": {"a":\n {"series": {"b": 5}}}}', ("line 2", "acquisitions.a.series", "expected a list")),
        ('{"acquisitions": [1]}', ("line 1", "acquisitions", "expected keys and values")),
        (FIELD % ("1" + "0" * 400), ("line 2", "fields.0.min", "not infinite")),
        (FIELD % ("9" * 5000), ("line 2", "fields.0.min", "not infinite")),
        (FIELD % "NaN", ("line 2", "fields.0.min", "not infinite")),
        ('{"acquisitions": {},\n "acquisitions": {}}', ("line 2", "'acquisitions'", "stands twice")),
        ("[" * 100_000, ("nested too deep",)),
    ],
)
def test_a_schema_that_is_none_is_one_sentence(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    path = tmp_path / "schema.json"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_schema(path)
    assert str(caught.value).startswith(str(path)) and all(word in str(caught.value) for word in words)
    assert len(str(caught.value)) < 400 and "\n" not in str(caught.value)


def test_figures_that_are_no_numbers_are_listed_and_lost_to_nobody(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_text('{"acquisitions": {"t2 tse tra": {"fields": [{"field": "EchoTime", "value": 1%s}]}}}' % ("0" * 400))
    assert "EchoTime is not compared as a number" in " ".join(import_schema(read_schema(path)).unexpressed)


def test_the_commands_show_compare_and_exchange(tmp_path: Path) -> None:
    run = CliRunner()
    shown = run.invoke(commands, ["show", "pi-rads-2.1-biparametric"])
    own = tmp_path / "own.yaml"
    own.write_text(shown.output)
    assert load_protocol(own) == load_protocol("pi-rads-2.1-biparametric")
    given_out = run.invoke(commands, ["export", str(own), "--to", str(tmp_path / "own.json")])
    assert given_out.exit_code == 0 and "not expressed" in given_out.output
    brought = run.invoke(commands, ["import", str(tmp_path / "own.json"), "--to", str(tmp_path / "back.yaml")])
    assert brought.exit_code == 0 and load_protocol(tmp_path / "back.yaml").slot("dwi") is not None
    compared = run.invoke(commands, ["compare", str(own), "pi-rads-2.1"])
    assert compared.exit_code == 0 and "dce\t\tall\tpresent\trequired\t\t\tmissing" in compared.output
    again = run.invoke(commands, ["export", str(own), "--to", str(tmp_path / "own.json")])
    assert isinstance(again.exception, UsageError) and "is there already" in str(again.exception)


@pytest.mark.parametrize(("protocol", "word"), [("pi-rads-2.1", "pi-rads-2.1"), ("own.yaml", "own"), ("none", "none")])
def test_a_trial_names_its_protocol(tmp_path: Path, protocol: str, word: str) -> None:
    (tmp_path / "own.yaml").write_text("protocol: own\n")
    (tmp_path / "trial.yaml").write_text(f"sources: [dicom]\noutput: bids\nprotocol: {protocol}\n")
    trial = load_trial(tmp_path / "trial.yaml")
    assert trial.protocol_word == word
    assert trial.protocol == (str(tmp_path / "own.yaml") if word == "own" else word)


@pytest.mark.parametrize("protocol", ["pi-rads", "7", "there-is-none.yaml", "~nosuchuser/own.yaml"])
def test_a_protocol_that_is_not_there_is_named_with_its_line(tmp_path: Path, protocol: str) -> None:
    (tmp_path / "trial.yaml").write_text(f"sources: [dicom]\noutput: bids\nprotocol: {protocol}\n")
    with pytest.raises(UsageError, match=r"line 3: protocol: "):
        load_trial(tmp_path / "trial.yaml")
