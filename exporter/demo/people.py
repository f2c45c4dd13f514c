"""Invented people and places. Any likeness to real ones is chance; every one of them must never be released."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from .phantom import Phantom


@dataclass(frozen=True)
class Centre:
    """One hospital of the trial: where it is, who works there, how it writes and which scanner it has."""

    site: str
    vendor: str
    institution: str
    address: str
    department: str
    station: str
    serial: str
    charset: str
    study_text: str
    operator: str
    referrer: str
    physician: str
    reader: str


@dataclass(frozen=True)
class Visit:
    """One examination. ``number`` counts from 1 in order of date; ``start_s`` is seconds after midnight."""

    number: int
    day: date
    start_s: int
    accession: str
    ca125: float


@dataclass(frozen=True)
class Patient:
    """One participant with everything a hospital knows of her."""

    index: int
    id: str
    name: str
    birth: date
    street: str
    phone: str
    weight_kg: int
    height_m: float
    score: int
    lesion_side: int
    lesion_radius: float
    visits: tuple[Visit, ...]
    centre: Centre

    @property
    def family(self) -> str:
        """The family name, as people put it into free text."""
        return self.name.split("^")[0]

    def age_at(self, visit: Visit) -> int:
        """Full years on the day of the visit."""
        before = (visit.day.month, visit.day.day) < (self.birth.month, self.birth.day)
        return visit.day.year - self.birth.year - before

    def phantom(self, visit: Visit) -> Phantom:
        """Her pelvis at a visit: the lesion shrinks by a fifth from visit to visit."""
        radius = self.lesion_radius * 0.8 ** (visit.number - 1)
        return Phantom(self.score, (30.0 * self.lesion_side, 2.0, 26.0), radius)


CENTRES: tuple[Centre, ...] = (
    Centre(
        "S01", "siemens", "Klinikum Musterstadt", "Lindenweg 7, 99999 Musterstadt", "Radiologie", "MRSKYRA1", "45193",
        "ISO_IR 100", "MR Becken nativ+KM Fr. {family}", "Wollgast^Petra", "Thielbeer^Hannes^^Dr.",
        "Özkara^Jülide^^Dr.", "Dr. Jülide Özkara",
    ),
    Centre(
        "S02", "ge", "CHU de Vallombreuse", "3 rue des Tanneurs, 99998 Vallombreuse", "Imagerie de la femme", "GEMROW2",
        "0000301MRI750", "ISO_IR 100", "IRM PELVIENNE Mme {family}", "Lescarbeau^Odile", "Quivrin^Aurélien^^Dr",
        "Pontcallec^Maëlle^^Pr", "Pr Maëlle Pontcallec",
    ),
    Centre(
        "S03", "philips", "Harrowfield General Hospital", "12 Cooper's Yard, Harrowfield ZZ9 9ZZ", "Radiology",
        "INGENIA-HGH", "42117", "ISO_IR 192", "MRI Pelvis / Mrs {family}", "Pemberly^Joan", "Oakhanger^Silas^^Dr",
        "Wexcombe^Rosalind^^Dr", "Rosalind Wexcombe",
    ),
)  # fmt: skip

NAMES: tuple[tuple[str, str], ...] = (
    ("Grünwedel^Annegret", "Kiebitzgasse 14, 99999 Musterstadt"),
    ("Belcourt^Solène", "8 impasse du Moulin Gris, 99998 Vallombreuse"),
    ("Thackermoor^Winifred", "27 Sallow Lane, Harrowfield"),
    ("Dombrowitz^Hedwig^^^geb. Falk", "Am Ziegelhof 3, 99999 Musterstadt"),
    ("Rochebrune^Capucine", "51 quai des Saules, 99998 Vallombreuse"),
    ("Netherby^Prudence", "The Old Forge, Harrowfield"),
)

SCORES = (5, 2, 4, 3, 5, 4)


def make_patient(index: int, seed: int) -> Patient:
    """The ``index``-th patient (from 0) of the trial of a seed. Only the first one comes twice."""
    rng = np.random.default_rng([seed, index, 1])
    centre = CENTRES[index % len(CENTRES)]
    name, street = NAMES[index % len(NAMES)]
    if index >= len(NAMES):
        name = name.replace("^", f"-{chr(ord('A') + index // len(NAMES) % 26)}^", 1)
    first = date(2019, 2, 4) + timedelta(days=int(rng.integers(0, 900)))
    days = (0, int(rng.integers(150, 260))) if index == 0 else (0,)
    return Patient(
        index=index,
        id=f"{centre.institution[0]}{centre.site[1:]}-{int(rng.integers(100000, 999999))}",
        name=name,
        birth=date(int(rng.integers(1944, 1990)), int(rng.integers(1, 13)), int(rng.integers(1, 29))),
        street=street,
        phone=f"+00 5550 {int(rng.integers(100000, 999999))}",
        weight_kg=int(rng.integers(52, 94)),
        height_m=round(float(rng.uniform(1.52, 1.81)), 2),
        score=SCORES[index % len(SCORES)],
        lesion_side=1 if rng.random() < 0.5 else -1,
        lesion_radius=float(rng.uniform(13, 17)),
        visits=tuple(_visit(number, first + timedelta(days=gap), rng) for number, gap in enumerate(days, 1)),
        centre=centre,
    )


def _visit(number: int, day: date, rng: np.random.Generator) -> Visit:
    return Visit(
        number=number,
        day=day,
        start_s=int(rng.integers(8 * 3600, 15 * 3600)),
        accession=f"ACC{int(rng.integers(10**8, 10**9))}",
        ca125=round(float(rng.lognormal(4.2, 0.8)), 1),
    )
