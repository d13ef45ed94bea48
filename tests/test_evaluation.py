"""The one command of docs/evaluation.md: what is tuned on never meets what is judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.evaluation import OPENGRID, PARTS, ROOT, Wish, commands

JUDGED = Wish(False, False, Path("/homes"), Path("/yard/bin/python"))


def words(part: str, wish: Wish) -> str:
    return "\n".join(" ".join(command) for command in commands(part, wish))


@pytest.mark.parametrize(
    ("part", "tuning", "judged"),
    [
        ("classes", "--tuning", ""),
        ("forecast", "--skip 60", ""),
        ("alerts", "--seeds 1", "--seeds 11,12,13"),
        ("targeting", "", "--test"),
    ],
)
def test_a_tuning_run_looks_at_no_test_data(part: str, tuning: str, judged: str) -> None:
    looked, final = words(part, JUDGED._replace(tuning=True)), words(part, JUDGED)
    assert tuning in looked and judged in final
    assert not tuning or tuning not in final.replace("--seeds 11", "")
    assert not judged or judged not in looked


def test_real_homes_and_yardsticks_reach_the_parts_that_know_them() -> None:
    assert "--real /homes" in words("classes", JUDGED) and words("classes", JUDGED).startswith("/yard/bin/python")
    assert "forecast_figures.py /homes" in words("forecast", JUDGED) and "--yardstick /yard" in words(
        "forecast", JUDGED
    )
    assert f"--real /homes/{OPENGRID}" in words("alerts", JUDGED)


def test_every_part_is_named_in_the_page_and_each_script_exists() -> None:
    page = (ROOT / "docs" / "evaluation.md").read_text("utf-8")
    for part in PARTS:
        assert f" {part}" in page
        for command in commands(part, JUDGED):
            script = next((word for word in command if word.endswith(".py")), "")
            assert Path(script or ROOT / "benchmarks" / "shapes" / f"{part}_figures.py").is_file()
