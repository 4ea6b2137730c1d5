"""The treasury: what waits for a person, one contract, one payment."""
