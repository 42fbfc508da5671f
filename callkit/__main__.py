"""``python -m callkit``."""

import sys

from callkit.cli import main

sys.exit(main())
