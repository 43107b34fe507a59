"""What every layer may use: the root of the error tree, logging, metrics, build information."""
