"""One machine, no server to install: the journal, the fleet's relations and telemetry in SQLite files.

Schemas stand in `schema/<database>/` as numbered files and are applied by `migration`.
"""
