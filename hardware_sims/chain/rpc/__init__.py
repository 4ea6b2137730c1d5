"""The JSON-RPC of Bitcoin Core 28: names, parameters, fields, error codes and texts that the suite meets.

What differs: scripts are told as hex, address and type without `asm` and `desc`; `scantxoutset` takes `addr()` and
`raw()`; the engine does not say which opcode refused a script, so that reason is "unknown error".
"""
