"""OCPP-J, what differs by version: message types, error codes, how long an answer may take."""

from __future__ import annotations

CALL, RESULT, ERROR, RESULT_ERROR, SEND = 2, 3, 4, 5, 6
"""Message type numbers; 5 and 6 are OCPP 2.1's own (part 4, section 4.1.3)."""
ID_LENGTH = 36
"""OCPP-J 1.6 section 4.1.4; OCPP 2.x part 4 section 4.1.4."""
UNREADABLE_ID = "-1"
"""Message id of an error about a message whose own id cannot be read (OCPP 2.x part 4, section 4.2.3)."""

DEFAULT_TIMEOUT_S = 10.0
TIMEOUTS_S = {
    "SetChargingProfile": 5.0,
    "GetConfiguration": 20.0,
    "ChangeConfiguration": 15.0,
    "GetVariables": 20.0,
    "SetVariables": 20.0,
    "GetBaseReport": 20.0,
    "GetReport": 20.0,
    "GetCompositeSchedule": 15.0,
    "UnlockConnector": 30.0,
    "GetDiagnostics": 20.0,
    "GetLog": 20.0,
    "CertificateSigned": 30.0,
    "InstallCertificate": 30.0,
    "DeleteCertificate": 30.0,
}
"""Real seconds; where a charger must move a bolt, search its flash or check a signature, it takes its time."""

_CODES_16 = {
    "FormatViolation": "FormationViolation",
    "OccurrenceConstraintViolation": "OccurenceConstraintViolation",
    "RpcFrameworkError": "GenericError",
    "MessageTypeNotSupported": "GenericError",
}
"""The spelling of OCPP-J 1.6 table 7, typing errors included."""
_CODES_2 = {old: new for new, old in _CODES_16.items() if old != "GenericError"}
_COMMON = (
    "NotImplemented",
    "NotSupported",
    "InternalError",
    "ProtocolError",
    "SecurityError",
    "PropertyConstraintViolation",
    "TypeConstraintViolation",
    "GenericError",
)

CODE_OF_RULE = {"required": "OccurrenceConstraintViolation", "type": "TypeConstraintViolation"}


def spelled(code: str, version: str) -> str:
    """An error code as this version writes it; one it does not have becomes GenericError."""
    other, own = (_CODES_16, _CODES_2) if version == "1.6" else (_CODES_2, _CODES_16)
    code = other.get(code, code)
    return code if code in _COMMON or code in own else "GenericError"
