"""Adapters that keep things on the disk, behind the ports of the packages that need them kept."""
