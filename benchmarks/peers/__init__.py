"""The lab against what one would use instead, on T1 to T6: ``python -m benchmarks.peers --help``.

Every peer is a script of its own that runs in an environment of its own and knows nothing of the lab. It is given a
problem (the examples, the layers, how to train), and trains it the way its documentation says is fast.
"""
