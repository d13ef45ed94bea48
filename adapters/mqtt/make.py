"""The device a site file's entry asks for: by a profile file, by its own discovery, or by telegrams."""

from __future__ import annotations

from pathlib import Path

from adapters.mqtt.broker import Broker
from adapters.mqtt.device import MqttDevice
from adapters.mqtt.ha_source import DiscoveredProfile
from adapters.mqtt.profile import load_profile
from adapters.mqtt.settings import HOME_ASSISTANT, P1_TELEGRAM, MqttDeviceSettings
from adapters.mqtt.telegram import Decode, TelegramDevice
from gateway.model.site import Device
from gateway.ports import Clock


def mqtt_device(
    device: Device, settings: MqttDeviceSettings, profiles: Path, broker: Broker, clock: Clock, decode_p1: Decode
) -> MqttDevice | TelegramDevice:
    """A device behind a broker; `profiles` holds the profile files. Raises SiteFileError for a profile that is none."""
    if settings.profile == P1_TELEGRAM:
        return TelegramDevice(device, settings, decode_p1, broker, clock)
    if settings.profile == HOME_ASSISTANT:
        discovered = DiscoveredProfile(settings, device.role, broker.discovery_prefix)
        return MqttDevice(device, settings, discovered, broker, clock)
    return MqttDevice(device, settings, load_profile(settings.profile, profiles), broker, clock)
