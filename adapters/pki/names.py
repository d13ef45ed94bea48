"""The names and addresses under which chargers find this hub."""

from __future__ import annotations

import fcntl
import ipaddress
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass

SIOCGIFADDR = 0x8915
"""Linux ioctl: the IPv4 address of an interface (netdevice(7))."""


@dataclass(frozen=True, slots=True)
class HubNames:
    """Host names and IP addresses, the ones to use first."""

    hosts: tuple[str, ...]
    addresses: tuple[str, ...]


def flat(names: HubNames) -> list[str]:
    """Host names and addresses in one list."""
    return [*names.hosts, *names.addresses]


def hub_names(extra: Sequence[str] = ()) -> HubNames:
    """What this hub is called: its host name, that with .local (mDNS), `extra`, and its addresses; loopback last."""
    name = socket.gethostname().split(".")[0].lower()
    hosts = [host for host in (f"{name}.local", name, *extra, "localhost") if _is_host(host)]
    given = [text for text in extra if _is_address(text)]
    return HubNames(tuple(dict.fromkeys(hosts)), tuple(dict.fromkeys([*given, *_interface_addresses(), "127.0.0.1"])))


def _interface_addresses() -> list[str]:
    found = []
    try:
        interfaces = [name for _, name in socket.if_nameindex()]
    except OSError:
        return []  # a service that may not ask the kernel for them: the host name stays
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        for interface in interfaces:
            try:
                answer = fcntl.ioctl(asked.fileno(), SIOCGIFADDR, struct.pack("256s", interface.encode()[:15]))
            except OSError:
                continue  # an interface without an IPv4 address
            found.append(socket.inet_ntoa(answer[20:24]))
    return [address for address in found if not ipaddress.ip_address(address).is_loopback]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_host(text: str) -> bool:
    labels = text.split(".")
    fit = all(0 < len(label) < 64 and label.replace("-", "").isalnum() for label in labels)
    return text.isascii() and len(text) < 250 and fit and not _is_address(text)
