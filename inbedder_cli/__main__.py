"""`python -m inbedder_cli`."""

from inbedder_cli.cli import main

if __name__ == "__main__":
    main()
