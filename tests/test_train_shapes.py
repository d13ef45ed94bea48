"""`hearth train-shapes`: a folder of homes becomes a dictionary; one bad file never stops the rest."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from gateway.__main__ import app
from gateway.assembly import load_shapes
from gateway.config import load_site
from gateway.core.learning.shape_dictionary import ShapeDictionary
from gateway.model.errors import Finding, SiteFileError
from tests.core.shape_days import BOTH, EVENING, NIGHT, shipped
from tests.test_import import HEADER, SITE

FIRST = datetime(2025, 1, 6, tzinfo=UTC)


def home(hours: list[float], days: int, seed: int) -> str:
    dice = np.random.default_rng(seed)
    lines = [HEADER]
    for day in range(days):
        wh = np.repeat(np.array(hours) * dice.lognormal(0, 0.2, 24), 4) / 4
        lines += [f"{(FIRST + timedelta(days=day, minutes=15 * n)).isoformat()},grid,{wh[n]:.1f},0" for n in range(96)]
    return "\n".join(lines) + "\n"


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
