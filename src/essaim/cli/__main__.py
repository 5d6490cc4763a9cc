"""`python -m essaim.cli`: the same as `essaim`."""

import sys

from essaim.cli import main

sys.exit(main())
