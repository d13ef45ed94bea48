"""An event's signed record, handed out by the API."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from gateway.__main__ import app


async def test_the_record_of_an_event_is_handed_out_by_its_key_or_its_servers_id(demo, home):
    await home.chain.add("utility:ev-now", "received", fingerprint="5f1d")
    for name in ("utility:ev-now", "ev-now"):
        answer = await demo.get(f"/api/v1/dr/events/{name}/record")
        assert answer.status_code == 200 and "attachment" in answer.headers["content-disposition"]
        document = answer.json()
        assert document["entries"][0]["facts"] == {"fingerprint": "5f1d"} and document["head"]["count"] == 1


async def test_an_event_nobody_knows_or_nothing_was_kept_of_is_a_404_that_says_where_to_look(demo):
    for name in ("nobody", "ev-next"):
        answer = await demo.get(f"/api/v1/dr/events/{name}/record")
        assert answer.status_code == 404 and "/api/v1/dr/events" in answer.json()["detail"]


def test_the_command_line_tells_a_record_from_another_file_and_a_sound_one_from_a_changed_one(tmp_path: Path):
    from tests.core.test_dr_record import PUBLIC, record

    run = CliRunner().invoke
    sound, changed, other = tmp_path / "sound.json", tmp_path / "changed.json", tmp_path / "other.json"
    sound.write_text(json.dumps(record()))
    document = record()
    document["entries"][4]["facts"]["delivered_wh"] = 9999
    changed.write_text(json.dumps(document))
    other.write_text("{}")
    good = run(app, ["verify-record", str(sound), "--key", PUBLIC])
    assert good.exit_code == 0 and "Whole, unchanged, signed" in good.output
    assert run(app, ["verify-record", str(sound), "--key", "00" * 32]).exit_code == 1
    bad = run(app, ["verify-record", str(changed)])
    assert bad.exit_code == 1 and "entry 5: its content was changed" in bad.output
    none = run(app, ["verify-record", str(other)])
    assert none.exit_code == 2 and "'event' is missing" in none.output
    assert run(app, ["verify-record", str(tmp_path / "absent.json")]).exit_code == 2
