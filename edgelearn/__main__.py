"""`python -m edgelearn` is `edgelearn`."""

from edgelearn.cli import main

if __name__ == "__main__":
    main()
