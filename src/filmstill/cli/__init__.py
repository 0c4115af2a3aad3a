"""The command line: one file per verb, each parsing, calling the library and printing."""
