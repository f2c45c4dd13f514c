"""Regular expressions of rules: lower case, and none that could take forever."""

from __future__ import annotations

import re

LONGEST_PATTERN = 1000
REPETITION, MOST_REPETITIONS = re.compile(r"[*+{]"), 2
"""What a pattern may take grows with the length of the text to the power of its repetitions."""


class PatternError(ValueError):
    """A regular expression that cannot be used, with the reason as a sentence."""


def safe_pattern(text: str) -> re.Pattern[str]:
    """The compiled pattern. Raises :class:`PatternError` where it is none, could never match, or could take forever."""
    if len(text) > LONGEST_PATTERN:
        raise PatternError(f"is longer than {LONGEST_PATTERN} letters")
    if re.search(r"[A-Z]", re.sub(r"\\.|\(\?P<\w+>", "", text)):
        raise PatternError("has capitals, and text is lower case: they never match")
    if repeats_what_varies(text):
        raise PatternError("repeats a group that itself repeats or chooses: matching it could take forever")
    if len(REPETITION.findall(re.sub(r"\\.|\[[^\]]*\]", "x", text))) > MOST_REPETITIONS:
        raise PatternError(f"repeats more than {MOST_REPETITIONS} times (*, +, {{}}): matching it could take forever")
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternError(f"is no regular expression ({error})") from error


def repeats_what_varies(text: str) -> bool:
    """Whether a group that holds a repetition or a choice is itself repeated.

    >>> repeats_what_varies("(a+)+b"), repeats_what_varies("(a|a)*b"), repeats_what_varies("(?:t2|t1)w? tse*")
    (True, True, False)
    """
    varies = [False]
    at = 0
    while at < len(text):
        letter = text[at]
        if letter == "\\":
            at += 1
        elif letter == "[":
            at = end_of_class(text, at)
        elif letter == "(":
            varies.append(False)
            at += text[at + 1 : at + 2] == "?"  # part of the bracket, no quantifier
        elif letter == ")" and len(varies) > 1:
            inner = varies.pop()
            if inner and text[at + 1 : at + 2] in ("*", "+", "{"):
                return True
            varies[-1] |= inner
        elif letter in "*+{|?":
            varies[-1] = True
        at += 1
    return False


def end_of_class(text: str, at: int) -> int:
    """Where a class of letters that begins here ends; the end of the text where it does not."""
    end = at + 2 if text[at + 1 : at + 2] == "]" else at + 1
    while end < len(text) and text[end] != "]":
        end += 2 if text[end] == "\\" else 1
    return end
