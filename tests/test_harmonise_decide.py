"""The interpreter: votes, themes, margins."""

from __future__ import annotations

from pathlib import Path

from trialbids.exporter.harmonise.decide import decide, most_specific, tally, winner
from trialbids.mappings.conditions import Place
from trialbids.mappings.facts import Facts
from trialbids.mappings.rules import Rule, load_rules


def vote(value: str, weight: float, theme: str) -> Rule:
    place = Place("a.yaml", 1)
    return Rule(f"{theme}-{value}", theme, "", weight, (("sequence", value),), lambda read: True, (), place, "")


def test_ten_synonyms_are_one_witness_but_two_themes_are_two() -> None:
    scores = tally([vote("T2w", 2.0, "words")] * 10 + [vote("T2w", 1.5, "words"), vote("T2w", 4.0, "physics")])
    assert scores["sequence"] == {"T2w": 6.0}


def test_a_tie_and_little_evidence_say_nothing() -> None:
    assert winner({"T1w": 2.0, "T2w": 2.1}, "unknown") == "unknown"
    assert winner({"T1w": 0.2}, "unknown") == "unknown"
    assert winner({"T1w": 2.0, "T2w": 1.0}, "unknown") == "T1w"


def test_a_region_supports_its_parts_only_if_they_were_named() -> None:
    within = {"prostate": "pelvis", "pelvis": "abdomenpelvis"}
    assert most_specific({"abdomenpelvis": 1.0, "prostate": 2.0}, within) == {"abdomenpelvis": 1.0, "prostate": 3.0}
    assert most_specific({"pelvis": 1.0}, within) == {"pelvis": 1.0}


def test_a_site_rule_decides_over_the_built_in_ones(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(
        "- {id: our-t2, reason: our name for it, when: {description: {words: [hoppla]}}, votes: {sequence: T2w}}\n"
    )
    facts = Facts(modality="mr", description="hoppla t1", said=("t1",))
    assert decide(facts, load_rules()).values["sequence"] == "T1w"
    decision = decide(facts, load_rules([site]))
    assert decision.values["sequence"] == "T2w"
    assert "our-t2" in decision.deciding
