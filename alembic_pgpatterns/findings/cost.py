"""The cost of a finding if nobody acts: reports show findings in this order."""

from __future__ import annotations

import enum

from alembic_pgpatterns.patterns import Finding, Pattern, Severity, registry
from alembic_pgpatterns.patterns.constraints.autovacuum_off import AutovacuumOff
from alembic_pgpatterns.patterns.constraints.circular_required_keys import CircularRequiredKeys
from alembic_pgpatterns.patterns.constraints.default_breaks_check import DefaultBreaksCheck
from alembic_pgpatterns.patterns.constraints.disabled_trigger import DisabledTrigger
from alembic_pgpatterns.patterns.constraints.half_null_foreign_key import HalfNullForeignKey
from alembic_pgpatterns.patterns.constraints.impossible_set_null import ImpossibleSetNull
from alembic_pgpatterns.patterns.constraints.missing_primary_key import MissingPrimaryKey
from alembic_pgpatterns.patterns.constraints.orm_cascade_mismatch import OrmCascadeMismatch
from alembic_pgpatterns.patterns.constraints.rewrite_rule import RewriteRule
from alembic_pgpatterns.patterns.constraints.unidentified_replica import UnidentifiedReplica
from alembic_pgpatterns.patterns.constraints.unlogged_table import UnloggedTable
from alembic_pgpatterns.patterns.constraints.unvalidated_constraint import UnvalidatedConstraint
from alembic_pgpatterns.patterns.indexes.case_sensitive_unique import CaseSensitiveUnique
from alembic_pgpatterns.patterns.indexes.nullable_unique import NullableUnique
from alembic_pgpatterns.patterns.indexes.unique_across_soft_deleted import UniqueAcrossSoftDeleted
from alembic_pgpatterns.patterns.revisions.irreversible_revision import IrreversibleRevision
from alembic_pgpatterns.patterns.revisions.model_drift import ModelDrift
from alembic_pgpatterns.patterns.security.extension_in_public import ExtensionInPublic
from alembic_pgpatterns.patterns.security.policy_evaluated_per_row import PolicyEvaluatedPerRow
from alembic_pgpatterns.patterns.security.unindexed_policy_column import UnindexedPolicyColumn
from alembic_pgpatterns.patterns.server.connection_budget import ConnectionBudget
from alembic_pgpatterns.patterns.server.live_drift import LiveDrift
from alembic_pgpatterns.patterns.server.no_idle_in_transaction_timeout import NoIdleInTransactionTimeout
from alembic_pgpatterns.patterns.server.no_lock_timeout import NoLockTimeout
from alembic_pgpatterns.patterns.server.no_statement_timeout import NoStatementTimeout
from alembic_pgpatterns.patterns.server.trust_authentication import TrustAuthentication
from alembic_pgpatterns.patterns.server.work_mem_budget import WorkMemBudget
from alembic_pgpatterns.patterns.server.wraparound import Wraparound
from alembic_pgpatterns.patterns.types.cycling_key import CyclingKey
from alembic_pgpatterns.patterns.types.epoch_as_integer import EpochAsInteger
from alembic_pgpatterns.patterns.types.float_for_money import FloatForMoney
from alembic_pgpatterns.patterns.types.float_key import FloatKey
from alembic_pgpatterns.patterns.types.foreign_key_type_mismatch import ForeignKeyTypeMismatch
from alembic_pgpatterns.patterns.types.frozen_time_default import FrozenTimeDefault
from alembic_pgpatterns.patterns.types.integer_primary_key import IntegerPrimaryKey
from alembic_pgpatterns.patterns.types.json_not_jsonb import JsonNotJsonb
from alembic_pgpatterns.patterns.types.money_type import MoneyType
from alembic_pgpatterns.patterns.types.random_uuid_primary_key import RandomUuidPrimaryKey
from alembic_pgpatterns.patterns.types.rounded_timestamp import RoundedTimestamp
from alembic_pgpatterns.patterns.types.sequence_too_narrow import SequenceTooNarrow
from alembic_pgpatterns.patterns.types.time_with_time_zone import TimeWithTimeZone
from alembic_pgpatterns.patterns.types.timestamp_without_time_zone import TimestampWithoutTimeZone


class Cost(enum.IntEnum):
    """The worst consequence of a finding, the most expensive first."""

    DATA = 1
    OUTAGE = 2
    SPEED = 3
    STYLE = 4

    def __str__(self) -> str:
        return {"DATA": "data and security", "OUTAGE": "outages", "SPEED": "speed", "STYLE": "style"}[self.name]


FOLDERS = {
    "security": Cost.DATA,
    "revisions": Cost.OUTAGE,
    "indexes": Cost.SPEED,
    "server": Cost.SPEED,
    "types": Cost.STYLE,
    "constraints": Cost.STYLE,
}
"""The cost of most patterns in a folder."""

_OTHERS: dict[Cost, tuple[type[Pattern], ...]] = {
    Cost.DATA: (
        CaseSensitiveUnique,
        FrozenTimeDefault,
        FloatKey,
        DisabledTrigger,
        FloatForMoney,
        HalfNullForeignKey,
        IrreversibleRevision,
        LiveDrift,
        MissingPrimaryKey,
        ModelDrift,
        MoneyType,
        NullableUnique,
        OrmCascadeMismatch,
        RewriteRule,
        RoundedTimestamp,
        TimeWithTimeZone,
        TimestampWithoutTimeZone,
        TrustAuthentication,
        UniqueAcrossSoftDeleted,
        UnloggedTable,
        UnvalidatedConstraint,
    ),
    Cost.OUTAGE: (
        CyclingKey,
        UnidentifiedReplica,
        ImpossibleSetNull,
        DefaultBreaksCheck,
        CircularRequiredKeys,
        AutovacuumOff,
        ConnectionBudget,
        EpochAsInteger,
        IntegerPrimaryKey,
        NoIdleInTransactionTimeout,
        NoLockTimeout,
        NoStatementTimeout,
        SequenceTooNarrow,
        WorkMemBudget,
        Wraparound,
    ),
    Cost.SPEED: (
        ForeignKeyTypeMismatch,
        JsonNotJsonb,
        PolicyEvaluatedPerRow,
        RandomUuidPrimaryKey,
        UnindexedPolicyColumn,
    ),
    Cost.STYLE: (ExtensionInPublic,),
}
_BY_NAME = {cls.name: cost for cost, classes in _OTHERS.items() for cls in classes}


def cost_of(pattern: str) -> Cost:
    """The cost of a pattern's findings. For a user's own pattern: by its folder, otherwise speed."""
    cls = registry().get(pattern)
    return _BY_NAME.get(pattern) or FOLDERS.get(cls.folder if cls is not None else "", Cost.SPEED)


def rank(finding: Finding) -> tuple[bool, int, int]:
    """The sort key of findings: guesses last, then by cost, then by severity."""
    return (finding.severity is Severity.INFO, cost_of(finding.pattern), -finding.severity)
