"""The command line: words in, calls to the layers below, text out."""
