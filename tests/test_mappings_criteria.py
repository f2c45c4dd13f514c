"""The language of conditions: what it says, what it refuses, and its three truth values."""

from __future__ import annotations

import doctest
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialbids.mappings import criteria, imageterms, kleene
from trialbids.mappings.criteria import Condition, ConditionError
from trialbids.mappings.record import Record

COLUMNS = {"age": int, "site": str, "arm": str, "dose": float}
T2_SAG = Record(sequence="T2w", plane="sag")
T2_AX = Record(sequence="T2w", plane="ax")
T2_UNTOLD = Record(sequence="T2w")
DWI = Record(sequence="DWI", plane="ax", bvalues=(0.0, 50.0, 790.0))
TRACE = Record(sequence="trace", plane="ax")
SUBTRACTION = Record(sequence="T1w", plane="ax", derived=("sub",))
UNTOLD = Record()


@pytest.mark.parametrize(
    ("text", "row", "truth"),
    [
        ("site != 'S07' and age >= 18", {"site": "S01", "age": 18}, True),
        ("site != 'S07' and age >= 18", {"site": "S07", "age": 40}, False),
        ("18 <= age < 90", {"age": 90}, False),
        ("18 <= age < 90", {"age": 40}, True),
        ("90 <= age < dose", {"age": 40, "dose": None}, False),
        ("arm in ('A', 'B')", {"arm": "B"}, True),
        ("arm not in ['A']", {"arm": "A"}, False),
        ("dose > -1.5", {"dose": -1.0}, True),
        ("not (age < 18)", {"age": None}, None),
        ("age < 18 or site == 'S01'", {"age": None, "site": "S01"}, True),
        ("age < 18 and site == 'S01'", {"age": None, "site": "S02"}, False),
        ("age == None", {"age": None}, True),
        ("age == None", {}, True),
        ("age != None", {"age": None}, False),
        ("age != None", {"age": 3}, True),
        ("None == None", {}, True),
        ("age > 3", {"age": float("nan")}, None),
        ("arm not in ('A',)", {"arm": None}, None),
        ("arm in ('A', None)", {"arm": None}, True),
        ("arm in ('A', site)", {"arm": "B", "site": None}, None),
        ("arm in ()", {"arm": "B"}, False),
        ("column('Tumour size (mm)') > 20 and column('class') == 'x'", {"Tumour size (mm)": 21, "class": "x"}, True),
        ("age\n  >= 18\n", {"age": 18}, True),
        ("site == 'ÄÖ'", {"site": "ÄÖ"}, True),
    ],
)
def test_values(text: str, row: dict, truth: bool | None) -> None:
    assert Condition(text).truth(row) is truth


@pytest.mark.parametrize(
    ("text", "images", "truth"),
    [
        ("has(T2w, sag)", [T2_SAG, DWI], True),
        ("has('T2w', plane='sag')", [T2_SAG], True),
        ("has(T2w, sag)", [T2_AX, DWI], False),
        ("has(T2w, sag)", [], False),
        ("has(T2w, sag)", [T2_AX, T2_UNTOLD], None),
        ("not has(T2w, sag)", [T2_UNTOLD], None),
        ("has(T2w, sag)", [T2_SAG, T2_UNTOLD, UNTOLD], True),
        ("has(DWI)", [UNTOLD], None),
        ("has(unknown)", [UNTOLD], True),
        ("has(T2w, plane=(sag, cor))", [T2_SAG], True),
        ("has(T2w, plane=[cor, obl])", [T2_SAG], False),
        ("has(diffusion)", [TRACE], True),
        ("has(sequence=diffusion)", [DWI], True),
        ("has(T1w)", [SUBTRACTION], False),
        ("has(T1w, sub)", [SUBTRACTION], True),
        ("has(T1w, sub, mip)", [SUBTRACTION], False),
        ("has(T1w, derived=any)", [SUBTRACTION], True),
        ("has(DWI, bvalues=800)", [DWI], True),
        ("has(DWI, bvalues=1000)", [DWI], False),
        ("has(trace, bvalues=800)", [TRACE], None),
        ("has(T1w, phase_index=2)", [Record(sequence="T1w", phase_index=2)], True),
        ("has('2d') or has(T1w, agent='with')", [Record(sequence="T1w", agent="with", dim="3d")], True),
        ("count(diffusion) >= 2", [DWI, TRACE], True),
        ("count(diffusion) > 2", [DWI, TRACE], False),
        ("count() == 2", [DWI, TRACE, SUBTRACTION], True),
        ("count(T2w, sag) >= 2", [T2_SAG, T2_SAG, T2_UNTOLD], True),
        ("count(T2w, sag) >= 3", [T2_SAG, T2_SAG, T2_UNTOLD], None),
        ("count(T2w, sag) >= 4", [T2_SAG, T2_SAG, T2_UNTOLD], False),
        ("count(T2w, sag) == 1", [T2_UNTOLD], None),
        ("count(T2w) in (1, 2)", [T2_SAG], True),
        ("1 <= count(T2w) <= n", [T2_SAG], True),
    ],
)
def test_images(text: str, images: list[Record], truth: bool | None) -> None:
    assert Condition(text).truth({"n": 3}, images) is truth


@pytest.mark.parametrize(("unsure", "truth"), [(0, True), (1, True), (2, None)])
def test_a_number_within_bounds_is_among_those_that_it_can_be(unsure: int, truth: bool | None) -> None:
    images = [DWI, *[UNTOLD] * unsure]
    assert Condition("count(DWI) in (1, 2)").truth({}, images) is truth
    assert Condition("count(DWI) not in (1, 2)").truth({}, images) is (None if truth is None else not truth)
    assert Condition("count(DWI) >= 1 and count(DWI) <= 2").truth({}, images) is truth


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("age >= 18 and arm == 'A'", ("arm",)),
        ("age < 18 or arm == 'A' and dose > 2", ("arm", "dose")),
        ("dose > 2 and (age < 18 or site == 'S2')", ("dose", "site")),
        ("not dose in (1, 2)", ("dose",)),
        ("has(T2w, sag) or count(DWI) >= 9 or found('G04')", ("has(T2w, sag)", "found('G04')")),
        ("age == None or arm == 'A'", ("arm",)),
    ],
)
def test_what_is_not_known_and_would_decide_is_named(text: str, missing: tuple[str, ...]) -> None:
    condition = Condition(text)
    assert condition.truth({"age": 40}, [T2_UNTOLD]) is None
    assert condition.untold({"age": 40}, [T2_UNTOLD]) == missing


def test_a_text_without_quotes_is_told_from_a_misspelt_column() -> None:
    with pytest.raises(ConditionError, match="text stands in quotes: 'S02'"):
        Condition("site == S02").check({"site": str})
    with pytest.raises(ConditionError, match="did you mean 'site'"):
        Condition("sitte == 'S02'").check({"site": str})


@pytest.mark.parametrize(("word", "meant"), [("sagittal", "sag"), ("coronal", "cor"), ("T2wTSE", "T2w")])
def test_a_word_that_is_written_out_is_recognised(word: str, meant: str) -> None:
    with pytest.raises(ConditionError, match=f"did you mean '{meant}'"):
        Condition(f"has({word})")


def test_what_a_check_found() -> None:
    findings = {"G04"}
    asked = Condition("found('G04') and not found(I01, 'I02')")
    assert asked.truth({}, found=findings.__contains__) is True
    assert Condition("found('G05', 'G04')").truth({}, found=findings.__contains__) is True
    assert asked.truth({}) is None
    assert asked.codes == {"G04", "I01", "I02"} and asked.functions == {"found"}


def test_a_caller_learns_what_is_read() -> None:
    asked = Condition("age > 3 and (has(T2w, plane=sag) or count(DWI, bvalues=800) > 1) and column('a b') == 1")
    assert asked.columns == {"age", "a b"}
    assert asked.functions == {"has", "count"} and asked.words == {"T2w", "sag", "DWI", "800"}


@pytest.mark.parametrize(
    "text",
    ["__import__('os').system('x')", "age", "age + 1 > 2", "age.real > 1", "site[0] == 'S'", "lambda: 1", "age is None",
     "f'{age}' == '1'", "(age := 3) > 2", "site in 'S01'", "age >", "", "True == age", "age == (1, 2)", "2 ** 99 > age",
     "[a for a in arm] == 1", "age == -True", "age if arm else 1", "{1: 2} == age", "b'x' == arm", "1j == age",
     "*age == 1", "age == ...", "age; 1", "age = 3", "await x", "age < None", "-age > 1", "not 1", "'a'",
     "has", "has(age > 3)", "has(*arm)", "has(**arm)", "has(T2w) == 1", "count(DWI)", "has(count(DWI))",
     "found()", "found('T2w')", "found('G04', code=1)", "column(3) == 1", "column('a')", "os.getcwd()",
     "has(plane=sag, plane=ax)", "has(T2w, T1w)", "has(sag, plane=ax)", "has(sub, derived=mip)", "has(derived='x')",
     "has(echo_index=one)", "a\x00 == 1"],
)  # fmt: skip
def test_all_else_is_refused(text: str) -> None:
    with pytest.raises(ConditionError):
        Condition(text)


@pytest.mark.parametrize("text", ["(" * 500, "not " * 400 + "age > 1", "age > 1 and " * 300 + "age > 1", "9" * 5000])
def test_length_and_depth_are_bounded(text: str) -> None:
    with pytest.raises(ConditionError) as caught:
        Condition(text)
    assert len(str(caught.value)) < 4500


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "age >= 18 and has(T2w, sagital)",
            r"at character 15, 'has\(T2w, sagital\)': 'sagital' is not in the vocabulary",
        ),
        ("has(T2W)", "did you mean 'T2w'"),
        ("has(T2w, plane=sagit)", "plane='sagit' is not in the vocabulary; did you mean 'sag'.* legal: ax sag cor"),
        ("has(lung)", "write bodypart='lung' or kernel='lung'"),
        ("has(T2w, sag, ax)", r"both values of plane; for either of them write plane=\('sag', 'ax'\)"),
        ("has(T2w, plan=sag)", "no attribute 'plan'; did you mean 'plane'"),
        ("has(T1w, agent=with)", "words of Python such as 'with'.* need quotes"),
        ("cuont(DWI) > 1", "no function 'cuont'; there are: has count found column; did you mean 'count'"),
        ("count(DWI)", r"compare it, as in count\(DWI\) >= 2"),
        ("site == 'ü' and x.y > 1", "at character 17, 'x.y'"),
    ],
)
def test_an_error_says_where_and_what_is_expected(text: str, says: str) -> None:
    with pytest.raises(ConditionError, match=says):
        Condition(text)


def test_columns_and_kinds_are_checked() -> None:
    with pytest.raises(ConditionError, match=r"no column 'agee'; there are: age arm dose site; did you mean 'age'"):
        Condition("agee > 3").check(COLUMNS)
    for text in ("site > 3", "age in (1, 'x')", "site == count(DWI)", "3 < site", "arm == age", "column('age') == 'x'"):
        with pytest.raises(ConditionError, match="compares text with a number"):
            Condition(text).check(COLUMNS)
    Condition("age > dose and site == arm and arm != None and count(T2w) >= age").check(COLUMNS)


def test_text_and_a_number_in_a_row_are_an_error_not_a_crash() -> None:
    with pytest.raises(ConditionError, match="text is compared with a number"):
        Condition("age > 3").truth({"age": "old"})


TRUTHS = (True, False, None)


def test_the_tables_of_kleene() -> None:
    """S. C. Kleene, On notation for ordinal numbers, 1938: the strong connectives."""
    for a, b in product(TRUTHS, TRUTHS):
        row = {"a": {True: 1, False: 0, None: None}[a], "b": {True: 1, False: 0, None: None}[b]}
        expected_and = False if False in (a, b) else None if None in (a, b) else True
        expected_or = True if True in (a, b) else None if None in (a, b) else False
        assert Condition("a == 1 and b == 1").truth(row) is expected_and
        assert Condition("a == 1 or b == 1").truth(row) is expected_or
        assert Condition("not a == 1").truth(row) is (None if a is None else not a)


NUMBERS = st.one_of(st.none(), st.integers(-3, 3))
ATOMS = st.sampled_from(["a > 0", "b <= 1", "a < b", "a in (1, b)", "b != 2", "a == None", "has(T2w, sag)"])
TEXTS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        inner.map(lambda t: f"not ({t})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map("({0[0]}) {0[1]} ({0[2]})".format),
    ),
    max_leaves=6,
)


@given(TEXTS, NUMBERS, NUMBERS)
def test_what_is_known_stays_so_whatever_the_missing_value_is(text: str, a: int | None, b: int | None) -> None:
    """An answer given although a value is missing is the answer for every value (absence itself apart)."""
    asked = Condition(text)
    truth = asked.truth({"a": a, "b": b}, [T2_UNTOLD])
    if truth is None or "None" in text:
        return
    for x, y, plane in product([a] if a is not None else range(-4, 5), [b] if b is not None else range(-4, 5), "sx"):
        image = T2_SAG if plane == "s" else T2_AX
        assert asked.truth({"a": x, "b": y}, [image]) is truth


@given(TEXTS, TEXTS, NUMBERS, NUMBERS)
def test_de_morgan(left: str, right: str, a: int | None, b: int | None) -> None:
    row = {"a": a, "b": b}
    one = Condition(f"not (({left}) and ({right}))").truth(row, [T2_UNTOLD])
    assert one is Condition(f"not ({left}) or not ({right})").truth(row, [T2_UNTOLD])


@given(st.text(alphabet="abc()[]{}'\"=<>!.,:;*-+ \n\\01None hasotrd", max_size=40))
def test_any_text_is_a_condition_or_a_sentence(text: str) -> None:
    try:
        Condition(text).truth({})
    except ConditionError as error:
        assert str(error)


@pytest.mark.parametrize("module", [criteria, imageterms, kleene])
def test_the_examples_in_the_docstrings(module) -> None:
    outcome = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL)
    assert outcome.attempted and not outcome.failed


def test_a_comment_swallows_nothing() -> None:
    with pytest.raises(ConditionError, match="a comment"):
        Condition("age >= 18  # adults\n and age < 20")
    assert Condition("arm == '#1'").truth({"arm": "#1"}) is True
