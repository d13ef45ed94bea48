"""The messages a central system may send: OCPP 2.0.1 edition 3 part 2 sections 1 to 3, and what 2.1 adds to them."""

from __future__ import annotations

from collections.abc import Mapping

from firmware_sim.ocppj.shapes import Anything, Flag, Group, Many, Number, Shape, Text, Time, Whole, one_of


def group(fields: Mapping[str, Shape]) -> Group:
    """An object of 2.x: customData may be added."""
    return Group(fields, custom=True)


EVSE = group({"id": Whole(0), "connectorId?": Whole(0)})
COMPONENT = group({"name": Text(50), "instance?": Text(50), "evse?": EVSE})
VARIABLE = group({"name": Text(50), "instance?": Text(50)})
ATTRIBUTE = one_of("Actual Target MinSet MaxSet")
UNIT = one_of("W A")
HASH_DATA = group(
    {
        "hashAlgorithm": one_of("SHA256 SHA384 SHA512"),
        "issuerNameHash": Text(128),
        "issuerKeyHash": Text(128),
        "serialNumber": Text(40),
    }
)
PURPOSES_201 = "ChargingStationExternalConstraints ChargingStationMaxProfile TxDefaultProfile TxProfile"
TOKENS_201 = "Central eMAID ISO14443 ISO15693 KeyCode Local MacAddress NoAuthorization"
TRIGGERS_201 = (
    "BootNotification LogStatusNotification FirmwareStatusNotification Heartbeat MeterValues "
    "SignChargingStationCertificate SignV2GCertificate StatusNotification TransactionEvent SignCombinedCertificate "
    "PublishFirmwareStatusNotification"
)
ROOTS_201 = "V2GRootCertificate MORootCertificate CSMSRootCertificate ManufacturerRootCertificate"
REFUSALS = "Blocked ConcurrentTx Expired Invalid NoCredit NotAllowedTypeEVSE NotAtThisLocation NotAtThisTime Unknown"
CERTIFICATE_STATES = (
    "Accepted SignatureError CertificateExpired CertificateRevoked NoCertificateAvailable CertChainError "
    "ContractCancelled"
)


class Book:
    """All shapes of one version: `calls` of the central system, and its `answers` to ours."""

    def __init__(self, version: str) -> None:
        self.v21 = version == "2.1"
        self.calls: dict[str, Shape] = self._calls()
        self.answers: dict[str, Shape] = self._answers()

    def _either(self, both: str, only_21: str) -> str:
        return f"{both} {only_21}" if self.v21 else both

    # --- parts --------------------------------------------------------------------------------------------------

    def _info(self) -> Group:
        return group({"reasonCode": Text(20), "additionalInfo?": Text(1024 if self.v21 else 512)})

    def _token(self) -> Group:
        most = 255 if self.v21 else 36
        extra = group({"additionalIdToken": Text(most), "type": Text(50)})
        kind: Shape = Text(20) if self.v21 else one_of(TOKENS_201)
        return group({"idToken": Text(most), "type": kind, "additionalInfo?": Many(extra)})

    def _message(self) -> Group:
        formats = one_of(self._either("ASCII HTML URI UTF8", "QRCODE"))
        return group({"format": formats, "language?": Text(8), "content": Text(1024 if self.v21 else 512)})

    def _token_info(self) -> Group:
        return group(
            {
                "status": one_of(f"Accepted {REFUSALS}"),
                "cacheExpiryDateTime?": Time(),
                "chargingPriority?": Whole(),
                "groupIdToken?": self._token(),
                "language1?": Text(8),
                "language2?": Text(8),
                "evseId?": Many(Whole(0)),
                "personalMessage?": self._message(),
            }
        )

    def _purpose(self) -> Shape:
        return one_of(self._either(PURPOSES_201, "PriorityCharging LocalGeneration"))

    def _period(self) -> Group:
        plain: dict[str, Shape] = {
            "startPeriod": Whole(0),
            "limit": Number(),
            "numberPhases?": Whole(0, 3),
            "phaseToUse?": Whole(0, 3),
        }
        if not self.v21:
            return group(plain)
        plain["limit?"] = plain.pop("limit")
        numbers = "limit_L2 limit_L3 setpoint setpoint_L2 setpoint_L3 setpointReactive setpointReactive_L2"
        more: dict[str, Shape] = {f"{name}?": Number() for name in f"{numbers} setpointReactive_L3 v2xBaseline".split()}
        discharge = ["dischargeLimit", "dischargeLimit_L2", "dischargeLimit_L3"]
        more |= {f"{name}?": Number(most=0) for name in discharge}
        more |= {"preconditioningRequest?": Flag(), "evseSleep?": Flag(), "operationMode?": one_of(MODES)}
        more |= {"v2xFreqWattCurve?": Many(Anything(), most=20), "v2xSignalWattCurve?": Many(Anything(), most=20)}
        return group(plain | more)

    def _schedule(self) -> Group:
        plain: dict[str, Shape] = {
            "id": Whole(),
            "startSchedule?": Time(),
            "duration?": Whole(0),
            "chargingRateUnit": UNIT,
            "minChargingRate?": Number(),
            "chargingSchedulePeriod": Many(self._period(), most=1024),
            "salesTariff?": Anything(),
        }
        if self.v21:
            plain |= {
                "limitAtSoC?": group({"soc": Whole(0, 100), "limit": Number()}),
                "powerTolerance?": Number(),
                "signatureId?": Whole(0),
                "digestValue?": Text(88),
                "useLocalTime?": Flag(),
                "randomizedDelay?": Whole(0),
                "absolutePriceSchedule?": Anything(),
                "priceLevelSchedule?": Anything(),
            }
        return group(plain)

    def _profile(self) -> Group:
        plain: dict[str, Shape] = {
            "id": Whole(),
            "stackLevel": Whole(0),
            "chargingProfilePurpose": self._purpose(),
            "chargingProfileKind": one_of(self._either("Absolute Recurring Relative", "Dynamic")),
            "recurrencyKind?": one_of("Daily Weekly"),
            "validFrom?": Time(),
            "validTo?": Time(),
            "transactionId?": Text(36),
            "chargingSchedule": Many(self._schedule(), most=3),
        }
        if self.v21:
            plain |= {
                "maxOfflineDuration?": Whole(),
                "invalidAfterOfflineDuration?": Flag(),
                "dynUpdateInterval?": Whole(),
                "dynUpdateTime?": Time(),
                "priceScheduleSignature?": Text(256),
            }
        return group(plain)

    # --- what the central system asks ---------------------------------------------------------------------------

    def _calls(self) -> dict[str, Shape]:
        return {**self._control_calls(), **self._profile_calls(), **self._security_calls(), **self._model_calls()}

    def _control_calls(self) -> dict[str, Shape]:
        triggers = self._either(TRIGGERS_201, "SignV2G20Certificate CustomTrigger")
        custom: dict[str, Shape] = {"customTrigger?": Text(50)} if self.v21 else {}
        kinds = self._either("Immediate OnIdle", "ImmediateAndResume")
        return {
            "ChangeAvailability": group({"evse?": EVSE, "operationalStatus": one_of("Inoperative Operative")}),
            "ClearCache": group({}),
            "DataTransfer": group({"messageId?": Text(50), "data?": Anything(), "vendorId": Text(255)}),
            "GetLocalListVersion": group({}),
            "GetTransactionStatus": group({"transactionId?": Text(36)}),
            "RequestStartTransaction": group(
                {
                    "evseId?": Whole(1),
                    "remoteStartId": Whole(),
                    "idToken": self._token(),
                    "groupIdToken?": self._token(),
                    "chargingProfile?": self._profile(),
                }
            ),
            "RequestStopTransaction": group({"transactionId": Text(36)}),
            "Reset": group({"type": one_of(kinds), "evseId?": Whole(0)}),
            "TriggerMessage": group({"evse?": EVSE, "requestedMessage": one_of(triggers), **custom}),
            "UnlockConnector": group({"evseId": Whole(0), "connectorId": Whole(0)}),
        }

    def _profile_calls(self) -> dict[str, Shape]:
        place: dict[str, Shape] = {"chargingProfilePurpose?": self._purpose(), "stackLevel?": Whole(0)}
        source: Shape = Text(20) if self.v21 else one_of("EMS Other SO CSO")
        wanted = {**place, "chargingProfileId?": Many(Whole()), "chargingLimitSource?": Many(source, most=4)}
        return {
            "ClearChargingProfile": group(
                {"chargingProfileId?": Whole(), "chargingProfileCriteria?": group({"evseId?": Whole(0), **place})}
            ),
            "GetChargingProfiles": group(
                {"requestId": Whole(), "evseId?": Whole(0), "chargingProfile": group(wanted)}
            ),
            "GetCompositeSchedule": group({"duration": Whole(), "chargingRateUnit?": UNIT, "evseId": Whole(0)}),
            "SetChargingProfile": group({"evseId": Whole(0), "chargingProfile": self._profile()}),
        }  # fmt: skip

    def _security_calls(self) -> dict[str, Shape]:
        kinds = self._either("ChargingStationCertificate V2GCertificate", "V2G20Certificate")
        roots = self._either(ROOTS_201, "OEMRootCertificate")
        request: dict[str, Shape] = {"requestId?": Whole()} if self.v21 else {}
        location = Text(2000 if self.v21 else 512)
        log = group({"remoteLocation": location, "oldestTimestamp?": Time(), "latestTimestamp?": Time()})
        return {
            "CertificateSigned": group(
                {"certificateChain": Text(10_000), "certificateType?": one_of(kinds), **request}
            ),
            "DeleteCertificate": group({"certificateHashData": HASH_DATA}),
            "GetInstalledCertificateIds": group({"certificateType?": Many(one_of(f"{roots} V2GCertificateChain"))}),
            "GetLog": group(
                {
                    "log": log,
                    "logType": one_of(self._either("DiagnosticsLog SecurityLog", "DataCollectorLog")),
                    "requestId": Whole(),
                    "retries?": Whole(0),
                    "retryInterval?": Whole(0),
                }
            ),
            "InstallCertificate": group(
                {"certificateType": one_of(roots), "certificate": Text(10_000 if self.v21 else 5500)}
            ),
        }  # fmt: skip

    def _model_calls(self) -> dict[str, Shape]:
        named: dict[str, Shape] = {"component": COMPONENT, "variable": VARIABLE}
        read = group({"attributeType?": ATTRIBUTE, **named})
        value = Text(2500 if self.v21 else 1000)
        write = group({"attributeType?": ATTRIBUTE, "attributeValue": value, **named})
        criteria = Many(one_of("Active Available Enabled Problem"), most=4)
        bases = one_of("ConfigurationInventory FullInventory SummaryInventory")
        return {
            "GetBaseReport": group({"requestId": Whole(), "reportBase": bases}),
            "GetReport": group(
                {
                    "requestId": Whole(),
                    "componentCriteria?": criteria,
                    "componentVariable?": Many(group({"component": COMPONENT, "variable?": VARIABLE})),
                }
            ),
            "GetVariables": group({"getVariableData": Many(read)}),
            "SetVariables": group({"setVariableData": Many(write)}),
        }

    # --- what it answers ----------------------------------------------------------------------------------------

    def _answers(self) -> dict[str, Shape]:
        info: dict[str, Shape] = {"statusInfo?": self._info()}
        yes_no = group({"status": one_of("Accepted Rejected"), **info})
        needs = self._either("Accepted Rejected Processing", "NoChargingProfile")
        silent = (
            "FirmwareStatusNotification LogStatusNotification MeterValues NotifyReport "
            "ReportChargingProfiles SecurityEventNotification StatusNotification"
        )
        return {
            **dict.fromkeys(silent.split(), group({})),
            "Authorize": group(
                {
                    "idTokenInfo": self._token_info(),
                    "certificateStatus?": one_of(CERTIFICATE_STATES),
                    **({"allowedEnergyTransfer?": Many(Text()), "tariff?": Anything()} if self.v21 else {}),
                }
            ),
            "BootNotification": group(
                {
                    "currentTime": Time(),
                    "interval": Whole(0),
                    "status": one_of("Accepted Pending Rejected"),
                    **info,
                }
            ),
            "Heartbeat": group({"currentTime": Time()}),
            "NotifyEVChargingNeeds": group({"status": one_of(needs), **info}),
            "NotifyEVChargingSchedule": yes_no,
            "SignCertificate": yes_no,
            "TransactionEvent": self._event_answer(),
        }

    def _event_answer(self) -> Group:
        plain: dict[str, Shape] = {
            "totalCost?": Number(),
            "chargingPriority?": Whole(-9, 9),
            "idTokenInfo?": self._token_info(),
            "updatedPersonalMessage?": self._message(),
        }
        if self.v21:
            more = Many(self._message(), most=4)
            plain |= {"transactionLimit?": Anything(), "updatedPersonalMessageExtra?": more}
        return group(plain)


MODES = (
    "Idle ChargingOnly CentralSetpoint ExternalSetpoint ExternalLimits CentralFrequency LocalFrequency "
    "LocalLoadBalancing"
)
BOOKS = {version: Book(version) for version in ("2.0.1", "2.1")}
