"""BiSCOL at the edge: the signing box, which decides by itself what its keys sign.

A packet comes in by the door (`sessions`), is judged (`policy`), debited (`ledger`) and signed (`keystore`); `clock` is
its own chain of headers. `service` joins them, `agent/signer_app.py` wires the process.
"""
