"""Keeping OpenSSL out of the interface: it would take 9 MB of memory, and nothing there speaks to the network."""

import sys
from importlib import import_module


def without_openssl() -> None:
    """Import asyncio without TLS, and hashes in Python's own C code, where that has all of them."""
    if "asyncio" not in sys.modules:
        _import_without("asyncio", "ssl")
    try:
        for own in ("_md5", "_sha1", "_sha3", "_blake2"):
            import_module(own)
    except ImportError:
        return
    if "hashlib" not in sys.modules:
        _import_without("hmac", "_hashlib")


def _import_without(name: str, absent: str) -> None:
    """Import a module that does with less where another is absent; that one can still be imported afterwards."""
    if absent not in sys.modules:
        sys.modules[absent] = None  # type: ignore[assignment]
        try:
            import_module(name)
        finally:
            del sys.modules[absent]
