"""A device described by its own Home Assistant discovery: the profile it publishes, followed as it changes.

config messages (retained) --> entities --> choice --> Profile      the device is read by that
another config, or an empty one --> the profile made anew           and by this from then on
"""

from __future__ import annotations

from adapters.mqtt.ha_choice import Choice, choose
from adapters.mqtt.ha_entity import BadConfig, Config, Entity, read_config
from adapters.mqtt.mailbox import Message
from adapters.mqtt.presence import Availability
from adapters.mqtt.profile import Profile
from adapters.mqtt.settings import HOME_ASSISTANT, MqttDeviceSettings
from gateway.model.site import Role

SETTLE_S = 2.0
"""Values described one by one arrive one by one, s of the world: until the last is there, which is meant is a guess."""
MAX_CONFIGS = 256
"""Config messages kept of one device."""


class DiscoveredProfile:
    """What one device's config messages say by now.

    `topic` in the settings is the device's id: the device form's own, a node id, or one of its identifiers; or the
    whole topic of its only config message.
    """

    def __init__(self, settings: MqttDeviceSettings, role: Role, prefix: str, settle_s: float = SETTLE_S) -> None:
        self._settings, self._role, self._id, self._prefix = settings, role, settings.topic, f"{prefix}/"
        self._settle_s = settle_s
        whole = settings.topic.endswith("/config")
        node = (f"{prefix}/device/{self._id}/config", f"{prefix}/+/{self._id}/+/config")
        self._scattered = "" if whole else f"{prefix}/sensor/+/config"
        """Where devices without a node id describe each value, told apart by their identifiers."""
        self.filters = frozenset([settings.topic] if whole else [*node, self._scattered])
        self._raw: dict[str, bytes] = {}
        self._configs: dict[str, Config] = {}
        self._bad = ""
        self.profile = self._profile(Choice((), (), ()))
        self.findings: tuple[str, ...] = ()

    def hears(self, topic: str) -> bool:
        """Whether the topic carries a config message."""
        return topic == self._id or (topic.endswith("/config") and topic.startswith(self._prefix))

    @property
    def settle_s(self) -> float:
        """How long to wait for more descriptions before this one is followed, s of the world."""
        whole = bool(self._settings.entities) or all(config.whole for config in self._configs.values())
        return 0.0 if whole else self._settle_s

    def hear(self, message: Message) -> bool:
        """Take up a config message; whether the profile is another one now."""
        if self._raw.get(message.topic) == message.payload:
            return False
        try:
            changed = self._keep(message)
        except BadConfig as error:
            if self._id in message.topic:
                self._bad = f"{message.topic}: {error}."
            return False
        if changed:
            self._choose()
        return changed

    @property
    def troubles(self) -> tuple[str, ...]:
        """What could not be used, or settled, in words."""
        bad = (self._bad,) if self._bad else ()
        if not self._configs:
            return (f"Home Assistant discovery of {self._id} is not on the broker", *bad)
        return (*self.findings, *bad)

    def _keep(self, message: Message) -> bool:
        """Raises BadConfig; what it said before then holds on."""
        topic = message.topic
        if not message.payload.strip():
            self._raw.pop(topic, None)
            return self._configs.pop(topic, None) is not None
        config = read_config(topic, message.payload)
        if not self._is_ours(topic, config):
            return False
        if topic not in self._configs and len(self._configs) >= MAX_CONFIGS:
            raise BadConfig(f"there are more than {MAX_CONFIGS} of them")
        self._raw[topic], self._bad = message.payload, ""
        same = self._configs.get(topic) == config
        self._configs[topic] = config
        return not same

    def _is_ours(self, topic: str, config: Config) -> bool:
        parts = topic.split("/")
        return topic in self.filters or parts[-3] == self._id or parts[-2] == self._id or self._id in config.owners

    def _choose(self) -> None:
        entities = [entity for config in self._configs.values() for entity in config.entities]
        choice = choose(entities, self._settings.entities, self._role)
        nothing = ("it describes nothing that is measured here",) if not choice.states and not choice.findings else ()
        self.findings = (*choice.findings, *nothing)
        self.profile = self._profile(choice)

    def _profile(self, choice: Choice) -> Profile:
        availability, mode = _together(choice.entities)
        return Profile(
            name=HOME_ASSISTANT, maker="", model=self._id, source="Home Assistant discovery", verified="",
            states=choice.states, availability=availability, commands={}, request=None, availability_mode=mode,
        )  # fmt: skip


def _together(entities: tuple[Entity, ...]) -> tuple[tuple[Availability, ...], str]:
    """One availability for the device: its entities' own where they agree, else all topics, each of which counts."""
    ways = {(entity.availability, entity.mode) for entity in entities}
    if len(ways) == 1:
        return ways.pop()
    return tuple(dict.fromkeys(each for availability, _ in ways for each in availability)), "all"
