"""The loop over checks, the verdict and what is written beside an image."""

from __future__ import annotations

import json

import pytest

from trialbids.exporter.qc.check import Check, Evidence, Finding, issue_id, run_checks
from trialbids.exporter.qc.verdict import qc_sidecar, verdict


def says(*messages):
    return lambda subject, tolerance: [Evidence(f"{m} {subject} {tolerance}") for m in messages]


def crashes(error):
    def run(subject, tolerance):
        raise error

    return run


def test_findings_come_in_the_order_of_the_table():
    table = (
        Check("A01", "stack", "error", "one", says("x", "y"), 2.0),
        Check("A02", "stack", "info", "two", says("z")),
    )
    assert [(f.check, f.severity, f.message) for f in run_checks(table, "s")] == [
        ("A01", "error", "x s 2.0"), ("A01", "error", "y s 2.0"), ("A02", "info", "z s 0.0"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "error", [ValueError("Doe^Jane"), ZeroDivisionError(), KeyError("x"), TypeError(), IndexError()]
)
def test_a_check_that_cannot_run_is_q99_with_its_reason_and_the_others_go_on(error):
    table = (Check("A01", "stack", "error", "one", crashes(error)), Check("A02", "stack", "info", "two", says("z")))
    failed, other = run_checks(table, "s")
    assert (failed.check, failed.severity, other.check) == ("Q99", "warning", "A02")
    assert failed.message == f"A01 (one) could not be run: {type(error).__name__}"


@pytest.mark.parametrize(
    ("severities", "word"),
    [([], "pass"), (["info"], "pass"), (["info", "warning"], "warn"), (["warning", "error"], "fail")],
)
def test_the_worst_severity_decides(severities, word):
    assert verdict(Finding("G01", severity, "m") for severity in severities) == word


def test_the_sidecar_has_the_documented_form():
    sidecar = qc_sidecar("warn", [Finding("G05", "warning", "uneven", Evidence("uneven", "v0"))], {"snr": 12.5})
    assert json.loads(json.dumps(sidecar)) == {
        "schema": "trialbids-qc/2",
        "verdict": "warn",
        "checks": [
            {
                "check": "G05",
                "severity": "warning",
                "state": "open",
                "level": "stack",
                "message": "uneven",
                "values": {},
            }
        ],
        "metrics": {"snr": 12.5},
    }


def test_an_issue_keeps_its_id_and_shares_it_with_no_other():
    assert issue_id("G04", "stack1", "v0k13") == issue_id("G04", "stack1", "v0k13")
    others = [
        ("G05", "stack1", "v0k13"),
        ("G04", "stack2", "v0k13"),
        ("G04", "stack1", "v0k1"),
        ("G04", "stack", "1v0k13"),
    ]
    assert issue_id("G04", "stack1", "v0k13") not in {issue_id(*other) for other in others}
    assert issue_id("G04", "secret-name").startswith("G04-") and "secret" not in issue_id("G04", "secret-name")


def test_a_number_that_no_image_has_is_not_spelled_out():
    table = (Check("A01", "stack", "warning", "one", lambda s, t: [Evidence("1956030412345 mm, 3.5 mm and nan", "k")]),)
    (found,) = run_checks(table, "s")
    assert found.message == "an impossible number mm, 3.5 mm and an impossible number"
    evidence = Evidence("m", "", (("mm", 19560304123.0), ("n", 3)))
    told = json.loads(json.dumps(qc_sidecar("warn", [Finding("A01", "warning", "m", evidence)], {})))
    assert told["checks"][0]["values"] == {"n": 3}
