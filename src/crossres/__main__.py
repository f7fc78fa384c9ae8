"""`python -m crossres`."""

from crossres.cli import main

if __name__ == "__main__":
    main()
