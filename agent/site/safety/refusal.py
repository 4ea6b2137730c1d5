"""The ids of the interlocks; each has a line in docs/refusals.md."""

CHIP_HOT = "interlock.chip-hot"
INLET_HIGH = "interlock.inlet-high"
FEEDER_FULL = "interlock.feeder-full"
LOAD_UNKNOWN = "interlock.load-unknown"
FEEDER_OVERLOAD = "interlock.feeder-overload"
PHASE_IMBALANCE = "interlock.phase-imbalance"
POOL_NOT_ALLOWED = "policy.pool-not-allowed"
