"""`hearth verify-record`: is an event's record whole, unchanged, and signed by this hub?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from gateway.model.proof import EventProof, SignedHead

LARGEST = 4_000_000


def verify_record(
    file: Annotated[Path, typer.Argument(help="The record, as GET /api/v1/dr/events/<event>/record gives it")],
    key: Annotated[str, typer.Option(help="The hub's public key, hex; not said: the record's own is shown")] = "",
) -> None:
    """Check an event's record: exit code 0 where it is whole, unchanged and signed; 1 where it is not; 2 where it is none."""
    from rich.console import Console
    from rich.table import Table

    from gateway.core.demand_response.record import faults

    console, proof = Console(), _read(file)
    table = Table(title=f"Event {proof.event}", title_justify="left")
    for head in ("", "time (UTC)", "step", "what"):
        table.add_column(head)
    for entry in proof.entries:
        told = ", ".join(f"{name}: {value}" for name, value in sorted(entry.facts.items()))
        table.add_row(str(entry.seq), f"{entry.at:%Y-%m-%d %H:%M:%S}", entry.step, told)
    console.print(table)
    found = faults(proof)
    if proof.head is not None:
        found += _signature_faults(proof.head, key.strip().lower())
    for words in found:
        console.print(f"[red]wrong:[/red] {words}")
    if found:
        raise typer.Exit(1)
    assert proof.head is not None
    console.print(
        f"Whole, unchanged, signed {proof.head.signed_at:%Y-%m-%d %H:%M:%S} UTC with key {proof.head.public_key}"
    )
    if not key:
        console.print("Compare this key with the one on the hub's page Events, Proof; or give it with --key.")


def _read(file: Path) -> EventProof:
    from gateway.core.demand_response.record import proof_from

    try:
        text = file.read_bytes()[:LARGEST].decode()
        document = json.loads(text)
        if not isinstance(document, dict):
            raise ValueError("it is no JSON object")
        return proof_from(document)
    except OSError as error:
        raise _unusable(f"{file}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise _unusable(f"{file}: {error}. Save it from the hub again, unchanged.") from error


def _unusable(words: str) -> typer.Exit:
    typer.echo(words, err=True)
    return typer.Exit(2)


def _signature_faults(head: SignedHead, key: str) -> list[str]:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from gateway.core.demand_response.record import head_message

    if key and key != head.public_key.lower():
        return [f"it is signed with another key, {head.public_key}"]
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(head.public_key))
        public.verify(bytes.fromhex(head.signature), head_message(head.event, head.count, head.digest, head.signed_at))
    except (InvalidSignature, ValueError):
        return ["the signature is not of this head and key"]
    return []
