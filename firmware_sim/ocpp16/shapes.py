"""The messages a central system may send: OCPP 1.6 edition 2 section 6, and the security whitepaper section 5."""

from __future__ import annotations

from firmware_sim.ocppj.shapes import Group, Many, Number, OneOf, Shape, Text, Time, Whole, one_of

TAG = Text(20)
PURPOSE = one_of("ChargePointMaxProfile TxDefaultProfile TxProfile")
UNIT = one_of("A W")
TAG_INFO = Group(
    {"status": one_of("Accepted Blocked Expired Invalid ConcurrentTx"), "expiryDate?": Time(), "parentIdTag?": TAG}
)
PERIOD = Group({"startPeriod": Whole(0), "limit": Number(0, decimals=1), "numberPhases?": Whole(1, 3)})
SCHEDULE = Group(
    {
        "duration?": Whole(0),
        "startSchedule?": Time(),
        "chargingRateUnit": UNIT,
        "chargingSchedulePeriod": Many(PERIOD),
        "minChargingRate?": Number(0, decimals=1),
    }
)
PROFILE = Group(
    {
        "chargingProfileId": Whole(),
        "transactionId?": Whole(),
        "stackLevel": Whole(0),
        "chargingProfilePurpose": PURPOSE,
        "chargingProfileKind": one_of("Absolute Recurring Relative"),
        "recurrencyKind?": one_of("Daily Weekly"),
        "validFrom?": Time(),
        "validTo?": Time(),
        "chargingSchedule": SCHEDULE,
    }
)
HASH_DATA = Group(
    {
        "hashAlgorithm": one_of("SHA256 SHA384 SHA512"),
        "issuerNameHash": Text(128),
        "issuerKeyHash": Text(128),
        "serialNumber": Text(40),
    }
)
ROOTS = one_of("CentralSystemRootCertificate ManufacturerRootCertificate")
LOG = Group({"remoteLocation": Text(512), "oldestTimestamp?": Time(), "latestTimestamp?": Time()})
LISTED = Group({"idTag": TAG, "idTagInfo?": TAG_INFO})
TRIGGERS = "BootNotification FirmwareStatusNotification Heartbeat MeterValues StatusNotification"

CALLS: dict[str, Group] = {
    "CancelReservation": Group({"reservationId": Whole()}),
    "CertificateSigned": Group({"certificateChain": Text(10_000)}),
    "ChangeAvailability": Group({"connectorId": Whole(0), "type": one_of("Inoperative Operative")}),
    "ChangeConfiguration": Group({"key": Text(50), "value": Text(500)}),
    "ClearCache": Group(),
    "ClearChargingProfile": Group(
        {"id?": Whole(), "connectorId?": Whole(0), "chargingProfilePurpose?": PURPOSE, "stackLevel?": Whole(0)}
    ),
    "DataTransfer": Group({"vendorId": Text(255), "messageId?": Text(50), "data?": Text()}),
    "DeleteCertificate": Group({"certificateHashData": HASH_DATA}),
    "ExtendedTriggerMessage": Group(
        {
            "requestedMessage": OneOf((*TRIGGERS.split(), "LogStatusNotification", "SignChargePointCertificate")),
            "connectorId?": Whole(1),
        }
    ),
    "GetCompositeSchedule": Group({"connectorId": Whole(0), "duration": Whole(0), "chargingRateUnit?": UNIT}),
    "GetConfiguration": Group({"key?": Many(Text(50), least=0)}),
    "GetDiagnostics": Group(
        {"location": Text(), "retries?": Whole(0), "retryInterval?": Whole(0), "startTime?": Time(), "stopTime?": Time()}
    ),
    "GetInstalledCertificateIds": Group({"certificateType": ROOTS}),
    "GetLocalListVersion": Group(),
    "GetLog": Group(
        {
            "log": LOG,
            "logType": one_of("DiagnosticsLog SecurityLog"),
            "requestId": Whole(),
            "retries?": Whole(0),
            "retryInterval?": Whole(0),
        }
    ),
    "InstallCertificate": Group({"certificateType": ROOTS, "certificate": Text(5500)}),
    "RemoteStartTransaction": Group({"connectorId?": Whole(1), "idTag": TAG, "chargingProfile?": PROFILE}),
    "RemoteStopTransaction": Group({"transactionId": Whole()}),
    "Reset": Group({"type": one_of("Hard Soft")}),
    "SendLocalList": Group(
        {
            "listVersion": Whole(),
            "localAuthorizationList?": Many(LISTED, least=0),
            "updateType": one_of("Differential Full"),
        }
    ),
    "SetChargingProfile": Group({"connectorId": Whole(0), "csChargingProfiles": PROFILE}),
    "TriggerMessage": Group(
        {
            "requestedMessage": OneOf((*TRIGGERS.split(), "DiagnosticsStatusNotification")),
            "connectorId?": Whole(1),
        }
    ),
    "UnlockConnector": Group({"connectorId": Whole(1)}),
}  # fmt: skip

ANSWERS: dict[str, Shape] = {
    "Authorize": Group({"idTagInfo": TAG_INFO}),
    "BootNotification": Group(
        {"status": one_of("Accepted Pending Rejected"), "currentTime": Time(), "interval": Whole(0)}
    ),
    "DataTransfer": Group(
        {"status": one_of("Accepted Rejected UnknownMessageId UnknownVendorId"), "data?": Text()}
    ),
    "DiagnosticsStatusNotification": Group(),
    "FirmwareStatusNotification": Group(),
    "Heartbeat": Group({"currentTime": Time()}),
    "LogStatusNotification": Group(),
    "MeterValues": Group(),
    "SecurityEventNotification": Group(),
    "SignCertificate": Group({"status": one_of("Accepted Rejected")}),
    "StartTransaction": Group({"idTagInfo": TAG_INFO, "transactionId": Whole()}),
    "StatusNotification": Group(),
    "StopTransaction": Group({"idTagInfo?": TAG_INFO}),
}  # fmt: skip
