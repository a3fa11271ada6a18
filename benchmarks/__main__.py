"""What we claim to be fast, measured on this machine, one benchmark after the other.

    python -m benchmarks [--list] [NAME ...]

Each is a module of its own with options of its own: ``python -m benchmarks.peers --help``. Keep the machine quiet.
"""

import argparse
import subprocess
import sys

BENCHMARKS = {
    "peers": "training on T1 to T6: the lab, its peers, the limit of matrix products (about 13 minutes)",
    "interface": "first text, bytes over a pseudo-terminal, key latency, memory, what it costs training",
    "store": "a million points written, and opened",
    "chart": "a live chart's milliseconds and bytes an update",
}


def main() -> int:
    """Run those named, or all; 1 if any failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(BENCHMARKS), metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--list", action="store_true", help="say what there is and end")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(f"{name:10} {says}" for name, says in BENCHMARKS.items()))
        return 0
    for unknown in {*arguments.names} - {*BENCHMARKS}:
        parser.error(f"there is no benchmark {unknown}; choose from {', '.join(BENCHMARKS)}")
    failed = 0
    for name in arguments.names:
        print(f"## {name}: {BENCHMARKS[name]}\n", flush=True)
        failed |= subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode
    return int(failed != 0)


if __name__ == "__main__":
    sys.exit(main())
