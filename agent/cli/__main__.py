"""`python -m agent.cli`: the command without its entry point, as tests and the demonstration start it."""

import sys

from agent.cli import main

sys.exit(main())
