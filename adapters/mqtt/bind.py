"""A profile for one device: its own topic and channel put in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from adapters.mqtt.decode import State
from adapters.mqtt.profile import Command, Profile


def bind(profile: Profile, topic: str, channel: int | None = None) -> Profile:
    """The profile with this device's own topic in place of {topic} and its channel in place of {channel}.

    Without a channel {channel} is 0, and no value is chosen out of a list.
    """

    def put(template: Any) -> Any:
        if isinstance(template, dict):
            return {key: put(part) for key, part in template.items()}
        if isinstance(template, tuple):
            return tuple(put(part) for part in template)
        if isinstance(template, str):
            return template.replace("{topic}", topic).replace("{channel}", str(channel or 0))
        return template

    listed = channel is not None or any(state.add_list for state in profile.states)

    def bind_state(state: State) -> State:
        parts = tuple(replace(part, topic=put(part.topic), path=put(part.path)) for part in state.parts)
        return replace(state, topic=put(state.topic), path=put(state.path), parts=parts, channel=channel, listed=listed)

    def bind_command(command: Command) -> Command:
        return replace(command, topic=put(command.topic), payload=put(command.payload),
                       reply_topic=put(command.reply_topic))  # fmt: skip

    request = profile.request
    return replace(
        profile,
        states=tuple(bind_state(state) for state in profile.states),
        availability=tuple(replace(here, topic=put(here.topic)) for here in profile.availability),
        commands={kind: bind_command(command) for kind, command in profile.commands.items()},
        request=replace(request, topic=put(request.topic), payload=put(request.payload)) if request else None,
    )
