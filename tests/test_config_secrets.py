"""`!secret name` in the site file: where it is read from, and that no finding shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.ocpp.settings import OcppDeviceSettings
from tests.site_files import GOOD, changed, line_of, load, refused


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home.yaml"


class TestSecrets:
    """`!secret name` comes from secrets.yaml beside the file or from the service manager."""

    TEXT = GOOD.replace("top-secret-2", "!secret cp_1")

    def secrets(self, path: Path, text: str, mode: int = 0o600) -> Path:
        store = path.with_name("secrets.yaml")
        store.write_text(text)
        store.chmod(mode)
        return store

    def password(self, path: Path) -> str:
        settings = load(path, self.TEXT).devices[2].settings
        assert isinstance(settings, OcppDeviceSettings) and settings.password is not None
        return settings.password.get_secret_value()

    def test_from_the_file(self, path: Path) -> None:
        self.secrets(path, "cp_1: from-the-file\n")
        assert self.password(path) == "from-the-file"

    def test_from_the_service_managers_credentials(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (path.parent / "cp_1").write_text("from-systemd\n")
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(path.parent))
        assert self.password(path) == "from-systemd"

    def test_no_file(self, path: Path) -> None:
        (finding,) = refused(path, self.TEXT)
        assert (
            finding.where == f"{path}:{line_of(self.TEXT, '!secret')}" and "!secret cp_1: there is no" in finding.what
        )

    def test_no_such_name(self, path: Path) -> None:
        self.secrets(path, "other: x\n")
        assert "holds no secret 'cp_1'" in str(refused(path, self.TEXT)[0])

    @pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
    def test_a_file_that_others_may_read_is_not_used(self, path: Path, mode: int) -> None:
        self.secrets(path, "cp_1: x\n", mode)
        (finding,) = refused(path, self.TEXT)
        assert (finding.what, finding.remedy) == (
            "others may read it", f"chmod 600 {path.with_name('secrets.yaml')}",
        )  # fmt: skip

    @pytest.mark.parametrize("text", ["cp_1: [hidden-word\n", "hidden-word\n"])
    def test_a_broken_file_is_named_without_showing_what_is_in_it(self, path: Path, text: str) -> None:
        store = self.secrets(path, text)
        (finding,) = refused(path, self.TEXT)
        assert str(store) in finding.where and "hidden-word" not in str(finding)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("url: https://vtn", "url: http://vtn"),
            ("    client_secret: top-secret-1\n", "    client_secret: [top-secret-1]\n"),
            ("    password: top-secret-2", "    password: {a: top-secret-2}"),
        ],
    )
    def test_no_finding_shows_a_secret(self, path: Path, old: str, new: str) -> None:
        """Wrong before: a rule about a whole section was reported with the section, secrets included."""
        findings = load(path, changed(old, new)).findings
        assert findings and not any("top-secret" in str(finding) for finding in findings)

    def test_another_yaml_reader_of_the_process_knows_no_secrets(self, path: Path) -> None:
        from ruamel.yaml.constructor import RoundTripConstructor

        load(path, GOOD)
        assert "!secret" not in RoundTripConstructor.yaml_constructors
