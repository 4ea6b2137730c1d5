"""Ids by which a forward is refused, the same at the controller and in a box. None is ever renamed or reused."""

TERMS = "forward.terms"
ORACLE = "forward.oracle"
REFUND_LOCK = "forward.refund-lock"
BAD_ADAPTOR = "forward.bad-adaptor"
BAD_SIGNATURE = "forward.bad-signature"
ORACLE_LIES = "forward.oracle-lies"
