"""Adds a device to the site file as a careful person would: nothing else of it changes, and a mistake changes nothing.

The new lines are put behind the last device. The file then must read as the old one with just this device more, must
be sound, and must still be the file that was read: only then it takes the old one's place, which is kept as .bak.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from gateway.config import SiteFile
from gateway.model.errors import SiteFileError, WishRefused


def file_hash(path: Path) -> str:
    """What stands for the file's content; raises WishRefused when it cannot be read."""
    return hashlib.sha256(_read(path)).hexdigest()


def add_device(
    path: Path,
    device: str,
    entry: Mapping[str, Any],
    *,
    expected: str,
    load: Callable[[Path], SiteFile],
) -> SiteFile:
    """Add one device; `expected` is the `file_hash` of the file as it was checked. Raises WishRefused.

    The answer is the new file as `load` reads it.
    """
    path = path.resolve()
    old = _read(path)
    if hashlib.sha256(old).hexdigest() != expected:
        raise WishRefused(f"{path.name} was changed in this very moment. Try again.")
    text = old.decode("utf-8")
    if device in (_parsed(text).get("devices") or {}):
        raise WishRefused(f"There is a device '{device}' already. Choose another id.")
    new = _with_device(text, device, entry)
    return _put_in_place(path, new, device, load)


def lines_of(device: str, entry: Mapping[str, Any], indent: str = "  ") -> list[str]:
    """The lines of one device for the section `devices`."""
    lines = [f"{indent}{device}:"]
    return lines + [f"{indent * 2}{key}: {_flow(value)}" for key, value in entry.items()]


def _with_device(text: str, device: str, entry: Mapping[str, Any]) -> str:
    before = _parsed(text)
    wanted = {**before, "devices": {**(before.get("devices") or {}), device: dict(entry)}}
    lines = text.splitlines(keepends=True)
    place, indent = _end_of_devices(lines)
    added = [line + "\n" for line in lines_of(device, entry, indent)]
    if place is None:
        place, added = len(lines), ["devices:\n", *added]
    if place and not lines[place - 1].endswith("\n"):
        lines[place - 1] += "\n"
    new = "".join([*lines[:place], *added, *lines[place:]])
    try:
        fits = _parsed(new) == wanted
    except WishRefused:
        fits = False
    return new if fits else _written_anew(text, device, entry)


def _end_of_devices(lines: list[str]) -> tuple[int | None, str]:
    """Behind which line the last device ends, and how far devices are indented; None without such a section."""
    start = next((number for number, line in enumerate(lines) if line.startswith("devices:")), None)
    if start is None:
        return None, "  "
    end, indent = start + 1, ""
    for number in range(start + 1, len(lines)):
        stripped = lines[number].strip()
        if not stripped or stripped.startswith("#"):
            continue
        if not lines[number].startswith((" ", "\t")):
            break
        indent = indent or lines[number][: len(lines[number]) - len(lines[number].lstrip())]
        end = number + 1
    return end, indent or "  "


def _written_anew(text: str, device: str, entry: Mapping[str, Any]) -> str:
    """For a file whose devices are not written line by line: the whole of it anew, comments kept."""
    yaml = _yaml()
    document = yaml.load(text)
    if not isinstance(document.get("devices"), dict):
        document["devices"] = {}
    document["devices"][device] = dict(entry)
    out = StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def _put_in_place(path: Path, text: str, device: str, load: Callable[[Path], SiteFile]) -> SiteFile:
    made = path.with_name(f".{path.name}.new")
    try:
        made.write_bytes(text.encode("utf-8"))
        shutil.copystat(path, made)
        _sync(made)
        _check(made, device, load)
        shutil.copy2(path, path.with_name(f"{path.name}.bak"))
        made.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise WishRefused(f"{path} cannot be written ({error.strerror}). Add the device by hand.") from error
    finally:
        made.unlink(missing_ok=True)
    return load(path)


def _check(made: Path, device: str, load: Callable[[Path], SiteFile]) -> None:
    try:
        read = load(made)
    except SiteFileError as error:
        raise WishRefused(f"The site file would no longer be sound: {error.findings[0]}") from error
    if not any(each.device.id == device for each in read.devices):
        why = next((f for f in read.findings if f"devices.{device}" in f.where), None)
        raise WishRefused(f"The device cannot be used: {f'{why.what}. {why.remedy}' if why else 'it is left out'}")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise WishRefused(f"{path} cannot be read ({error.strerror}).") from error


def _yaml() -> Any:
    from ruamel.yaml import YAML

    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 1000
    return yaml


def _parsed(text: str) -> dict[str, Any]:
    """The document as plain data, secrets by their names; raises WishRefused."""
    from ruamel.yaml.error import YAMLError

    try:
        document = _yaml().load(text)
    except YAMLError as error:
        raise WishRefused(f"The site file is not YAML: {getattr(error, 'problem', None) or 'unreadable'}.") from error
    if not isinstance(document, dict):
        raise WishRefused("The site file holds no sections.")
    return {str(key): _comparable(value) for key, value in document.items()}


def _comparable(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _comparable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_comparable(item) for item in value]
    tag = getattr(value, "tag", None)
    if tag is not None and hasattr(value, "value"):  # a tagged scalar such as !secret
        return f"{tag}:{value.value}"
    return value


def _flow(value: Any) -> str:
    """One value on one line, quoted by the YAML library where it must be."""
    from ruamel.yaml import YAML

    yaml: Any = YAML(typ="safe", pure=True)
    yaml.default_flow_style = True
    yaml.allow_unicode = True
    yaml.sort_base_mapping_type_on_output = False
    yaml.width = 10_000
    out = StringIO()
    yaml.dump(value, out)
    return out.getvalue().removesuffix("...\n").strip()
