"""Measurements that anyone can repeat; never part of the test run."""
