"""Bitcoin's data, read and written so that two implementations agree before value moves.

A facade over wallycore, btclib, bdkpython and Bitcoin Core's consensus engine: every error of a library becomes one of
`shared.errors`. Transaction ids are lower-case hex as people see them, scripts and keys are bytes, money is satoshi.
"""
