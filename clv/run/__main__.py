"""What `python -m clv.run` does."""

import sys

from clv.run.commands import main

if __name__ == "__main__":
    sys.exit(main())
