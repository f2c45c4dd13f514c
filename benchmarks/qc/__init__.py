"""Fault injection: clean scans of many vendors, the faults put into them, and what the program says of both.

Nothing here imports the checks: a fault is written as somebody outside would write it, from the list of checks alone.
"""
