"""Many executions of approved contracts a second: strict parse, policy, witness, judgement, one durable commit for all.

What `controller.signing` does step by step with boxes is done here at once, from bytes: a base PSBT, what two or more
signers added to it, and the approvals. Worker processes judge (`case`), the service admits and commits (`service`).
"""
