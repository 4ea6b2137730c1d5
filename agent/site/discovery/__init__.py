"""Finds the devices of a site and tells who they are.

Candidates come from the site's file, from a bounded sweep of its address ranges and from mDNS; what a candidate is,
its own read-only answers decide. The MAC is the identity: a miner at a new address is the same miner. What no driver of
ours knows, pyasic names in a process of its own (`pyasic_worker`), which this program never imports.
"""
