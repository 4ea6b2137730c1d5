"""The JSON-RPC of Bitcoin Core 29: names, parameters, fields, error codes and texts that the suite meets.

What differs is in docs/chain.md.
"""
