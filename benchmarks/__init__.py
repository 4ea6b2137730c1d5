"""Measurements that anybody can repeat: `bes bench NAME`, one JSON object on the last line.

A benchmark is a module with a `NAME` and `run(options)`. `options` and `conditions` say what was asked and on what it
ran; `process`, `simulated_site`, `agent_process` and `sink` start the product's own processes around it; then one file
for each benchmark. Simulators never share a process with what is timed.
"""
