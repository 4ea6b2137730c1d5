"""Meaning: what miners, meters and PDUs say in their own words becomes the frozen values of `agent.site.devices`."""
