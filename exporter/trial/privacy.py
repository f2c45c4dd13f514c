"""The part of ``trial.yaml`` that says what may leave beyond the default, and what may not."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from trialbids.mappings.fields import allow_list

from ..inventory.instance import Instance
from .parts import LegalPath, Model, Tag


def _free_keyword(tag: str) -> str:
    """A keyword that the allow-list does not hold yet."""
    if any(field.keyword == tag for field in allow_list().fields):
        raise ValueError(f"'{tag}' is in the allow-list already")
    return tag


def _listed_keyword(tag: str) -> str:
    """A keyword that the allow-list holds, and that a tree can do without."""
    field = next((f for f in allow_list().fields if f.keyword == tag), None)
    if field is None:
        raise ValueError(f"'{tag}' is not in the allow-list, so it never leaves")
    if not field.bids:
        raise ValueError(f"'{tag}' stands in no sidecar, so it cannot be dropped")
    return tag


class ExtraField(Model):
    """A header field that this trial releases beyond the allow-list: as a number, or as one of ``words``."""

    keyword: Annotated[Tag, AfterValidator(_free_keyword)]
    action: Literal["number", "words"] = "number"
    words: tuple[Annotated[str, Field(min_length=1, max_length=64)], ...] = ()

    @model_validator(mode="after")
    def _words_are_listed(self) -> Self:
        if bool(self.words) != (self.action == "words"):
            raise ValueError("give words where the action is words, and only there")
        if self.action == "number" and str(Instance.__annotations__[self.keyword]) in ("str", "Words"):
            raise ValueError(f"'{self.keyword}' is text, so only listed words of it can leave (action: words)")
        return self


class Fields(Model):
    """What the trial adds to the allow-list and what it leaves out."""

    add: tuple[ExtraField, ...] = ()
    drop: tuple[Annotated[Tag, AfterValidator(_listed_keyword)], ...] = ()


class Privacy(Model):
    """Options of de-identification. Nothing here turns it off: each lets one more thing leave, or one fewer.

    ``keep_dates``, ``keep_times``, ``device``, ``weight``   what would else be changed or left out
    ``faces``, ``deface``   what becomes of images with a head in view, and the command that removes faces
    ``sourcedata``          whether de-identified DICOM lies beside the NIfTI
    ``fields``              what is added to the allow-list or left out of it
    ``generalise_age``, ``suppress``   against small groups: age in bands of so many years, columns left out
    ``key``, ``aliases``    the file of the secret key; a table of ids that stand for one person
    """

    keep_dates: bool = False
    keep_times: bool = False
    device: bool = False
    weight: bool = False
    faces: Literal["quarantine", "allow"] = "quarantine"
    deface: tuple[str, ...] = ()
    sourcedata: Literal["none", "dicom"] = "none"
    fields: Fields = Fields()
    generalise_age: Literal[5, 10] | None = None
    suppress: tuple[str, ...] = ()
    key: LegalPath | None = None
    aliases: LegalPath | None = None

    @field_validator("deface")
    @classmethod
    def _names_both_files(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value and not ("{input}" in value and "{output}" in value):
            raise ValueError(
                "is a command as a list of words, two of which are {input} and {output}: "
                "[pydeface, '{input}', --outfile, '{output}', --force]"
            )
        return value

    @model_validator(mode="after")
    def _one_way_with_faces(self) -> Self:
        if self.deface and self.faces == "allow":
            raise ValueError("deface removes faces and faces: allow keeps them; give one of the two")
        return self
