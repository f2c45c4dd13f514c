"""Rules as data: what the loader accepts and how it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from trialbids.exporter.harmonise.decide import decide
from trialbids.mappings.bodyparts import body_parts
from trialbids.mappings.conditions import RuleError
from trialbids.mappings.facts import Facts
from trialbids.mappings.rules import load_rules
from trialbids.mappings.vocabulary import vocabulary


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def rule(tmp_path: Path, when: str):
    """The condition of one rule, as a function of a mapping of fields."""
    text = f"- {{id: mine, reason: r, when: {when}, votes: {{sequence: T2w}}}}"
    (found,) = [r for r in load_rules([written(tmp_path, text)]).rules if r.id == "mine"]
    return lambda **fields: found.condition(lambda name: fields.get(name, ()))


def test_the_built_in_rules_load_with_unique_ids_and_reasons() -> None:
    rules = load_rules().rules
    assert len({r.id for r in rules}) == len(rules) > 200
    assert all(r.reason and r.weight > 0 and r.votes for r in rules)


def test_every_sequence_has_a_rule() -> None:
    voted = {value for r in load_rules().rules for name, value in r.votes if name == "sequence"}
    assert voted == set(vocabulary()["sequence"].values) - {"unknown"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- {id: a, reason: r, when: {tr: {min: 3}}, votes: {sequence: T2}}", "'T2' is not a value of sequence"),
        ("- {id: a, reason: r, when: {colour: red}, votes: {sequence: T2w}}", "unknown field 'colour'"),
        ("- {id: a, reason: r, when: {record.colour: red}, votes: {sequence: T2w}}", "unknown field 'record.colour'"),
        ("- {id: a, reason: r, when: {tr: {above: 3}}, votes: {sequence: T2w}}", "unknown operator 'above' of tr"),
        ("- {id: a, reason: r, when: {text: {match: '('}}, votes: {sequence: T2w}}", "no regular expression"),
        ("- {id: a, reason: r, when: {tr: {min: long}}, votes: {sequence: T2w}}", "'min' of tr cannot take 'long'"),
        ("- {id: a, reason: r, when: {plane: ax}, votes: {echo_index: 1}}", "cannot vote on 'echo_index'"),
        ("- {id: a, reason: r, when: {plane: ax}, votes: {dixon: fat}, wieght: 3}", "unknown key 'wieght'"),
        (
            "- {id: a, reason: r, when: {plane: ax}, votes: {dixon: fat}, weight: -1}",
            "'weight' must be a number above 0 and at most 1,000,000",
        ),
        ("- {id: a, reason: r, votes: {dixon: fat}}", "'when' is missing"),
        ("- {id: a, reason: r, when: {any: 3}, votes: {dixon: fat}}", "'any' takes a list"),
        (
            "- {id: a, reason: r, when: {plane: axial}, votes: {dixon: fat}}",
            "'axial' is no value of plane; it has ax, cor",
        ),
        (
            "- {id: a, reason: r, when: {record.technique: foo}, votes: {dixon: fat}}",
            "'foo' is no value of record.technique",
        ),
        ("- {id: a, reason: r, when: {text: {match: Serie_7B}}, votes: {dixon: fat}}", "has capitals, and text is"),
        ("- {id: a, reason: r, when: {plane: ax}, votes: {dixon: fat}, weight: .nan}", "'weight' must be a number"),
        ("- {id: a, reason: r, when: {tr: {min: .nan}}, votes: {dixon: fat}}", "'min' of tr cannot take nan"),
        ("- {id: a, reason: r, when: {description: {min: 3}}, votes: {dixon: fat}}", "and description holds words"),
        ("- {id: a, reason: r, when: {body_part: [[a]]}, votes: {dixon: fat}}", "body_part is compared with ['a']"),
        ("- {id: a, reason: r, when: {text: {match: '(a|a)*b$'}}, votes: {dixon: fat}}", "could take forever"),
        ("- {id: a, reason: r, when: {text: {match: '(aa?)*b'}}, votes: {dixon: fat}}", "could take forever"),
        ("- {id: a, reason: r, when: {text: {match: 'a*a*a*b'}}, votes: {dixon: fat}}", "could take forever"),
        ("- {id: a, reason: r, when: {text: {match: '((a{1,9}){1,9})'}}, votes: {dixon: fat}}", "could take forever"),
        (
            "- {id: a, reason: r, when: {text: {match: 'a{99999999999999}'}}, votes: {dixon: fat}}",
            "no regular expression",
        ),
        ("- {id: a, reason: r, when: {said: t4}, votes: {dixon: fat}}", "'t4' is no concept of lexicon.yaml"),
        ("- {id: a, reason: r, when: {said: {lacks: [t1, t4]}}, votes: {dixon: fat}}", "'t4' is no concept"),
    ],
)
def test_an_error_names_file_line_and_rule(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(RuleError) as caught:
        load_rules([written(tmp_path, "# comment\n" + text)])
    assert str(caught.value).startswith("site.yaml, line 2, rule a: ")
    assert said in str(caught.value)


def test_a_file_that_is_no_list_or_no_yaml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match=r"site\.yaml: a rule file is a list"):
        load_rules([written(tmp_path, "id: a")])
    with pytest.raises(RuleError, match=r"site\.yaml: not valid YAML"):
        load_rules([written(tmp_path, "- {id: [")])
    with pytest.raises(RuleError, match=r"nowhere\.yaml: the rule file cannot be read"):
        load_rules([tmp_path / "nowhere.yaml"])


def test_an_id_twice_in_one_file_is_refused(tmp_path: Path) -> None:
    line = "- {id: a, reason: r, when: {plane: ax}, votes: {dixon: fat}}\n"
    with pytest.raises(RuleError, match="rule a: the id stands twice"):
        load_rules([written(tmp_path, line * 2)])


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match=r"line 1: 'plane' stands twice"):
        load_rules([written(tmp_path, "- {id: a, reason: r, when: {plane: ax, plane: sag}, votes: {dixon: fat}}")])


@pytest.mark.parametrize("name", ["edit", "x" * 65])
def test_an_id_is_short_and_not_the_mark_of_a_person(tmp_path: Path, name: str) -> None:
    with pytest.raises(RuleError, match="64 at most, and is not edit"):
        load_rules([written(tmp_path, f"- {{id: {name}, reason: r, when: {{plane: ax}}, votes: {{dixon: fat}}}}")])


def test_an_id_is_no_free_text(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match=r"site\.yaml, line 1, rule Dr Smith: an id is made of"):
        load_rules([written(tmp_path, "- {id: Dr Smith, reason: r, when: {plane: ax}, votes: {dixon: fat}}")])


def test_a_site_that_contradicts_itself_is_refused_with_both_lines(tmp_path: Path) -> None:
    first = "- {id: a, reason: r, when: {plane: ax, tr: {min: 3}}, votes: {dixon: fat}}\n"
    second = "- {id: b, reason: r, when: {tr: {min: 3}, plane: ax}, votes: {dixon: water}}\n"
    with pytest.raises(RuleError, match=r"site\.yaml, line 2, rule b: asks the same as rule a \(site\.yaml, line 1\)"):
        load_rules([written(tmp_path, first + second)])
    load_rules([written(tmp_path, first + second.replace("water", "fat"))])


def test_two_site_files_share_no_id(tmp_path: Path) -> None:
    one = written(tmp_path, "- {id: a, reason: r, when: {plane: ax}, votes: {dixon: fat}}\n")
    other = tmp_path / "other.yaml"
    other.write_text("- {id: a, reason: r, when: {plane: sag}, votes: {dixon: fat}}\n")
    with pytest.raises(RuleError, match=r"other\.yaml, line 1, rule a: the id stands twice"):
        load_rules([one, other])


def test_a_site_rule_replaces_the_built_in_one_of_its_id(tmp_path: Path) -> None:
    text = "- {id: se-t2, reason: ours, when: {plane: ax}, votes: {sequence: T2w}}"
    rules = load_rules([written(tmp_path, text)]).rules
    (found,) = [r for r in rules if r.id == "se-t2"]
    assert (found.reason, found.theme, found.weight) == ("ours", "site", 100.0)
    assert len(rules) == len(load_rules().rules)


def test_numbers_hold_for_all_values_and_never_for_none(tmp_path: Path) -> None:
    long = rule(tmp_path, "{te: {min: 60, max: 450}}")
    assert long(te=(80.0, 100.0))
    assert not long(te=(20.0, 100.0))
    assert not long(te=())


def test_words_stand_alone_and_a_star_is_the_rest(tmp_path: Path) -> None:
    says = rule(tmp_path, "{text: {words: [loc, sagit*]}}")
    assert says(text=("t2 loc",))
    assert says(text=("sagittal t2",))
    assert not says(text=("local",))


def test_words_copied_from_a_description_match(tmp_path: Path) -> None:
    assert rule(tmp_path, "{text: {words: [tfl_3d, Séquence*]}}")(text=("tfl 3d pd",))
    assert rule(tmp_path, "{text: {words: [tfl_3d, Séquence*]}}")(text=("sequences 3",))


def test_a_sites_body_part_outweighs_a_narrower_one(tmp_path: Path) -> None:
    ours = "- {id: ours, reason: r, when: {modality: mr}, votes: {bodypart: pelvis}}"
    facts = Facts(modality="mr", body_part="prostate")
    assert decide(facts, load_rules([written(tmp_path, ours)])).values["bodypart"] == "pelvis"


def test_any_not_known_and_lacks(tmp_path: Path) -> None:
    either = rule(tmp_path, "{any: [{plane: ax}, {te: {min: 5}}], not: {modality: ct}}")
    assert either(plane=("ax",), modality=("mr",))
    assert either(te=(6.0,))
    assert not either(plane=("ax",), modality=("ct",))
    empty = rule(tmp_path, "{kernel: {known: false}, image_type: {lacks: [mip]}}")
    assert empty(kernel=("",), image_type=("m",))
    assert not empty(kernel=("",), image_type=("mip",))


def test_every_body_part_of_the_vocabulary_is_listed() -> None:
    parts = body_parts()
    assert set(parts) == set(vocabulary()["bodypart"].values) - {"unknown"}
    assert all(p.within in parts for p in parts.values() if p.within)
    assert (parts["prostate"].code, parts["pelvis"].meaning) == ("41216001", "Pelvis")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe\x00\x01", "not UTF-8"),
        (b"\x00\x01", "a control character"),
        (b"- {id: 2020-13-45}", "a timestamp but is none"),
        (b"- {id: !!int foo}", "tags are not used"),
        (b"- &a [*a]", "anchors and aliases"),
        (b"[" * 3000, "nested more than"),
        (b"- {id: a, reason: r, when: {plane: ax}, votes: {dixon: fat}, examples: 3}", "'examples' is a list"),
    ],
)
def test_a_file_that_cannot_be_read_as_rules_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_bytes(content)
    with pytest.raises(RuleError, match=r"^site\.yaml") as caught:
        load_rules([path])
    assert said in str(caught.value)
