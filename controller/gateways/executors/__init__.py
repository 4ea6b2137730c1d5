"""Processes that judge executions beside the controller, one for each core."""
