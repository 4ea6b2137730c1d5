"""The one growing version of all messages, with its history. Fields are only ever appended, with defaults.

1  first release
"""

WIRE_VERSION = 1
