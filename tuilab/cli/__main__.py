"""``python -m tuilab.cli`` is ``tuilab``."""

import sys

from tuilab.cli import main

sys.exit(main())
