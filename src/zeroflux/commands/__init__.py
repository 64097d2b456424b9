"""The terminal: commands that work on single files, their options, tables and progress."""
