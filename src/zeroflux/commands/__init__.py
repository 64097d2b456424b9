"""Commands of the command line that work on single files, each with a Python twin."""
