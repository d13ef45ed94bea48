"""`hearth train-shapes`: a folder of homes becomes a dictionary; one bad file never stops the rest."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from gateway.__main__ import app
from gateway.assembly import load_shapes
from gateway.config import load_site
from gateway.core.learning.shape_dictionary import ShapeDictionary
from gateway.model.errors import Finding, SiteFileError
from gateway.training import train_shapes
from tests.core.shape_days import BOTH, EVENING, NIGHT, shipped
from tests.test_import import HEADER, SITE

FIRST = datetime(2025, 1, 6, tzinfo=UTC)
ROOT = Path(__file__).resolve().parent.parent


def rows(
    hours: list[float], days: int, seed: int, minutes: int = 15, device: str = "grid", unit: float = 1.0
) -> list[str]:
    dice, size = np.random.default_rng(seed), 1440 // minutes
    lines = []
    for day in range(days):
        wh = np.repeat(np.array(hours) * dice.lognormal(0, 0.2, 24) * unit, size // 24) * 24 / size
        starts = [FIRST + timedelta(days=day, minutes=minutes * n) for n in range(size)]
        lines += [f"{start.isoformat()},{device},{wh[n]:.5f},0" for n, start in enumerate(starts)]
    return lines


def home(hours: list[float], days: int, seed: int, **more) -> str:
    return "\n".join([HEADER, *rows(hours, days, seed, **more)]) + "\n"


def train(folder: Path, *options: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["train-shapes", str(folder), "--out", str(folder / "made.json"), *options])
    assert result.exit_code == code, result.output
    return result


def made(folder: Path) -> ShapeDictionary:
    return ShapeDictionary.from_document(json.loads((folder / "made.json").read_text()), "made.json")


def test_homes_become_a_dictionary_that_a_hub_takes(tmp_path: Path):
    (tmp_path / "a.csv").write_text(home(EVENING, 60, 1))
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(home(BOTH, 60, 2).encode()))
    train(tmp_path)
    book = made(tmp_path)
    assert book.names == shipped().names
    assert "120 days of 2 homes" in book.origin
    share = dict(zip(book.names, np.bincount(book.owner, weights=book.weights), strict=True))
    plain = dict(zip(book.names, np.bincount(shipped().owner, weights=shipped().weights), strict=True))
    assert share["evening peak"] > plain["evening peak"] and share["flat"] < plain["flat"]


def test_a_bad_file_is_named_and_the_rest_goes_on(tmp_path: Path):
    (tmp_path / "good.csv").write_text(home(EVENING, 101, 1))
    (tmp_path / "broken.csv.gz").write_bytes(b"no gzip")
    (tmp_path / "latin.csv").write_bytes(b"start,\xff\xfe\n")
    (tmp_path / "other.csv").write_text("time;power\n1;2\n")
    output = train(tmp_path, code=1).output
    assert all(name in output for name in ("broken.csv.gz", "latin.csv", "other.csv"))
    assert made(tmp_path).names


def test_days_that_no_name_fits_become_a_shape_named_by_its_hours(tmp_path: Path):
    odd = [20.0] * 24
    odd[14], odd[15] = 5000.0, 4800.0
    (tmp_path / "a.csv").write_text(home(NIGHT, 60, 1))
    (tmp_path / "b.csv").write_text(home(odd, 60, 2))
    train(tmp_path)
    found = [name for name in made(tmp_path).names if name not in shipped().names]
    assert found and all(name.startswith("peak 1") for name in found), found


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "no .csv or .csv.gz file in it"),
        ({"a.csv": home(EVENING, 3, 1)}, "only 3 days could be used, 100 are needed"),
    ],
)
def test_too_little_is_refused_in_words(tmp_path: Path, files: dict[str, str], says: str):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert says in " ".join(train(tmp_path, code=2).output.split())
    assert not (tmp_path / "made.json").exists()


def test_a_time_zone_that_is_none_is_refused(tmp_path: Path):
    assert "is no IANA time zone" in " ".join(train(tmp_path, "--timezone", "Mars/Base", code=2).output.split())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "cannot be read"),
        ("{", "is not JSON"),
        ("{}", "its kind is not 'hearth load shapes'"),
        (json.dumps({"kind": "hearth load shapes", "version": 9}), "this Hearth reads version 1"),
        (json.dumps({**shipped().to_document(), "projection": [[1.0]]}), "projection"),
    ],
)
def test_a_site_file_that_names_no_dictionary_is_refused_with_the_file(tmp_path: Path, text: str | None, says: str):
    from gateway.assembly import KINDS
    from gateway.web.settings import WebSettings

    site = tmp_path / "site.yaml"
    site.write_text(SITE.replace("tariff: demo_tou", "tariff: demo_tou, shapes_file: mine.json"))
    if text is not None:
        (tmp_path / "mine.json").write_text(text)
    with pytest.raises(SiteFileError) as error:
        load_shapes(load_site(site, KINDS, WebSettings))
    assert says in str(error.value) and "mine.json" in str(error.value)


def test_the_document_of_a_dictionary_is_read_as_it_was_written():
    book = ShapeDictionary.from_document(shipped().to_document(), "x")
    assert book.to_document() == shipped().to_document()
    assert len(json.dumps(book.to_document())) < 16 * 1024
    with pytest.raises(Finding):
        ShapeDictionary.from_document({**book.to_document(), "shapes": book.to_document()["shapes"][:1]}, "x")


@pytest.mark.parametrize("minutes", [5, 30, 60])
def test_rows_of_other_lengths_give_the_dictionary_that_quarter_hours_give(tmp_path: Path, minutes: int):
    for name, length in (("fine", minutes), ("quarters", 15)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.csv").write_text(home(EVENING, 101, 1, minutes=length))
        assert "a.csv: 101 days of 1 home taken" in " ".join(train(tmp_path / name).output.split())
    assert np.allclose(made(tmp_path / "fine").prototypes, made(tmp_path / "quarters").prototypes, atol=1e-4)


def test_what_export_writes_in_hours_is_taken(tmp_path: Path):
    lines = [f"{HEADER},minutes", *(f"{row},60" for row in rows(EVENING, 101, 1, minutes=60))]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    train(tmp_path)


@pytest.mark.parametrize("name", ["A.CSV", "a.Csv.GZ"])
def test_an_ending_counts_in_any_case(tmp_path: Path, name: str):
    text = home(EVENING, 101, 1).encode()
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("GZ") else text)
    assert "101 days of 1 homes" in " ".join(train(tmp_path).output.split())


def test_a_home_told_in_kwh_is_named_with_the_remedy_and_left_out(tmp_path: Path):
    (tmp_path / "a.csv").write_text(home(EVENING, 101, 1))
    (tmp_path / "k.csv").write_text(home(EVENING, 101, 2, unit=0.001))
    (tmp_path / "notes.txt").write_text("hello")
    said = " ".join(train(tmp_path, code=1).output.split())
    assert "k.csv: nothing taken" in said and "probably kWh. Write them in Wh: multiply by 1000." in said
    assert "a.csv: 101 days of 1 home taken" in said and "notes.txt: passed over" in said
    (tmp_path / "a.csv").unlink()
    (tmp_path / "made.json").unlink()
    assert "probably kWh" in train(tmp_path, code=2).output.replace("\n", " ")
    assert not (tmp_path / "made.json").exists()


def test_days_left_out_are_counted_with_the_reason(tmp_path: Path):
    lines = rows(EVENING, 104, 1)
    daily = [f"{(FIRST + timedelta(days=200 + n)).isoformat()},grid,9000,0" for n in range(3)]
    (tmp_path / "a.csv").write_text("\n".join([HEADER, *lines[:-60], *daily]))
    said = " ".join(train(tmp_path).output.split())
    assert "103 days of 1 home taken" in said and "1 day measured less than 60 %, left out" in said
    assert "3 days whose rows are not 5, 15, 30 or 60 minutes apart, left out" in said


def test_the_files_of_one_home_in_a_folder_of_its_own_are_one_home(tmp_path: Path):
    (tmp_path / "one").mkdir()
    for name in ("house", "solar", "car"):
        (tmp_path / "one" / f"{name}.csv").write_text(home(EVENING, 101, 1, device=name))
    (tmp_path / "solar.csv").write_text(home(EVENING, 101, 1, device="solar"))
    said = " ".join(train(tmp_path, code=1).output.split())
    assert "from 101 days of 1 homes" in said
    assert "car: is left out: a device of the home" in said and "the sun alone is no home" in said


def test_homes_of_the_same_names_in_one_folder_stay_apart(tmp_path: Path):
    (tmp_path / "north").mkdir()
    for n in range(2):
        (tmp_path / "north" / f"{n}.csv").write_text(home(EVENING, 60, n, device="house"))
    assert "from 120 days of 2 homes" in " ".join(train(tmp_path).output.split())


def test_a_row_that_comes_twice_is_refused_also_when_its_day_waits_on_disk(tmp_path: Path):
    lines = rows(EVENING, 101, 1)
    (tmp_path / "a.csv").write_text("\n".join([HEADER, *lines, lines[0]]))
    assert f"line {len(lines) + 2}: 'grid' has 2025-01-06T00:00:00+00:00 already" in " ".join(
        train(tmp_path, code=1).output.split()
    )


@pytest.mark.slow
def test_what_python_holds_does_not_grow_with_the_homes_of_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gateway.training.PIECE", 100)  # full with the fewer homes, too
    peaks = []
    for homes in (4, 24):
        folder = tmp_path / str(homes)
        folder.mkdir()
        lines = [row for n in range(homes) for row in rows(EVENING, 26, n, device=f"home{n}")]
        (folder / "all.csv").write_text("\n".join([HEADER, *lines]))
        del lines
        tracemalloc.start()
        try:
            train_shapes(folder, folder / "made.json", shipped(), ZoneInfo("UTC"), datetime(2026, 1, 1, tzinfo=UTC))
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0], peaks


IN_A_CHILD = """
import resource
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo
from gateway.training_days import DaysOnDisk

def peak_kb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

days, first = DaysOnDisk(ZoneInfo("UTC")), datetime(2025, 1, 1, tzinfo=UTC)
before_kb = peak_kb()
for series in range(400):
    for day in range(366):
        days.add(series, first + timedelta(days=day), 1.0)
print(peak_kb() - before_kb)
"""


@pytest.mark.slow
def test_the_days_of_hundreds_of_homes_lie_on_disk():
    """In memory they were 57 MB; what SQLite holds is not in Python's own account, so a process of its own is asked."""
    grown = subprocess.run([sys.executable, "-c", IN_A_CHILD], capture_output=True, text=True, check=True, cwd=ROOT)
    assert int(grown.stdout) < 15_000
