"""How the node itself is: its machine, its clock, its watchdog, and `bes doctor` for the person in front of it."""
