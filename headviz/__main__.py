"""``python -m headviz`` is the same as ``headviz``."""

import sys

from headviz.cli import main

if __name__ == "__main__":
    sys.exit(main())
