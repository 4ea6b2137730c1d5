"""BiSCOL at the edge: the signing box. Its keys, policy and ledger are the next stage; see `agent/signer_app.py`."""
