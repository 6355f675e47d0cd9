"""`python -m memstudio`."""

import sys

from memstudio.cli import main

sys.exit(main())
